// The bit planes' kernel for plain; see bit_planes_kernel.hpp.
#define BPE_BYTES64 BPE_PLAIN
#include "splitting/bit_planes_kernel.hpp"

namespace bpe {

void fill_bit_planes_plain(const uint8_t* p, size_t first_word, size_t words, bool cased, BitPlanes& planes) {
  fill_words(p, first_word, words, cased, planes);
}

}  // namespace bpe
