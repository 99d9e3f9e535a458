// The numbers of the tokens of a vocabulary, found by their bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/key.hpp"

namespace bpe {

// A table with open addressing, at most half full. The bytes of the tokens have to outlive it.
class TokenTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit TokenTable(size_t most_tokens) {
    size_t capacity = 1024;
    while (capacity < 2 * most_tokens) capacity *= 2;
    slots_.assign(capacity, {0, kNone});
    tokens_.reserve(most_tokens);
  }

  // Gives a token the next number; false if it has one already.
  bool add(std::string_view token) {
    const uint64_t hash = hash_of(token);
    Slot& slot = slots_[place(hash, token)];
    if (slot.number != kNone) return false;
    slot = {static_cast<uint32_t>(hash), static_cast<uint32_t>(tokens_.size())};
    tokens_.push_back(token);
    return true;
  }
  // The number of a token, or kNone.
  uint32_t find(std::string_view token) const { return slots_[place(hash_of(token), token)].number; }

 private:
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
  // The slot of a token, or the free one where it would be.
  size_t place(uint64_t hash, std::string_view token) const {
    const size_t last = slots_.size() - 1;
    for (size_t at = static_cast<size_t>(hash >> 32) & last;; at = (at + 1) & last) {
      const Slot& slot = slots_[at];
      if (slot.number == kNone || (slot.tag == static_cast<uint32_t>(hash) && tokens_[slot.number] == token)) return at;
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> tokens_;  // by number
};

}  // namespace bpe
