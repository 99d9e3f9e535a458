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
    const uint64_t key = uint64_t{left} << kIdBits | right, bit = key * kMix >> kMixed & bits_;
    if (!(maybe_[bit >> 6] >> (bit & 63) & 1)) return kNoId;
    for (size_t i = bit >> 2;; i = (i + 1) & (bits_ >> 2)) {
      const uint64_t slot = slots_[i];
      if (slot >> kRankBits == key) return static_cast<uint32_t>(slot & kRankMask);
      if (slot == kEmpty) return kNoId;
    }
  }

 private:
  // left id, right id and rank together are a slot
  static constexpr unsigned kIdBits = 21, kRankBits = 22;
  static constexpr uint64_t kRankMask = (uint64_t{1} << kRankBits) - 1, kEmpty = UINT64_MAX;
  static constexpr uint64_t kMix = 0x9E3779B97F4A7C15ull;
  static constexpr unsigned kMixed = 30;  // the bits from there on are well mixed
  uint32_t of_wide(uint32_t left, uint32_t right) const;

  bool packed_;                   // whether ids and ranks are small enough for that
  uint64_t bits_ = 0;             // four a slot, and one less
  std::vector<uint64_t> slots_;   // a power of two of them
  std::vector<uint64_t> maybe_;   // a bit a hash, unset for most pairs that do not merge: these never leave the nearest cache
  std::unordered_map<uint64_t, uint32_t> wide_;  // else
};

}  // namespace bpe
