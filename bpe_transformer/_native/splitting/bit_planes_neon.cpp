// The bit planes' kernel for neon; see bit_planes_kernel.hpp.
#ifdef __aarch64__
#define BPE_BYTES64 BPE_NEON
#include "splitting/bit_planes_kernel.hpp"

namespace bpe {

void fill_bit_planes_neon(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes) {
  fill_words(p, first_word, words, cased, planes);
}

}  // namespace bpe
#endif
