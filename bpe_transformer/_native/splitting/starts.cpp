#include "splitting/starts.hpp"

#include "simd/simd.hpp"

namespace bpe::scan {

void list_starts_plain(const uint8_t* window, uint64_t starts, const uint8_t** to) {
  do {
    for (int i = 0; i < 8; ++i, starts &= starts - 1) to[i] = window + __builtin_ctzll(starts | uint64_t{1} << 63);
    to += 8;
  } while (starts);
}

ListStarts list_starts() {
#if defined(__x86_64__)
  static const bool has_vbmi2 = __builtin_cpu_supports("avx512vbmi2");
  if (has_vbmi2 && simd::level() == simd::Level::kAvx512) return list_starts_avx512;
#endif
  return list_starts_plain;
}

}  // namespace bpe::scan
