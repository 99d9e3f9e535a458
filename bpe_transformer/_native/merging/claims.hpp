// The competition for symbols: by which other merges, and at which ranks, each of two neighbours may be taken before
// the two can merge. Decides which merges are certain whatever else a word holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// The claims on two neighbouring symbols, packed into 28 bits: the rank of their merge; the lowest rank of a merge of
// the right one with a longer token that ends with the left one; and the lowest rank of a merge of the left one with a
// longer token that begins with the right one. The last two are rounded down to one of 31 levels, which loses about one
// certain merge in a hundred.
namespace claim {

inline constexpr unsigned kBits = 28, kRankBits = 18, kLevelBits = 5, kRight = kLevelBits, kRank = 2 * kLevelBits;
inline constexpr uint32_t kNever = (1 << kLevelBits) - 1, kNoRank = (1 << kRankBits) - 1;
inline constexpr uint32_t kNone = (1 << kBits) - 1,
                          kUnknown = 0;  // no claims; unknown claims, which may have the lowest ranks
inline uint32_t rank(uint32_t claim) { return claim >> kRank; }           // kNoRank if they do not merge
inline uint32_t level_of_left(uint32_t claim) { return claim & kNever; }  // kNever if there is none
inline uint32_t level_of_right(uint32_t claim) { return claim >> kRight & kNever; }

}  // namespace claim

// For merges whose borders are known (see Borders).
class Claims {
 public:
  // A slot of the hash table: both ids, then their claims.
  static constexpr unsigned kIdBits = 18;
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Table {
    const uint64_t* slots;       // open addressing with linear probing
    const uint32_t* maybe;       // the filter, as in Ranks
    const uint32_t* levels;      // the rank of each level; claim::kNoRank for claim::kNever
    const uint32_t* merged_ids;  // by rank
    uint32_t first_merged_id;    // if rank r always makes id first_merged_id + r, else kNoId
    uint32_t last;               // slot
    unsigned shift;              // as in Ranks
  };
  static uint64_t key(uint32_t left, uint32_t right) { return uint64_t{left} << kIdBits | right; }
  static size_t place(uint32_t bit) { return bit >> 2 & ~size_t{1}; }  // even: two slots lie in one cache line

  Claims(const std::vector<uint32_t>& merged_ids, const Borders& borders);

  bool known() const { return slots_.size() > 0; }  // false if there are too many pairs, or ids are too large
  Table table() const {
    return {slots_.data(),
            maybe_.data(),
            levels_.data(),
            merged_ids_.data(),
            first_merged_id_,
            static_cast<uint32_t>(slots_.size() - 1),
            shift_};
  }

 private:
  void add(size_t place, uint64_t slot, uint64_t field);

  const std::vector<uint32_t>& merged_ids_;
  uint32_t first_merged_id_ = kNoId;
  unsigned shift_ = 0;
  std::array<uint32_t, claim::kNever + 1> levels_;
  ZeroedArray<uint64_t, 64> slots_;  // a power of two of them
  ZeroedArray<uint32_t, 64> maybe_;
};

}  // namespace bpe
