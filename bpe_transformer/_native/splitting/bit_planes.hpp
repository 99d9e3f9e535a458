// A text as bit planes: for each class of bytes that the split patterns distinguish, one bit a byte. Vector
// instructions classify most bytes (bit_planes_kernel.hpp); the few symbols that they cannot classify are looked up one
// by one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpe {

// All bytes of a symbol have its classes. Words past the last are zero.
struct BitPlanes {
  static constexpr size_t kWords = 32;  // of 64 bytes
  static constexpr size_t kBytes = 64 * kWords;
  using Plane = uint64_t[kWords + 1];

  size_t size = 0;   // bytes described
  Plane letter;      // \p{L}
  Plane number;      // \p{N}
  Plane space;       // \s
  Plane newline;     // \r or \n
  Plane blank;       // ' '
  Plane apostrophe;  // '
  Plane slash;       // /
  Plane first;       // the first byte of a symbol
  Plane block;       // U+2581, SentencePiece's mark of a space
  Plane upper;       // if cased: [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  Plane lower;       // if cased: [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  Plane rare;        // white space and numbers past ASCII, which grammars handle one symbol at a time
  Plane mark;        // \p{M}
  // Used by the kernel only: bytes past ASCII that it cannot classify, and symbols that go on in the next word.
  Plane unknown;
  uint64_t carry_two, carry_three, carry_other;

  // Describes up to kBytes bytes from p, the start of a symbol, in a text that ends at `end`. `cased`: with upper and
  // lower.
  void fill(const uint8_t* p, const uint8_t* end, bool cased);

 private:
  void look_up(const uint8_t* p, const uint8_t* end, bool cased);
};

// The kernels: describe `words` words of 64 bytes from p on, as number `first_word` and those after it. May read up to
// 66 bytes from the start of each.
using FillBitPlanes = void (*)(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes);
void fill_bit_planes_plain(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes);
void fill_bit_planes_neon(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes);
void fill_bit_planes_avx2(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes);
void fill_bit_planes_avx512(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes);

}  // namespace bpe
