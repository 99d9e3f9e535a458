#include "encoding/word_block.hpp"

#include "simd/simd.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bpe {

namespace {

// How keys are made of words, of which so many bytes are readable.
struct PlainKeys {
  static ShortKey short_key(std::string_view word, size_t readable) { return ShortKey::of(word, readable); }
  static LongKey long_key(std::string_view word, size_t readable) { return LongKey::of(word, readable); }
};

template <class Keys>
[[gnu::always_inline]] inline void look_up(WordBlock& words, size_t n, const uint8_t* end, const WordCache& cache) {
  const auto places = cache.small.places();
  const auto long_places = cache.large.places();
  size_t num_long = 0;
  for (size_t i = 0; i < n; ++i) {
    const std::string_view word = words.word(i);
    const auto readable = static_cast<size_t>(end - words.starts[i]);
    if (word.size() <= ShortKey::kMaxBytes) [[likely]] {
      const ShortKey key = Keys::short_key(word, readable);
      words.keys[i] = key;
      words.hashes[i] = key.hash();
      __builtin_prefetch(&places.of(words.hashes[i]));
    } else if (word.size() <= LongKey::kMaxBytes) {
      const LongKey& key = words.long_keys[num_long] = Keys::long_key(word, readable);
      const uint64_t hash = words.long_hashes[num_long] = key.hash();
      words.keys[i] = {num_long++, WordBlock::kIsLong};
      words.hashes[i] = 0;
      __builtin_prefetch(&long_places.of(hash));
    } else {
      words.keys[i] = {WordBlock::kMax, WordBlock::kIsLong};
      words.hashes[i] = 0;
    }
  }
}

void look_up_plain(WordBlock& words, size_t n, const uint8_t* end, const WordCache& cache) {
  look_up<PlainKeys>(words, n, end, cache);
}

#if defined(__x86_64__) && defined(__GNUC__)
// Functions, and not files, are compiled for a level, since what this file includes must stay the same everywhere.
#define BPE_FOR(level) __attribute__((target(level), flatten))

BPE_FOR("avx2,bmi,bmi2") void look_up_avx2(WordBlock& words, size_t n, const uint8_t* end, const WordCache& cache) {
  look_up<PlainKeys>(words, n, end, cache);
}

#define BPE_LEVEL_AVX512 "avx2,avx512f,avx512bw,avx512vl,bmi,bmi2"

// Masked loads read a word's bytes and nothing after them, wherever the text ends.
struct KeysByMasks {
  __attribute__((target(BPE_LEVEL_AVX512))) static ShortKey short_key(std::string_view word, size_t) {
    const auto size = static_cast<uint32_t>(word.size());
    const __m128i bytes = _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << size) - 1), word.data());
    const __m128i key = _mm_mask_set1_epi8(bytes, 0x8000, static_cast<char>(size));
    return {static_cast<uint64_t>(_mm_cvtsi128_si64(key)), static_cast<uint64_t>(_mm_extract_epi64(key, 1))};
  }
  __attribute__((target(BPE_LEVEL_AVX512))) static LongKey long_key(std::string_view word, size_t) {
    const auto size = static_cast<uint32_t>(word.size());
    LongKey key;
    const __m256i bytes = _mm256_maskz_loadu_epi8((1u << size) - 1, word.data());
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(key.words),
                        _mm256_mask_set1_epi8(bytes, 1u << 30, static_cast<char>(size)));
    return key;
  }
};

BPE_FOR(BPE_LEVEL_AVX512)
void look_up_avx512(WordBlock& words, size_t n, const uint8_t* end, const WordCache& cache) {
  look_up<KeysByMasks>(words, n, end, cache);
}
#endif

}  // namespace

LookUpWords look_up_words() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (simd::level() == simd::Level::kAvx512) return look_up_avx512;
  if (simd::level() == simd::Level::kAvx2) return look_up_avx2;
#endif
  return look_up_plain;
}

}  // namespace bpe
