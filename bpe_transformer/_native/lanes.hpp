// Windows of a long word that are merged side by side, one merge of each at a time: for processors that have such vectors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ranks.hpp"

namespace bpe {

// A lane is a column of a vector. A window's symbols have the places 1 to kSymbols, between two borders that merge with nothing;
// place p lies in row p + 1, and row 0 stands for no place.
struct Lanes {
  static constexpr size_t kLanes = 32, kSymbols = 62;
  static constexpr unsigned kPlaceBits = 6;
  static constexpr uint32_t kBorder = Ranks::kNever;

  Lanes();
  // A window of `size` symbols for a lane that has nothing to merge; `key` as LaneKernel::keys gives them.
  void load(size_t lane, const uint32_t* ids, const uint32_t* key, size_t size);
  uint32_t idle_lanes() const { return idle[0] | uint32_t{idle[1]} << kWidth; }
  // The symbols that a window began with, a bit each, that a token begins with; and the token there.
  uint64_t starts(size_t lane) const { return (left[lane] >> 1) & ~(uint64_t{1} << kSymbols); }
  const uint32_t* ids(size_t lane) const { return &id[lane / kWidth][2][lane % kWidth]; }  // kWidth apart

  static constexpr size_t kWidth = 16, kGroups = kLanes / kWidth, kRows = kSymbols + 3;
  uint16_t idle[kGroups];                            // a bit for each lane that had no merge
  alignas(64) uint64_t left[kLanes];                 // the places that are left, a bit each
  alignas(64) uint32_t id[kGroups][kRows][kWidth];   // of a place that is left
  alignas(64) uint32_t key[kGroups][kRows][kWidth];  // the rank of its merge with the next, then the place; kNoId if there is none
};

namespace simd {

struct LaneKernel {
  // For each of n symbols the rank of its merge with the next, without a place; may write kSlack more.
  void (*keys)(const Ranks::Table& table, const uint32_t* ids, size_t n, uint32_t* key);
  static constexpr size_t kSlack = 16;
  // One merge in each lane, the lowest, the leftmost of these; sets lanes.idle.
  void (*step)(const Ranks::Table& table, const uint32_t* made, Lanes& lanes);
};
const LaneKernel* lanes();  // null where they would be of no use

}  // namespace simd
}  // namespace bpe
