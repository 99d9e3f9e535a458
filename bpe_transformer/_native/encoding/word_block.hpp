// Words that are looked up in a cache together, so that its entries come from memory meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/key.hpp"
#include "encoding/word_cache.hpp"

namespace bpe {

struct WordBlock {
  static constexpr size_t kMax = 384;     // words
  static constexpr uint64_t kIsLong = 1;  // as `high`, which neither a short word nor a free entry has

  const uint8_t* borders[kMax + 1];  // where words end, from the second on
  const uint8_t* const* starts;      // where they begin: `borders`, unless there is text between them
  ShortKey keys[kMax];  // of a longer word: its place in long_keys, kMax for one that is too long for them, and kIsLong
  LongKey long_keys[kMax];
  uint64_t hashes[kMax], long_hashes[kMax];

  std::string_view word(size_t i) const {
    return {reinterpret_cast<const char*>(starts[i]), static_cast<size_t>(borders[i + 1] - starts[i])};
  }
};

// Sets the keys of the first n words of a text that goes on to `end`, and fetches their entries in the cache.
using LookUpWords = void (*)(WordBlock& words, size_t n, const uint8_t* end, const WordCache& cache);
// The fastest for the level in use.
LookUpWords look_up_words();

}  // namespace bpe
