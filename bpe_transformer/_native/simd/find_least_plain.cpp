// find_least for plain; see bytes64.hpp.
#define BPE_BYTES64 BPE_PLAIN
#include "simd/bytes64.hpp"
#include "simd/find_least.hpp"

namespace bpe::simd {

uint64_t find_least_plain(const uint32_t* values, uint32_t& least) { return least_of_64(values, least); }

}  // namespace bpe::simd
