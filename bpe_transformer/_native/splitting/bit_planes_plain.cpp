// The scanner's kernel for plain; see bytes64.hpp.
#define BPE_BYTES64 BPE_PLAIN
#include "splitting/bit_planes_kernel.hpp"

namespace bpe::simd {

void fill_plain(const uint8_t* p, size_t at, size_t words, bool cased, Planes& planes) {
  fill_words(p, at, words, cased, planes);
}

uint64_t where_least_plain(const uint32_t* values, uint32_t& least) { return least_of_64(values, least); }

}  // namespace bpe::simd
