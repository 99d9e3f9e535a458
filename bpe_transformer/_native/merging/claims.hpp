// What may take a symbol of a word from its neighbour, and at which rank: what decides whether a merge is sure to be
// made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// The claims on two neighbouring symbols, in the lower 28 bits: the rank of their merge; the lowest rank of a merge of
// the right one with something longer that ends with the left one; and that of the left one with something longer that
// begins with the right one. The last two are rounded down to one of 31 levels, which costs one sure merge in a
// hundred.
namespace claim {

inline constexpr unsigned kBits = 28, kRankBits = 18, kLevelBits = 5, kRight = kLevelBits, kRank = 2 * kLevelBits;
inline constexpr uint32_t kNever = (1 << kLevelBits) - 1, kNoRank = (1 << kRankBits) - 1;
inline constexpr uint32_t kNone = (1 << kBits) - 1, kUnknown = 0;         // none at all; any, of the lowest ranks
inline uint32_t rank(uint32_t claim) { return claim >> kRank; }           // kNoRank if they do not merge
inline uint32_t level_of_left(uint32_t claim) { return claim & kNever; }  // kNever if there is none
inline uint32_t level_of_right(uint32_t claim) { return claim >> kRight & kNever; }

}  // namespace claim

// For merges whose borders are known (see Borders).
class Claims {
 public:
  // A slot: both ids and the claims on them.
  static constexpr unsigned kIdBits = 18;
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Table {
    const uint64_t*
        slots;  // a pair lies at its hash's place or after it, the last before the first, before the next empty one
    const uint32_t* maybe;   // as in Ranks
    const uint32_t* levels;  // ranks; that of claim::kNever is claim::kNoRank
    const uint32_t* made;    // by rank
    uint32_t first_made;     // if a merge makes its rank and this, else kNoId
    uint32_t last;           // slot
    unsigned shift;          // as in Ranks
  };
  static uint64_t key(uint32_t left, uint32_t right) { return uint64_t{left} << kIdBits | right; }
  static size_t place(uint32_t bit) { return bit >> 2 & ~size_t{1}; }  // even: two slots lie in one cache line

  Claims(const std::vector<uint32_t>& made, const Borders& borders);

  bool known() const { return slots_.size() > 0; }  // else there are too many, or ids are too large
  Table table() const {
    return {slots_.data(), maybe_.data(), levels_.data(),
            made_.data(),  first_made_,   static_cast<uint32_t>(slots_.size() - 1),
            shift_};
  }

 private:
  void add(size_t place, uint64_t slot, uint64_t field);

  const std::vector<uint32_t>& made_;
  uint32_t first_made_ = kNoId;
  unsigned shift_ = 0;
  std::array<uint32_t, claim::kNever + 1> levels_;
  ZeroedArray<uint64_t, 64> slots_;  // a power of two of them
  ZeroedArray<uint32_t, 64> maybe_;
};

}  // namespace bpe
