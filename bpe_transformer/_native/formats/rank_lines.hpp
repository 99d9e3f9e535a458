// Tokens in base64 with their ranks: the lines of a `.tiktoken` file, words of a text, and entries in JSON.
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

// The same of lines of a mark, the rank of the first token, and tokens, whose ranks follow each other.
std::optional<RankLines> read_rank_words(std::string_view text);

struct TekkenTokens {
  std::string rest;  // the document with `vocab` empty
  RankLines tokens;  // in order, with the ranks that they say
};

// The entries of `vocab` in a `tekken.json`, objects of `rank`, `token_bytes` and maybe `token_str`; nothing for a
// document with others, which the caller reads more slowly. The rest is not checked.
std::optional<TekkenTokens> read_tekken(std::string_view document);

}  // namespace bpe
