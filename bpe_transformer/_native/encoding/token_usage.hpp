// How often each token occurs in the texts that word counts stand for.
#pragma once

#include <cstdint>
#include <vector>

#include "counting/word_counts.hpp"
#include "encoding/encoder.hpp"

namespace bpe {

struct TokenUsage {
  std::vector<uint64_t> occurrences;  // by id
  uint64_t in_words = 0;              // occurrences of tokens that hold at least one byte of a letter, mark or number
};

// What a token covers of a pre-token: kBytes and a number of bytes, or a number of characters; 0 stands for <unk>.
inline constexpr uint32_t kBytes = 1u << 31;

// Encodes each distinct word once and counts its ids as often as it occurs. `extents` has an entry for every id. Throws
// UnknownInText, whose text is 0 and whose position is in the word.
TokenUsage token_usage(const Encoder& encoder, const WordCounts& words, const std::vector<uint32_t>& extents,
                       int num_threads);

}  // namespace bpe
