// A text in memory: bytes that need not be UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpe {

struct Text {
  const uint8_t* data;
  size_t size;
};

}  // namespace bpe
