// The lines of a `.tiktoken` file: a token in base64 and its rank.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

struct RankLines {
  std::string bytes;         // of all tokens, one after another
  std::vector<size_t> ends;  // of each token in them
  std::vector<uint32_t> ranks;
};

// The tokens and ranks of a file in its usual form; nothing for any other line, which the caller reads more slowly, and
// says what is wrong with it. Blank lines and an empty token ("=", as Whisper's file has) are left out.
std::optional<RankLines> read_rank_lines(std::string_view data);

}  // namespace bpe
