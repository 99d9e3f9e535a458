// The least of sixty-four numbers, and where it is.
#pragma once

#include <cstdint>

namespace bpe::simd {

// Sets `least` to the least of sixty-four values; bit i of the result says whether value i is equal to it.
using FindLeast = uint64_t (*)(const uint32_t* values, uint32_t& least);

// The implementation for the level in use.
FindLeast find_least();

uint64_t find_least_plain(const uint32_t* values, uint32_t& least);
uint64_t find_least_neon(const uint32_t* values, uint32_t& least);
uint64_t find_least_avx2(const uint32_t* values, uint32_t& least);
uint64_t find_least_avx512(const uint32_t* values, uint32_t& least);

}  // namespace bpe::simd
