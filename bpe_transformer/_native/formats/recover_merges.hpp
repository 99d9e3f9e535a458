// Finds the merges of a vocabulary that is given as tokens and their ranks alone.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace bpe {

struct RecoveredMerges {
  std::vector<uint32_t> left, right,
      merged_ids;                     // all ranks: one merge for every token that merging can produce, in order
  std::vector<uint32_t> unreachable;  // tokens that merging their own symbols does not produce
  std::vector<uint32_t> incomplete;   // tokens with a symbol that is not a token
};

// `tokens` by rank, distinct and not empty. A symbol is a byte, or with `characters` a character.
// Encoding by ranks merges the two neighbours whose bytes together are the token of lowest rank, whatever the two are.
// A stretch of text that no merge crosses the borders of goes through the same steps as it would by itself. So the two
// neighbours that merge into token t are always those that t's own symbols lead to, and one merge for each token is
// equivalent to the ranks. Shorter tokens are handled first, since only they occur before the last step.
RecoveredMerges recover_merges(const std::vector<std::string_view>& tokens, bool characters);

}  // namespace bpe
