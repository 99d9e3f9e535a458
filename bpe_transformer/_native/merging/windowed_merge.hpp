// Merges any number of symbols in time that grows with it, window by window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// What repeats itself after so many symbols is merged but once.
inline constexpr size_t kStretchStride = 48;

// Appends some symbols; false if there are none left.
using MoreSymbols = std::function<bool(IdBuffer& out)>;

// Appends the ids of up to UINT32_MAX symbols that nothing merges with; false, and nothing done, for such as this is
// not made for.
bool merge_stretch(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders,
                   const MoreSymbols& more, IdBuffer& out);

}  // namespace bpe
