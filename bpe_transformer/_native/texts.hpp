// Texts as they lie in memory: one, or a column of them as Arrow has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace bpe {

struct Text {
  const uint8_t* data;
  size_t size;
};

// The values of an Arrow string array without nulls: value i is data[offsets[i], offsets[i + 1]).
// Throws std::out_of_range for offsets that leave the data.
template <class Offset>
std::vector<Text> column_texts(const Offset* offsets, size_t count, const uint8_t* data, size_t size) {
  std::vector<Text> texts;
  texts.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (offsets[i] < 0 || offsets[i + 1] < offsets[i] || static_cast<uint64_t>(offsets[i + 1]) > size)
      throw std::out_of_range("a string array's offsets do not fit its data");
    texts.push_back({data + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])});
  }
  return texts;
}

}  // namespace bpe
