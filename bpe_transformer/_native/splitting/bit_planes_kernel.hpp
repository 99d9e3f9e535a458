// The bit planes of a text by comparisons alone, for whichever Bytes64 the including file has chosen. Includes no
// inline functions that other files use too: the linker could keep the copy that is compiled for a newer processor.
#pragma once

#include "simd/bytes64.hpp"
#include "splitting/bit_planes.hpp"

namespace {

// The first bytes of symbols past ASCII that comparisons can classify. tests/tokenizer/splitting/test_scanner.py tries
// every code point.
struct Beyond {
  uint64_t two = 0, three = 0;  // letters of two and of three bytes
  uint64_t other = 0;           // symbols of three bytes that are no letter, number, space or mark
  uint64_t block = 0;           // U+2581
  uint64_t continues = 0;

  Beyond(const uint8_t* p, const Bytes64& at, bool cased) {
    const Bytes64 second = Bytes64::load(p + 1), third = Bytes64::load(p + 2);
    const uint64_t second_continues = second.in(0x80, 0xBF), both = second_continues & third.in(0x80, 0xBF);
    continues = at.in(0x80, 0xBF);
    // U+5000 to U+9FFF and U+B000 to U+CFFF; Hangul's first and last rows; U+4000 to U+4DBF and U+4E00 to U+4FFF
    three = at.in(0xE5, 0xE9) | at.in(0xEB, 0xEC) | (at.in(0xEA, 0xEA) & second.in(0xB0, 0xBF)) |
            (at.in(0xED, 0xED) & second.in(0x80, 0x9D)) | (at.in(0xE4, 0xE4) & ~second.in(0xB7, 0xB7));
    if (const uint64_t e3 = at.in(0xE3, 0xE3)) three |= e3 & kana(second, third);
    three &= both;
    const uint64_t e2 = at.in(0xE2, 0xE2), ef = at.in(0xEF, 0xEF);
    if (e2 | ef) {
      other =
          ((e2 & second.in(0x80, 0x80) & third.in(0x90, 0xA7)) | (ef & second.in(0xBC, 0xBC) & third.in(0x81, 0x8F))) &
          both;
      block = e2 & second.in(0x96, 0x96) & third.in(0x81, 0x81);
      other |= block;
    }
    if (!cased)  // Latin and Cyrillic; their case needs a look-up
      two = ((at.in(0xC3, 0xC3) & ~(second.in(0x97, 0x97) | second.in(0xB7, 0xB7))) | at.in(0xC4, 0xCA) |
             at.in(0xD0, 0xD1) | at.in(0xD3, 0xD3)) &
            second_continues;
  }

  // After 0xE3: U+3041 to U+3096, U+30A1 to U+30FA, U+3400 to U+3FFF.
  static uint64_t kana(const Bytes64& second, const Bytes64& third) {
    return second.in(0x90, 0xBF) | (second.in(0x81, 0x81) & third.in(0x81, 0xBF)) |
           (second.in(0x82, 0x82) & (third.in(0x80, 0x96) | third.in(0xA1, 0xBF))) |
           (second.in(0x83, 0x83) & third.in(0x80, 0xBA));
  }
};

// Bytes that their neighbours show not to be UTF-8: most of those that are not.
inline uint64_t invalid_bytes(const uint8_t* p, const Bytes64& at) {
  const uint64_t begins = at.in(0xC2, 0xF4), continues = at.in(0x80, 0xBF);
  constexpr uint64_t kFirstThree = 7;  // may continue a symbol that begins before p
  const uint64_t may_continue = begins << 1 | at.in(0xE0, 0xF4) << 2 | at.in(0xF0, 0xF4) << 3 | kFirstThree;
  return at.in(0x80, 0xFF) & ~(begins & Bytes64::load(p + 1).in(0x80, 0xBF)) & ~(continues & may_continue);
}

// The bytes of symbols that begin at `first` and have two or three bytes; bits past the word go into `carry`.
inline uint64_t spread(uint64_t first, bool three, uint64_t& carry) {
  const uint64_t out = first | first << 1 | (three ? first << 2 : 0) | carry;
  carry = first >> 63 | (three ? first >> 62 : 0);
  return out;
}

// See FillBitPlanes.
inline void fill_words(const uint8_t* p, size_t first_word, size_t words, bool cased, bpe::BitPlanes& planes) {
  uint64_t two = planes.carry_two, three = planes.carry_three, other = planes.carry_other;
  for (size_t w = first_word; w < first_word + words; ++w, p += 64) {
    const Bytes64 bytes = Bytes64::load(p);
    const uint64_t letter = bytes.with(0x20).in('a', 'z');
    const uint64_t upper = cased ? bytes.in('A', 'Z') : 0;
    planes.newline[w] = bytes.in('\n', '\n') | bytes.in('\r', '\r');
    planes.blank[w] = bytes.in(' ', ' ');
    planes.space[w] = bytes.in('\t', '\r') | planes.blank[w];
    planes.number[w] = bytes.in('0', '9');
    planes.apostrophe[w] = bytes.in('\'', '\'');
    if (cased) planes.slash[w] = bytes.in('/', '/');
    planes.rare[w] = planes.mark[w] = 0;
    const uint64_t high = bytes.in(0x80, 0xFF);
    uint64_t letters_beyond = 0, known = 0, continues = 0, block = 0;
    if (high | two | three | other) {
      const Beyond beyond(p, bytes, cased);
      const uint64_t threes = spread(beyond.three, true, three);
      letters_beyond = spread(beyond.two, false, two) | threes;
      known = letters_beyond | spread(beyond.other, true, other);
      continues = beyond.continues;
      block = beyond.block;
    }
    planes.letter[w] = letter | letters_beyond;
    uint64_t unknown = high & ~known, invalid = 0;
    if (unknown) unknown &= ~(invalid = invalid_bytes(p, bytes));
    planes.first[w] = ~continues | invalid;
    planes.block[w] = block;
    planes.unknown[w] = unknown;
    if (cased) {  // letters of three bytes have no case and count as both
      planes.upper[w] = upper | letters_beyond;
      planes.lower[w] = (letter & ~upper) | letters_beyond;
    }
  }
  planes.carry_two = two, planes.carry_three = three, planes.carry_other = other;
}

}  // namespace
