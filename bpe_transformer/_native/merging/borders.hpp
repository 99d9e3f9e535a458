// Whether neighbouring tokens stay apart: what decides if a row of tokens is what merging leads to.
#pragma once

#include <cstdint>
#include <vector>

#include "merging/ranks.hpp"

namespace bpe {

// For merges that only ever use what merges of lower rank have made, each id made by one. Then ids are those of a word
// if each is what its own symbols become and every two neighbours stay apart.
class Borders {
 public:
  Borders() = default;
  Borders(const std::vector<Merge>& merges, size_t num_ids);

  bool known() const { return !parts_.empty(); }
  size_t size() const { return parts_.size(); }  // ids

  struct Parts {
    uint32_t left = 0, right = 0, step = 0;  // its merge's rank plus one, 0 for a base token
  };
  const Parts& parts(uint32_t id) const { return parts_[id]; }

  // Whether nothing merges across the border of two tokens while they are made, and then up to rank `before`. What
  // stands at that border is gone through backwards: whichever side was made last is taken apart.
  bool apart(const Ranks& ranks, uint32_t left, uint32_t right, uint32_t before = kNoId) const {
    for (;;) {
      if (ranks.of(left, right) < before) return false;
      const Parts &l = parts_[left], &r = parts_[right];
      if (l.step > r.step) {
        before = l.step - 1;  // of two merges of one rank the left one comes first
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
  std::vector<Parts> parts_;  // by id
};

}  // namespace bpe
