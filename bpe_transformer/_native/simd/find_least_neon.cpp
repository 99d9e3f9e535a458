// find_least for neon; see bytes64.hpp.
#ifdef __aarch64__
#define BPE_BYTES64 BPE_NEON
#include "simd/bytes64.hpp"
#include "simd/find_least.hpp"

namespace bpe::simd {

uint64_t find_least_neon(const uint32_t* values, uint32_t& least) { return least_of_64(values, least); }

}  // namespace bpe::simd
#endif
