// Which neighbouring characters merges can put into one token.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "merging/alphabet.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// Two characters are joined by a merge whose left token ends with the one and whose right token begins with the other.
// Where no merge does that, a word can be cut, whatever the order of merges. Characters past ASCII count as one, which
// is joined with itself.
class Joins {
 public:
  Joins(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids);

  // The end of the part of `word` that begins at byte `from`: the next place where it can be cut, or its end.
  size_t part_end(std::string_view word, size_t from) const {
    size_t end = from + 1;
    while (end < word.size() && joined_[static_cast<uint8_t>(word[end - 1]) << 8 | static_cast<uint8_t>(word[end])])
      ++end;
    return end;
  }

 private:
  bool find(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids);

  std::bitset<65536> joined_;  // by two neighbouring bytes
};

}  // namespace bpe
