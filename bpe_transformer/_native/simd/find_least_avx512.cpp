// find_least for avx512; see bytes64.hpp.
#ifdef __x86_64__
#define BPE_BYTES64 BPE_AVX512
#include "simd/bytes64.hpp"
#include "simd/find_least.hpp"

namespace bpe::simd {

uint64_t find_least_avx512(const uint32_t* values, uint32_t& least) { return least_of_64(values, least); }

}  // namespace bpe::simd
#endif
