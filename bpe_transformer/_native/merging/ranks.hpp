// The rank of two ids' merge. Most pairs have none.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "merging/alphabet.hpp"

namespace bpe {

struct Merge {
  uint32_t left, right, made;
};

class Ranks {
 public:
  // left id, right id and rank together are a slot
  static constexpr unsigned kIdBits = 21, kRankBits = 22;
  static constexpr uint64_t kRankMask = (uint64_t{1} << kRankBits) - 1, kEmpty = UINT64_MAX;
  // A pair's hash: of 32 bits, the upper ones better mixed, so that sixteen can be had at once.
  static constexpr uint32_t kMixLeft = 0x91B086FB, kMixRight = 0x9E3779B1;
  static uint32_t hash(uint32_t left, uint32_t right) { return left * kMixLeft + right * kMixRight; }
  static constexpr unsigned kSecond = 5;  // the five bits of it from there on choose the second of two bits
  static uint32_t both_bits(uint32_t mixed, uint32_t bit) {
    return uint32_t{1} << (bit & 31) | uint32_t{1} << (mixed >> kSecond & 31);
  }
  Ranks(const std::vector<Merge>& merges, uint32_t most);  // the greatest id that may be asked for

  // kNoId if the two do not merge.
  uint32_t of(uint32_t left, uint32_t right) const {
    if (!packed_) return of_wide(left, right);
    const uint32_t mixed = hash(left, right), bit = mixed >> shift_;
    if (const uint32_t both = both_bits(mixed, bit); (maybe_[bit >> 5] & both) != both) return kNoId;
    const uint64_t key = uint64_t{left} << kIdBits | right;
    for (size_t i = bit >> 2;; i = (i + 1) & last_) {
      const uint64_t slot = slots_[i];
      if (slot >> kRankBits == key) return static_cast<uint32_t>(slot & kRankMask);
      if (slot == kEmpty) return kNoId;
    }
  }

 private:
  uint32_t of_wide(uint32_t left, uint32_t right) const;

  bool packed_;                  // whether ids and ranks are small enough for that
  uint32_t last_ = 0;            // slot
  unsigned shift_ = 0;           // of a hash, to the number of a bit: four a slot
  std::vector<uint64_t> slots_;  // a power of two of them
  std::vector<uint32_t>
      maybe_;  // two bits a pair, not both set for most that do not merge: these never leave the nearer caches
  std::unordered_map<uint64_t, uint32_t> wide_;  // else
};

}  // namespace bpe
