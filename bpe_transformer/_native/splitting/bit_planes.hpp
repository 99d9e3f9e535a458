// A text as bit planes: for each class of bytes that the split patterns tell apart, one bit a byte. What a vector unit
// can see at once it marks (planes_kernel.hpp); the few symbols it cannot are looked up one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace bpe {

// All bytes of a symbol have its classes. Words past the last are zero.
struct Planes {
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
  Plane rare;        // white space and numbers past ASCII, which grammars leave to the way of one symbol at a time
  Plane mark;        // \p{M}
  // the kernel's own: bytes past ASCII whose symbols it does not know, and what spills over into the next word
  Plane unseen;
  uint64_t carry_two, carry_three, carry_other;

  // Describes up to kBytes bytes from p, the start of a symbol, in a text that goes on to `end`. `cased`: with upper
  // and lower.
  void fill(const uint8_t* p, const uint8_t* end, bool cased);

 private:
  void look_up(const uint8_t* p, const uint8_t* end, bool cased);
  void cut(size_t bytes);
};

namespace simd {

// The least of sixty-four values; bit i of the result: whether value i is it.
using WhereLeast = uint64_t (*)(const uint32_t* values, uint32_t& least);
WhereLeast where_least();

// What this processor can run, the best last: "plain", "neon", "avx2", "avx512".
std::vector<std::string_view> levels();
std::string_view level();
// Takes one of levels(); false if it is not among them. The environment variable BPE_TRANSFORMER_SIMD chooses the first
// one.
bool set_level(std::string_view name);

}  // namespace simd
}  // namespace bpe
