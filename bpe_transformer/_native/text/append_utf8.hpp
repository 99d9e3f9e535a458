// A code point written as UTF-8.
#pragma once

#include <cstdint>

namespace bpe {

// Appends the one to four bytes of `code` to a string or a vector of bytes.
template <class Bytes>
void append_utf8(uint32_t code, Bytes& out) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<Bytes::value_type>(byte)); };
  const auto continuation = [&](unsigned shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), continuation(0);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), continuation(6), continuation(0);
  } else {
    put(0xF0 | code >> 18), continuation(12), continuation(6), continuation(0);
  }
}

}  // namespace bpe
