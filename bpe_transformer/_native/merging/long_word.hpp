// Merges words of many symbols in time that grows with their number.
#pragma once

#include <cstdint>
#include <vector>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/claims.hpp"
#include "merging/ranks.hpp"
#include "merging/symbols.hpp"

namespace bpe {

// Appends the ids of a word of up to UINT32_MAX bytes that is split into `symbols`; `claims`: known, or null. False,
// and nothing done, for a word that this is not made for. Throws UnknownCharacter.
bool merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders,
                     const Claims* claims, Symbols::Parts symbols, IdBuffer& out);

}  // namespace bpe
