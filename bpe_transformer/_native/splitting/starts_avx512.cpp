#ifdef __x86_64__
#include <immintrin.h>

#include "splitting/starts.hpp"

namespace bpe::scan {

void list_starts_avx512(const uint8_t* window, uint64_t starts, const uint8_t** to) {
  const __m512i eight =
      _mm512_set_epi64(0x3F3E3D3C3B3A3938, 0x3736353433323130, 0x2F2E2D2C2B2A2928, 0x2726252423222120,
                       0x1F1E1D1C1B1A1918, 0x1716151413121110, 0x0F0E0D0C0B0A0908, 0x0706050403020100);
  const __m512i places = _mm512_maskz_compress_epi8(starts, eight);
  const __m512i base = _mm512_set1_epi64(reinterpret_cast<long long>(window));
  const auto write = [&](__m128i bytes, size_t at) {
    _mm512_storeu_si512(static_cast<void*>(to + at), _mm512_add_epi64(base, _mm512_cvtepu8_epi64(bytes)));
  };
  const __m128i first = _mm512_castsi512_si128(places);
  write(first, 0);
  write(_mm_bsrli_si128(first, 8), 8);
  const auto count = static_cast<size_t>(__builtin_popcountll(starts));
  if (count <= 16) return;
  alignas(64) uint8_t all[64];
  _mm512_store_si512(all, places);
  for (size_t i = 16; i < count; i += 8) write(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(all + i)), i);
}

}  // namespace bpe::scan
#endif
