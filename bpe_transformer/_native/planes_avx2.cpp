// The scanner's kernel for avx2; see bytes64.hpp.
#ifdef __x86_64__
#define BPE_BYTES64 BPE_AVX2
#include "planes_kernel.hpp"

namespace bpe::simd {

void fill_avx2(const uint8_t* p, size_t at, size_t words, bool cased, Planes& planes) {
  fill_words(p, at, words, cased, planes);
}

}  // namespace bpe::simd
#endif
