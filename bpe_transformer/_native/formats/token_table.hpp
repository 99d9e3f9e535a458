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
    slots_.assign(capacity, {0, kNone});
    tokens_.reserve(most_tokens);
  }

  // Gives a token the next number; false if it has one already, or too many others lie in its way.
  bool add(std::string_view token) {
    const uint64_t hash = hash_of(token);
    const size_t at = place(hash, token);
    if (at == kNowhere || slots_[at].number != kNone) return false;
    slots_[at] = {static_cast<uint32_t>(hash), static_cast<uint32_t>(tokens_.size())};
    tokens_.push_back(token);
    return true;
  }
  // The number of a token, or kNone.
  uint32_t find(std::string_view token) const {
    const size_t at = place(hash_of(token), token);
    return at == kNowhere ? kNone : slots_[at].number;
  }

 private:
  static constexpr size_t kMostProbes = 512;  // half full, chains of 100 are rare
  static constexpr size_t kNowhere = SIZE_MAX;

  struct Slot {
    uint32_t tag, number;  // the lower half of the hash
  };

  static uint64_t hash_of(std::string_view token) {
    uint64_t hash = token.size();
    const char* p = token.data();
    size_t left = token.size();
    for (; left > 8; left -= 8, p += 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      hash = ShortKey::mix(hash, word);
    }
    uint64_t word = 0;
    std::memcpy(&word, p, left);
    return ShortKey::mix(hash, word);
  }
  // The slot of a token, or the free one where it would be, or kNowhere.
  size_t place(uint64_t hash, std::string_view token) const {
    const size_t last = slots_.size() - 1;
    const size_t home = static_cast<size_t>(hash >> 32);
    for (size_t probe = 0; probe < kMostProbes; ++probe) {
      const size_t at = (home + probe) & last;
      const Slot& slot = slots_[at];
      if (slot.number == kNone || (slot.tag == static_cast<uint32_t>(hash) && tokens_[slot.number] == token)) return at;
    }
    return kNowhere;
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> tokens_;  // by number
};

}  // namespace bpe
