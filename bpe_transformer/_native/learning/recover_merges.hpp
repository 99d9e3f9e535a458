// Finds the merges of a vocabulary that gives its tokens and their ranks only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace bpe {

struct Recovered {
  std::vector<uint32_t> left, right, made;  // ranks of tokens; one merge for every token that merging reaches, by rank
  std::vector<uint32_t> stuck;              // ranks of tokens that merging their own symbols does not lead to
  std::vector<uint32_t> incomplete;         // ranks of tokens with a symbol that is no token
};

// `tokens` by rank, distinct and not empty. A symbol is a byte, or with `characters` a character.
//
// An encoder of ranks merges the two neighbours whose bytes together are the token of lowest rank, whatever the two
// are. A stretch of text between two borders that no merge crosses goes through the same steps as it would on its own.
// So two neighbours that make token t are the two that t's own symbols lead to, always the same, and one merge for each
// token says all that the ranks say. Shorter tokens come first, since only they take part before the last step.
Recovered recover(const std::vector<std::string_view>& tokens, bool characters);

}  // namespace bpe
