// The numbers of the tokens of a vocabulary, found by their bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/key.hpp"

namespace bpe {

// A table with open addressing, at most half full. The bytes of the tokens have to outlive it. Its hash has no seed,
// so that tokens may be chosen to meet in it: what would lie more than kMostProbes slots away is not
// added, and the caller leaves the file to a table of another kind.
class TokenTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit TokenTable(size_t most_tokens) {
    size_t capacity = 1024;
    while (capacity < 2 * most_tokens) capacity *= 2;
    slots_.assign(capacity, {});
    tokens_.reserve(most_tokens);
  }

  // A token to look for, whose slot can be fetched from memory meanwhile.
  struct Sought {
    std::string_view token;
    uint64_t key, hash;  // the token itself if it has up to 8 bytes, else their hash
  };
  static Sought sought(std::string_view token) {
    const uint64_t key = token.size() <= 8 ? few_bytes(token) : hash_of(token);
    return {token, key, ShortKey::mix(key, token.size())};
  }
  void prefetch(const Sought& sought) const { __builtin_prefetch(&slots_[home(sought)]); }

  // Gives a token the next number; false if it has one already, or too many others lie in its way.
  bool add(const Sought& sought) {
    const size_t at = place(sought);
    if (at == kNowhere || slots_[at].number != kNone) return false;
    slots_[at] = {sought.key, static_cast<uint32_t>(tokens_.size()), static_cast<uint32_t>(sought.token.size())};
    tokens_.push_back(sought.token);
    return true;
  }
  // The number of a token, or kNone.
  uint32_t find(const Sought& sought) const {
    const size_t at = place(sought);
    return at == kNowhere ? kNone : slots_[at].number;
  }
  // The token of a number; empty if there is none.
  std::string_view token(size_t number) const { return number < tokens_.size() ? tokens_[number] : std::string_view(); }

 private:
  static constexpr size_t kMostProbes = 512;  // half full, chains of 100 are rare
  static constexpr size_t kNowhere = SIZE_MAX;

  struct Slot {
    uint64_t key = 0;
    uint32_t number = kNone, size = 0;
  };

  static uint64_t few_bytes(std::string_view token) {
    const auto load = [&]<class Word>(Word, size_t at) {
      Word word;
      std::memcpy(&word, token.data() + at, sizeof word);
      return uint64_t{word};
    };
    const size_t n = token.size();
    if (n == 8) return load(uint64_t{}, 0);
    if (n >= 4) return load(uint32_t{}, 0) | load(uint32_t{}, n - 4) << (8 * (n - 4));
    if (n >= 2) return load(uint16_t{}, 0) | load(uint16_t{}, n - 2) << (8 * (n - 2));
    return n ? load(uint8_t{}, 0) : 0;
  }
  static uint64_t hash_of(std::string_view token) {
    uint64_t hash = token.size();
    for (; token.size() > 8; token.remove_prefix(8)) hash = ShortKey::mix(hash, few_bytes(token.substr(0, 8)));
    return ShortKey::mix(hash, few_bytes(token));
  }
  size_t home(const Sought& sought) const { return static_cast<size_t>(sought.hash >> 32) & (slots_.size() - 1); }
  // The slot of a token, or the free one where it would be, or kNowhere.
  size_t place(const Sought& sought) const {
    const size_t last = slots_.size() - 1, first = home(sought);
    for (size_t probe = 0; probe < kMostProbes; ++probe) {
      const size_t at = (first + probe) & last;
      const Slot& slot = slots_[at];
      if (slot.number == kNone) return at;
      if (slot.key == sought.key && slot.size == static_cast<uint32_t>(sought.token.size()) &&
          (slot.size <= 8 || tokens_[slot.number] == sought.token))
        return at;
    }
    return kNowhere;
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> tokens_;  // by number
};

}  // namespace bpe
