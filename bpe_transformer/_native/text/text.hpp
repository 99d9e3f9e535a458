// A text as it lies in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpe {

struct Text {
  const uint8_t* data;
  size_t size;
};

}  // namespace bpe
