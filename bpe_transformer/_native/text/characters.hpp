// Spans of a text in characters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "text/text.hpp"

namespace bpe {

// Turns `count` spans in bytes, in the order of the text, into spans in characters: of all characters that they touch.
// A byte that is not UTF-8 counts as a character. Returns the text's number of characters.
int64_t to_characters(Text text, int64_t* spans, size_t count);

}  // namespace bpe
