#include "splitting/bit_planes.hpp"

#include <algorithm>

#include "simd/simd.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

constexpr simd::Kernels<FillBitPlanes> kKernels = BPE_KERNELS(fill_bit_planes);

}  // namespace

void BitPlanes::fill(const uint8_t* p, const uint8_t* end, bool cased) {
  constexpr size_t kReadAhead = 66;  // bytes that the kernel may read from the start of a word
  size = std::min<size_t>(kBytes, static_cast<size_t>(end - p));
  carry_two = carry_three = carry_other = 0;
  const FillBitPlanes kernel = simd::chosen(kKernels);
  const size_t words = (size + 63) / 64, left = static_cast<size_t>(end - p);
  const size_t direct = left >= words * 64 + kReadAhead - 64 ? words
                        : left < kReadAhead                  ? 0
                                                             : (left - kReadAhead) / 64 + 1;
  if (direct) kernel(p, 0, direct, cased, *this);
  if (direct < words) {  // the end of the text, with zeros after it
    uint8_t padded[2 * 64 + kReadAhead] = {};
    __builtin_memcpy(padded, p + 64 * direct, left - 64 * direct);
    kernel(padded, direct, words - direct, cased, *this);
  }
  for (size_t w = words; w <= words && w <= kWords; ++w)
    letter[w] = number[w] = space[w] = newline[w] = blank[w] = apostrophe[w] = slash[w] = first[w] = block[w] =
        upper[w] = lower[w] = rare[w] = mark[w] = unknown[w] = 0;
  uint64_t any = 0;
  for (size_t w = 0; w < words; ++w) any |= unknown[w];
  if (any) look_up(p, end, cased);
}

// Classifies the bytes that the kernel has left unknown.
void BitPlanes::look_up(const uint8_t* p, const uint8_t* end, bool cased) {
  for (size_t w = 0; 64 * w < size; ++w) {
    for (uint64_t left = unknown[w]; left;) {
      const unsigned i = static_cast<unsigned>(__builtin_ctzll(left));
      const uint8_t* const at = p + 64 * w + i;
      if (at >= end) break;
      const unicode::Symbol s = unicode::decode(at, end);
      const uint64_t bytes = (uint64_t{1} << s.length) - 1, here = bytes << i, next = i > 60 ? bytes >> (64 - i) : 0;
      left &= ~here;
      unknown[w + 1] &= ~next;
      first[w] |= uint64_t{1} << i;
      const auto set = [&](Plane& plane) { plane[w] |= here, plane[w + 1] |= next; };
      if (s.classes & unicode::kLetter) set(letter);
      if (s.classes & unicode::kNumber) set(number);
      if (s.classes & unicode::kSpace) set(space);
      if (cased && (s.classes & unicode::kUpper)) set(upper);
      if (cased && (s.classes & unicode::kLower)) set(lower);
      if (s.classes & (unicode::kNumber | unicode::kSpace)) set(rare);
      if (s.classes & unicode::kMark) set(this->mark);
    }
  }
}

}  // namespace bpe
