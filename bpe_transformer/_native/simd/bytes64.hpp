// The vector operations that the core uses: which of sixty-four bytes lie in a range, and the least of sixty-four
// numbers. One implementation for each instruction set; a file that includes this chooses one by defining BPE_BYTES64.
#pragma once

#include <cstdint>

#define BPE_PLAIN 0
#define BPE_AVX2 1
#define BPE_AVX512 2
#define BPE_NEON 3

#if BPE_BYTES64 == BPE_AVX512 || BPE_BYTES64 == BPE_AVX2
#include <immintrin.h>
#elif BPE_BYTES64 == BPE_NEON
#include <arm_neon.h>
#endif

namespace {  // internal linkage: each file that includes this is compiled for another processor

#if BPE_BYTES64 == BPE_AVX512

struct Bytes64 {
  __m512i bytes;
  static Bytes64 load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  Bytes64 with(uint8_t bits) const { return {_mm512_or_si512(bytes, _mm512_set1_epi8(static_cast<char>(bits)))}; }
  // Bit i: whether low <= byte i <= high.
  uint64_t in(uint8_t low, uint8_t high) const {
    if (low == high) return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(low)));
    const __m512i moved = _mm512_sub_epi8(bytes, _mm512_set1_epi8(static_cast<char>(low)));
    return _mm512_cmple_epu8_mask(moved, _mm512_set1_epi8(static_cast<char>(high - low)));
  }
};

// See FindLeast.
inline uint64_t least_of_64(const uint32_t* values, uint32_t& least) {
  __m512i v[4];
  for (int i = 0; i < 4; ++i) v[i] = _mm512_loadu_si512(values + 16 * i);
  least = _mm512_reduce_min_epu32(_mm512_min_epu32(_mm512_min_epu32(v[0], v[1]), _mm512_min_epu32(v[2], v[3])));
  uint64_t out = 0;
  for (int i = 0; i < 4; ++i)
    out |= uint64_t{_mm512_cmpeq_epi32_mask(v[i], _mm512_set1_epi32(static_cast<int>(least)))} << (16 * i);
  return out;
}

#elif BPE_BYTES64 == BPE_AVX2

struct Bytes64 {
  __m256i half[2];
  static Bytes64 load(const uint8_t* p) {
    return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
  }
  Bytes64 with(uint8_t bits) const {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(bits));
    return {{_mm256_or_si256(half[0], mask), _mm256_or_si256(half[1], mask)}};
  }
  uint64_t in(uint8_t low, uint8_t high) const {
    return of(half[0], low, high) | uint64_t{of(half[1], low, high)} << 32;
  }

 private:
  static uint32_t of(__m256i bytes, uint8_t low, uint8_t high) {
    const __m256i moved = _mm256_sub_epi8(bytes, _mm256_set1_epi8(static_cast<char>(low)));
    const __m256i most = _mm256_set1_epi8(static_cast<char>(high - low));
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(moved, most), moved)));
  }
};

inline uint64_t least_of_64(const uint32_t* values, uint32_t& least) {
  __m256i v[8];
  for (int i = 0; i < 8; ++i) v[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + 8 * i));
  __m256i low = v[0];
  for (int i = 1; i < 8; ++i) low = _mm256_min_epu32(low, v[i]);
  low = _mm256_min_epu32(low, _mm256_permute2x128_si256(low, low, 1));
  low = _mm256_min_epu32(low, _mm256_shuffle_epi32(low, 0x4E));
  low = _mm256_min_epu32(low, _mm256_shuffle_epi32(low, 0xB1));
  least = static_cast<uint32_t>(_mm256_cvtsi256_si32(low));
  uint64_t out = 0;
  for (int i = 0; i < 8; ++i)
    out |= uint64_t(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v[i], low)))) << (8 * i);
  return out;
}

#elif BPE_BYTES64 == BPE_NEON

struct Bytes64 {
  uint8x16_t quarter[4];
  static Bytes64 load(const uint8_t* p) {
    return {{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}};
  }
  Bytes64 with(uint8_t bits) const {
    const uint8x16_t mask = vdupq_n_u8(bits);
    return {{vorrq_u8(quarter[0], mask), vorrq_u8(quarter[1], mask), vorrq_u8(quarter[2], mask),
             vorrq_u8(quarter[3], mask)}};
  }
  uint64_t in(uint8_t low, uint8_t high) const {
    // one bit a byte, then neighbours added up until eight bytes hold sixty-four bits
    const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t a = vpaddq_u8(vandq_u8(of(0, low, high), bit), vandq_u8(of(1, low, high), bit));
    const uint8x16_t b = vpaddq_u8(vandq_u8(of(2, low, high), bit), vandq_u8(of(3, low, high), bit));
    const uint8x16_t sum = vpaddq_u8(a, b);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
  }

 private:
  uint8x16_t of(int i, uint8_t low, uint8_t high) const {
    return vcleq_u8(vsubq_u8(quarter[i], vdupq_n_u8(low)), vdupq_n_u8(static_cast<uint8_t>(high - low)));
  }
};

inline uint64_t least_of_64(const uint32_t* values, uint32_t& least) {
  uint32x4_t low = vld1q_u32(values);
  for (int i = 1; i < 16; ++i) low = vminq_u32(low, vld1q_u32(values + 4 * i));
  least = vminvq_u32(low);
  const uint32x4_t bit = {1, 2, 4, 8}, wanted = vdupq_n_u32(least);
  uint64_t out = 0;
  for (int i = 0; i < 16; ++i)
    out |= uint64_t{vaddvq_u32(vandq_u32(vceqq_u32(vld1q_u32(values + 4 * i), wanted), bit))} << (4 * i);
  return out;
}

#else

// Eight bytes at a time in plain integers.
struct Bytes64 {
  uint64_t eight[8];
  static Bytes64 load(const uint8_t* p) {
    Bytes64 out;
    __builtin_memcpy(out.eight, p, 64);
    return out;
  }
  Bytes64 with(uint8_t bits) const {
    Bytes64 out;
    for (int i = 0; i < 8; ++i) out.eight[i] = eight[i] | bits * kOnes;
    return out;
  }
  uint64_t in(uint8_t low, uint8_t high) const {
    uint64_t out = 0;
    for (int i = 0; i < 8; ++i) {
      const uint64_t tops = at_least(eight[i], low) & ~at_least(eight[i], high + 1u) & kTops;
      out |= ((tops >> 7) * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return out;
  }

 private:
  static constexpr uint64_t kOnes = 0x0101010101010101ull, kTops = kOnes << 7;
  // The top bit of each byte: whether the byte is at least n, 0 < n <= 256.
  static uint64_t at_least(uint64_t x, unsigned n) {
    if (n > 255) return 0;
    const uint64_t low = x & ~kTops;
    return n <= 128 ? (low + (128 - n) * kOnes) | x : (low + (256 - n) * kOnes) & x;
  }
};

inline uint64_t least_of_64(const uint32_t* values, uint32_t& least) {
  least = values[0];
  for (int i = 1; i < 64; ++i) least = values[i] < least ? values[i] : least;
  uint64_t out = 0;
  for (int i = 0; i < 64; ++i) out |= uint64_t{values[i] == least} << i;
  return out;
}

#endif

}  // namespace
