// Merges words of many symbols in linear time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/claims.hpp"
#include "merging/ranks.hpp"
#include "merging/symbols.hpp"

namespace bpe {

// Appends the ids of a word of up to UINT32_MAX bytes, read from `symbols`. `claims` is known or null. Returns false,
// and appends nothing, if the word needs another algorithm. Throws UnknownCharacter.
bool merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders,
                     const Claims* claims, Symbols::Reader symbols, IdBuffer& out);

}  // namespace bpe
