// GPT-2's names of bytes: each is a printable character ("bytes_to_unicode" in its encoder.py). Splits that come after
// a byte-level step see these names in place of the text.
#pragma once

#include <array>
#include <cstdint>

namespace bpe::compiled {

struct ByteNames {
  std::array<uint16_t, 256> of{};  // the code point of each byte's name
  constexpr ByteNames() {
    uint16_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool prints = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
      of[byte] = prints ? static_cast<uint16_t>(byte) : next++;
    }
  }
};
inline constexpr ByteNames kByteNames;

}  // namespace bpe::compiled
