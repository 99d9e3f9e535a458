// The scanner's kernel for avx512; see bytes64.hpp.
#ifdef __x86_64__
#define BPE_BYTES64 BPE_AVX512
#include "splitting/bit_planes_kernel.hpp"

namespace bpe::simd {

void fill_avx512(const uint8_t* p, size_t at, size_t words, bool cased, Planes& planes) {
  fill_words(p, at, words, cased, planes);
}

uint64_t where_least_avx512(const uint32_t* values, uint32_t& least) { return least_of_64(values, least); }

}  // namespace bpe::simd
#endif
