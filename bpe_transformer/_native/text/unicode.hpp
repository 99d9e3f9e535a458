// Decoding of UTF-8 into symbols with their character classes. A byte that is not UTF-8 is a symbol of no class, as
// under Python's surrogateescape, so any bytes can be split without loss.
#pragma once

#include <cstddef>
#include <cstdint>

#include "text/unicode_tables.hpp"

namespace bpe::unicode {

inline uint8_t class_of(uint32_t cp) { return kPages[(uint32_t{kPageOf[cp >> 8]} << 8) | (cp & 255)]; }

// The classes of ASCII bytes; kNotAscii for all other bytes, which have to be decoded.
inline constexpr uint8_t kNotAscii = 1u << 7;
struct AsciiClasses {
  uint8_t of[256];
  constexpr AsciiClasses() : of() {
    for (unsigned byte = 0; byte < 256; ++byte)
      of[byte] = byte < 128 ? kPages[(uint32_t{kPageOf[0]} << 8) | byte] : kNotAscii;
  }
};
inline constexpr AsciiClasses kAscii;

struct Symbol {
  uint32_t code_point;  // kInvalid for a byte that is not UTF-8
  uint8_t length;       // bytes, 1 to 4
  uint8_t classes;      // bits kLetter, kNumber, …
};

inline constexpr uint32_t kInvalid = 0xFFFFFFFFu;

inline bool continues(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Decodes the symbol at p (p < end). Overlong forms, surrogates and values past U+10FFFF are invalid bytes.
inline Symbol decode(const uint8_t* p, const uint8_t* end) {
  const uint8_t a = p[0];
  if (a < 0x80) return {a, 1, kAscii.of[a]};
  const ptrdiff_t left = end - p;
  if (a >= 0xC2 && a <= 0xDF && left >= 2 && continues(p[1])) {
    const uint32_t cp = (uint32_t{a} & 0x1F) << 6 | (p[1] & 0x3F);
    return {cp, 2, class_of(cp)};
  }
  if (a >= 0xE0 && a <= 0xEF && left >= 3 && continues(p[1]) && continues(p[2])) {
    const uint32_t cp = (uint32_t{a} & 0x0F) << 12 | (uint32_t{p[1]} & 0x3F) << 6 | (p[2] & 0x3F);
    if (cp >= 0x800 && (cp < 0xD800 || cp > 0xDFFF)) return {cp, 3, class_of(cp)};
  }
  if (a >= 0xF0 && a <= 0xF4 && left >= 4 && continues(p[1]) && continues(p[2]) && continues(p[3])) {
    const uint32_t cp =
        (uint32_t{a} & 0x07) << 18 | (uint32_t{p[1]} & 0x3F) << 12 | (uint32_t{p[2]} & 0x3F) << 6 | (p[3] & 0x3F);
    if (cp >= 0x10000 && cp <= 0x10FFFF) return {cp, 4, class_of(cp)};
  }
  return {kInvalid, 1, 0};
}

// The byte position of the first byte that is not UTF-8, or size if all is.
inline size_t valid_prefix(const uint8_t* data, size_t size) {
  const uint8_t* p = data;
  const uint8_t* const end = data + size;
  while (p < end) {
    if (end - p >= 8) {
      uint64_t eight;
      __builtin_memcpy(&eight, p, 8);
      if ((eight & 0x8080808080808080ull) == 0) {
        p += 8;
        continue;
      }
    }
    // E1 to EC and EE, EF with any two continuations: three bytes that need no further check
    while (end - p >= 3 && (p[0] & 0xF0) == 0xE0 && p[0] != 0xE0 && p[0] != 0xED && continues(p[1]) && continues(p[2]))
      p += 3;
    if (p == end) break;
    const Symbol s = decode(p, end);
    if (s.code_point == kInvalid) break;
    p += s.length;
  }
  return static_cast<size_t>(p - data);
}

}  // namespace bpe::unicode
