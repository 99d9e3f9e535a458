// The rank of two ids' merge. Most pairs have none.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "alphabet.hpp"

namespace bpe {

struct Merge {
  uint32_t left, right, made;
};

class Ranks {
 public:
  Ranks(const std::vector<Merge>& merges, uint32_t most);  // the greatest id that may be asked for

  // kNoId if the two do not merge.
  uint32_t of(uint32_t left, uint32_t right) const {
    if (!packed_) return of_wide(left, right);
    const uint64_t key = uint64_t{left} << id_bits_ | right, hash = key * 0x9E3779B97F4A7C15ull;
    const bool may = maybe_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1;
    for (size_t i = may ? hash >> shift_ : mask_ + 1;; i = (i + 1) & mask_) {  // nobody could guess: no branch but for collisions
      const uint64_t slot = slots_[i];
      const bool found = slot >> rank_bits_ == key;
      if (found | (slot == kEmpty)) [[likely]] return found ? static_cast<uint32_t>(slot & rank_mask_) : kNoId;
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  uint32_t of_wide(uint32_t left, uint32_t right) const;

  bool packed_;                   // ids and rank together fit into a slot
  unsigned id_bits_ = 1, rank_bits_ = 1, shift_ = 0, filter_shift_ = 0;
  size_t mask_ = 0;
  uint64_t rank_mask_ = 0;
  std::vector<uint64_t> slots_;   // left id, right id, rank; a power of two of them, and one that stays empty
  std::vector<uint64_t> maybe_;   // a bit a hash, unset for most pairs that do not merge: these never leave the nearest cache
  std::unordered_map<uint64_t, uint32_t> wide_;  // else
};

}  // namespace bpe
