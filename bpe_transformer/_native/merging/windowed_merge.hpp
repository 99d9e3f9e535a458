// Merges any number of symbols in linear time, with overlapping windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// Symbols from one window's beginning to the next. A text whose period divides it has equal windows, which are merged
// only once.
inline constexpr size_t kWindowStride = 48;

// Appends the next symbols; false at the end.
using MoreSymbols = std::function<bool(IdBuffer& out)>;

// Appends the ids of up to UINT32_MAX symbols. Returns false, and appends nothing, if they need another algorithm.
bool merge_by_windows(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders,
                      const MoreSymbols& more, IdBuffer& out);

}  // namespace bpe
