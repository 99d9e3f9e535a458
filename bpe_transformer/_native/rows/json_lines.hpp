// Lines of JSON objects: the texts in them, one line after another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rows/row_texts.hpp"

namespace bpe {

// Reads the texts of whole lines of UTF-8, each an object of JSON or blank: the values of `columns` row by row, or with
// no columns all values that are text. False for anything but that, such as a value that is no text, a key that occurs
// twice, or what is not JSON; a slower reader then says what is wrong. `texts` then holds what came before. Its
// memory has to be as large as the lines.
bool read_json_texts(std::string_view lines, const std::vector<std::string>& columns, RowTexts& texts);

}  // namespace bpe
