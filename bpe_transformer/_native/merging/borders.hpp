// Decides whether merging would ever have crossed the border between two neighbouring tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "merging/ranks.hpp"

namespace bpe {

// For well-ordered merges: each uses only ids of lower rank, and no id is the result of two merges. Then a row of
// tokens is what merging a word leads to if each token is what its own symbols lead to and every two neighbours stay
// apart.
class Borders {
 public:
  Borders() = default;
  Borders(const std::vector<Merge>& merges, size_t num_ids);

  bool known() const { return !halves_.empty(); }
  size_t size() const { return halves_.size(); }  // ids

  struct Halves {
    uint32_t left = 0, right = 0, step = 0;  // step: the rank of the token's merge plus one, 0 for a base token
  };
  const Halves& halves(uint32_t id) const { return halves_[id]; }

  // Whether nothing merges across the border of two tokens while they are built up, and then at ranks below `before`.
  // Goes backwards through the ids that met at the border: the one that was merged last is split again.
  bool apart(const Ranks& ranks, uint32_t left, uint32_t right, uint32_t before = kNoId) const {
    for (;;) {
      if (ranks.of(left, right) < before) return false;
      const Halves &l = halves_[left], &r = halves_[right];
      if (l.step > r.step) {
        before = l.step - 1;  // of two merges of the same rank the left one comes first
        left = l.right;
      } else if (r.step) {
        before = r.step;
        right = r.left;
      } else {
        return true;
      }
    }
  }

 private:
  std::vector<Halves> halves_;  // by id
};

}  // namespace bpe
