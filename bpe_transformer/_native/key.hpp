// Short words as two integers: equal words, equal keys. What the counter and the encoder's cache look up by.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bpe {

static_assert(std::endian::native == std::endian::little, "keys hold a word's bytes in memory order");

struct ShortKey {
  static constexpr size_t kMaxBytes = 15;
  uint64_t low = 0, high = 0;  // bytes 0-7; bytes 8-14 and, in the top byte, the length: never 0 for a word

  bool operator==(const ShortKey&) const = default;

  // `readable` bytes from word.data() on may be read, though only the word's own count.
  static ShortKey of(std::string_view word, size_t readable) {
    ShortKey key;
    const size_t n = word.size();
    if (readable >= 16) {
      __builtin_memcpy(&key.low, word.data(), 8);
      __builtin_memcpy(&key.high, word.data() + 8, 8);
      key.low &= n >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * n)) - 1;
      key.high &= n > 8 ? (uint64_t{1} << (8 * (n - 8))) - 1 : 0;
    } else {
      __builtin_memcpy(&key.low, word.data(), n < 8 ? n : 8);
      if (n > 8) __builtin_memcpy(&key.high, word.data() + 8, n - 8);
    }
    key.high |= uint64_t{n} << 56;
    return key;
  }

  // The word itself, read in place.
  std::string_view view() const { return {reinterpret_cast<const char*>(this), high >> 56}; }

  uint64_t hash() const { return mix(low, high); }

  static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15ull) * (b ^ 0xD6E8FEB86659FD93ull);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
};

// The same for words of up to 31 bytes.
struct LongKey {
  static constexpr size_t kMaxBytes = 31;
  uint64_t words[4] = {};  // the length in the top byte of the last

  bool operator==(const LongKey&) const = default;

  static LongKey of(std::string_view word, size_t readable) {
    LongKey key;
    const size_t n = word.size();
    if (readable >= 32) {
      __builtin_memcpy(key.words, word.data(), 32);
      for (size_t i = 0; i < 4; ++i) {
        const size_t inside = n > 8 * i ? n - 8 * i : 0;  // bytes of the word in this part
        if (inside < 8) key.words[i] &= (uint64_t{1} << (8 * inside)) - 1;
      }
    } else {
      __builtin_memcpy(key.words, word.data(), n);
    }
    key.words[3] |= uint64_t{n} << 56;
    return key;
  }

  uint64_t hash() const {
    return ShortKey::mix(ShortKey::mix(words[0], words[1]), ShortKey::mix(words[2], words[3]));
  }
};

}  // namespace bpe
