// Texts that lie in arrays.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace bpe {

// Text i is bytes[offsets[i]] to bytes[offsets[i + 1]].
struct Column {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> offsets{0};
};

// UTF-8 of `count` rows of `width` code points, each of which ends before the zeros at its end. None if a row holds
// what is no character: a surrogate, or a number beyond Unicode.
inline std::optional<Column> utf8_of_rows(const uint32_t* rows, size_t count, size_t width) {
  Column column;
  column.bytes.reserve(count * width);
  column.offsets.reserve(count + 1);
  const auto put = [&](uint32_t byte) { column.bytes.push_back(static_cast<uint8_t>(byte)); };
  for (const uint32_t* row = rows; row < rows + count * width; row += width) {
    size_t size = width;
    while (size && !row[size - 1]) --size;
    for (size_t i = 0; i < size; ++i) {
      const uint32_t cp = row[i];
      if (cp < 0x80) {
        put(cp);
      } else if (cp < 0x800) {
        put(0xC0 | cp >> 6), put(0x80 | (cp & 0x3F));
      } else if (cp < 0x10000) {
        if (cp >= 0xD800 && cp < 0xE000) return std::nullopt;
        put(0xE0 | cp >> 12), put(0x80 | (cp >> 6 & 0x3F)), put(0x80 | (cp & 0x3F));
      } else {
        if (cp > 0x10FFFF) return std::nullopt;
        put(0xF0 | cp >> 18), put(0x80 | (cp >> 12 & 0x3F)), put(0x80 | (cp >> 6 & 0x3F)), put(0x80 | (cp & 0x3F));
      }
    }
    column.offsets.push_back(static_cast<int64_t>(column.bytes.size()));
  }
  return column;
}

}  // namespace bpe
