// Merges words of many symbols in time that grows with their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ranks.hpp"

namespace bpe {

// Merges ids[0] to ids[n - 1] in place. The number of ids that are left; 0, and nothing done, for a word that this is not made for.
size_t merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& made, uint32_t* ids, size_t n);

}  // namespace bpe
