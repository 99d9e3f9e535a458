// The bit planes' kernel for avx512; see bit_planes_kernel.hpp.
#ifdef __x86_64__
#define BPE_BYTES64 BPE_AVX512
#include "splitting/bit_planes_kernel.hpp"

namespace bpe {

void fill_bit_planes_avx512(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes) {
  fill_words(p, first_word, words, cased, planes);
}

}  // namespace bpe
#endif
