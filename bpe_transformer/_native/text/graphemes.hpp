// Graphemes: what a reader sees as one character (Unicode Standard Annex 29, extended grapheme clusters).
#pragma once

#include <cstdint>

namespace bpe {

// The end of the grapheme that begins at p (p < end), where one begins.
const uint8_t* grapheme_end(const uint8_t* p, const uint8_t* end);

}  // namespace bpe
