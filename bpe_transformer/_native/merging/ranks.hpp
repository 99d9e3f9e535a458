// The rank of the merge of two ids: a hash table with a filter in front, since most pairs do not merge.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "merging/alphabet.hpp"

namespace bpe {

struct Merge {
  uint32_t left, right, merged_id;
};

class Ranks {
 public:
  // A slot packs left id, right id and rank into 64 bits.
  static constexpr unsigned kIdBits = 21, kRankBits = 22;
  static constexpr uint64_t kRankMask = (uint64_t{1} << kRankBits) - 1, kEmpty = UINT64_MAX;
  // A pair's hash. Only 32 bits, so that vector code computes sixteen at once; the upper bits are mixed best.
  static constexpr uint32_t kMixLeft = 0x91B086FB, kMixRight = 0x9E3779B1;
  static uint32_t hash(uint32_t left, uint32_t right) { return left * kMixLeft + right * kMixRight; }
  static constexpr unsigned kSecond = 5;  // the five bits from here choose the second bit in the filter
  static uint32_t both_bits(uint32_t mixed, uint32_t bit) {
    return uint32_t{1} << (bit & 31) | uint32_t{1} << (mixed >> kSecond & 31);
  }
  Ranks(const std::vector<Merge>& merges, uint32_t most);  // `most`: the largest id that of() may be called with

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

  bool packed_;                                  // whether ids and ranks are small enough for packed slots
  uint32_t last_ = 0;                            // slot
  unsigned shift_ = 0;                           // from a hash to a bit of the filter, which has four for each slot
  std::vector<uint64_t> slots_;                  // a power of two
  std::vector<uint32_t> maybe_;                  // the filter: two bits a pair, small enough for a core's cache
  std::unordered_map<uint64_t, uint32_t> wide_;  // if not packed
};

}  // namespace bpe
