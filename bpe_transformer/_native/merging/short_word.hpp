// Merges words of up to a window of symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "merging/merge_window.hpp"
#include "merging/ranks.hpp"
#include "simd/find_least.hpp"

namespace bpe {

inline constexpr size_t kShortWord = 24, kOneWindow = 64;  // symbols

// Merges up to kShortWord symbols in place; returns how many are left. Quadratic, and the fastest for ordinary words.
inline size_t merge_short(const Ranks& all_ranks, const std::vector<uint32_t>& merged_ids, uint32_t* id, size_t n) {
  uint32_t ranks[kShortWord];  // of each symbol with the next
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = all_ranks.of(id[i], id[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == kNoId) break;
    id[best] = merged_ids[ranks[best]];
    --n;
    for (size_t i = best + 1; i < n; ++i) id[i] = id[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (best > 0) ranks[best - 1] = all_ranks.of(id[best - 1], id[best]);
    if (best + 1 < n) ranks[best] = all_ranks.of(id[best], id[best + 1]);
  }
  return n;
}

// The same for up to kOneWindow symbols.
inline size_t merge_in_window(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, uint32_t* id, size_t n) {
  MergeWindow<kOneWindow> window;
  window.load(ranks, id, n);
  const simd::FindLeast find = simd::find_least();
  while (window.step(ranks, merged_ids, find)) {}
  uint32_t* to = id;
  for (size_t symbol = 0; symbol < n; symbol = window.next(symbol)) *to++ = window.id(symbol);
  return static_cast<size_t>(to - id);
}

}  // namespace bpe
