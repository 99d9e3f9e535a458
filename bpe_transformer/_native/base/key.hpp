// Short words as fixed-size integers, for fast hashing and comparison: the keys of word counts and of the encoder's
// caches.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bpe {

static_assert(std::endian::native == std::endian::little, "keys hold a word's bytes in memory order");

struct ShortKey {
  static constexpr size_t kMaxBytes = 15;
  static constexpr unsigned kFree = 4;  // top bits of `high`, 0 in every key: tables may store a number there
  uint64_t low, high;                   // bytes 0-7; bytes 8-14 and, in the top byte, the length: never 0 for a word

  bool operator==(const ShortKey&) const = default;
  // Equal apart from the number in the free bits.
  bool same(const ShortKey& other) const { return ((low ^ other.low) | (high ^ other.high) << kFree) == 0; }
  uint64_t& top() { return high; }
  uint64_t top() const { return high; }

  // `readable` bytes from word.data() on may be read; those after the word are ignored.
  static ShortKey of(std::string_view word, size_t readable) {
    ShortKey key{};
    const size_t n = word.size();
    if (readable >= 16) {
      __builtin_memcpy(&key.low, word.data(), 8);
      __builtin_memcpy(&key.high, word.data() + 8, 8);
      key.low &= kMasks.low[n];  // from a table: the processor cannot predict a word's length
      key.high &= kMasks.high[n];
    } else {
      __builtin_memcpy(&key.low, word.data(), n < 8 ? n : 8);
      if (n > 8) __builtin_memcpy(&key.high, word.data() + 8, n - 8);
    }
    key.high |= uint64_t{n} << 56;
    return key;
  }

  // The key of this word followed by `other`, if both fit.
  ShortKey with(const ShortKey& other) const {
    const unsigned n = static_cast<unsigned>(high >> 56), bits = 8 * n;
    using Wide = unsigned __int128;
    const Wide bytes = (Wide{other.high & kMasks.high[15]} << 64 | other.low) << bits;
    return {low | static_cast<uint64_t>(bytes),
            (high & kMasks.high[15]) | static_cast<uint64_t>(bytes >> 64) | (n + (other.high >> 56)) << 56};
  }

  // The word, in the key's own memory.
  std::string_view view() const { return {reinterpret_cast<const char*>(this), size()}; }
  size_t size() const { return high >> 56; }

  uint64_t hash() const { return mix(low, high); }

  struct Masks {
    uint64_t low[16] = {}, high[16] = {};
    constexpr Masks() {
      for (unsigned n = 1; n < 16; ++n) {
        low[n] = n >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * n)) - 1;
        high[n] = n > 8 ? (uint64_t{1} << (8 * (n - 8))) - 1 : 0;
      }
    }
  };
  static const Masks kMasks;

  static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product =
        static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15ull) * (b ^ 0xD6E8FEB86659FD93ull);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
};

inline constexpr ShortKey::Masks ShortKey::kMasks;

// The same for words of up to 8 * kWords - 2 bytes.
template <size_t kWords>
struct WideKey {
  static constexpr size_t kMaxBytes = 8 * kWords - 2;
  static constexpr unsigned kFree = 8;
  uint64_t words[kWords];  // the word's bytes; its length in the last byte but one

  bool same(const WideKey& other) const {
    uint64_t difference = (words[kWords - 1] ^ other.words[kWords - 1]) << kFree;
    for (size_t i = 0; i + 1 < kWords; ++i) difference |= words[i] ^ other.words[i];
    return difference == 0;
  }
  uint64_t& top() { return words[kWords - 1]; }
  uint64_t top() const { return words[kWords - 1]; }

  // `readable` bytes from word.data() on may be read; those after the word are ignored.
  static WideKey of(std::string_view word, size_t readable = 0) {
    WideKey key{};
    if (readable >= sizeof key) {
      __builtin_memcpy(key.words, word.data(), sizeof key);
      for (size_t i = 0; i < kWords; ++i) {  // by masks: the processor cannot predict a word's length
        uint64_t mask;
        __builtin_memcpy(&mask, kOnes.bytes + (sizeof key - word.size()) + 8 * i, 8);
        key.words[i] &= mask;
      }
    } else {
      __builtin_memcpy(key.words, word.data(), word.size());
    }
    key.words[kWords - 1] |= uint64_t{word.size()} << 48;
    return key;
  }

  uint64_t hash() const {
    uint64_t out = 0;
    for (size_t i = 0; i < kWords; i += 2) out = ShortKey::mix(out ^ words[i], words[i + 1]);
    return out;
  }

  struct Ones {  // a key's size of 0xFF, then as many zeros
    uint8_t bytes[16 * kWords] = {};
    constexpr Ones() {
      for (size_t i = 0; i < 8 * kWords; ++i) bytes[i] = 0xFF;
    }
  };
  static constexpr Ones kOnes{};
};
using LongKey = WideKey<4>;

}  // namespace bpe
