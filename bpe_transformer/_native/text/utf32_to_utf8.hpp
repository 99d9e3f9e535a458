// Rows of UTF-32, as NumPy stores strings, turned into UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "text/append_utf8.hpp"

namespace bpe {

// Text i is bytes[row_starts[i]] to bytes[row_starts[i + 1]].
struct Utf8Rows {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> row_starts{0};
};

// `count` rows of `width` code points; zeros at the end of a row do not belong to it. Empty if a row holds a surrogate
// or a number beyond Unicode.
inline std::optional<Utf8Rows> utf32_to_utf8(const uint32_t* rows, size_t count, size_t width) {
  Utf8Rows texts;
  texts.bytes.reserve(count * width);
  texts.row_starts.reserve(count + 1);
  for (const uint32_t* row = rows; row < rows + count * width; row += width) {
    size_t size = width;
    while (size && !row[size - 1]) --size;
    for (size_t i = 0; i < size; ++i) {
      const uint32_t cp = row[i];
      if ((cp >= 0xD800 && cp < 0xE000) || cp > 0x10FFFF) return std::nullopt;
      append_utf8(cp, texts.bytes);
    }
    texts.row_starts.push_back(static_cast<int64_t>(texts.bytes.size()));
  }
  return texts;
}

}  // namespace bpe
