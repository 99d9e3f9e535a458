// Distinct pre-tokens and how often each occurs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "key.hpp"
#include "scanner.hpp"

namespace bpe {

struct Text {
  const uint8_t* data;
  size_t size;
};

// Adds without wrapping: a count that would pass 2^64 - 1 stays there.
inline uint64_t saturating_add(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum < a ? UINT64_MAX : sum;
}

// Open addressing with linear probing. Words of up to 15 bytes, nearly all of them, live in their slot, so that counting
// one costs a single cache line; longer ones live in an arena, blocks of which never move.
class WordCounts {
 public:
  WordCounts() : slots_(kFirstSlots) {}

  // `readable` bytes from word.data() on may be read.
  void add(std::string_view word, uint64_t count, size_t readable = 0) {
    if (word.size() <= ShortKey::kMaxBytes) add_short(ShortKey::of(word, readable), count);
    else add_long(word, count);
  }

  void merge(const WordCounts& other);
  void count_text(Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end);

  size_t size() const { return used_ + long_used_; }
  uint64_t total() const;
  bool saturated() const;

  // Calls visit(word, count) in no particular order. The words stay where they are until something is added.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const Slot& slot : slots_)
      if (slot.key.high != 0) visit(slot.key.view(), slot.count);
    for (const LongSlot& slot : long_slots_)
      if (slot.size) visit(std::string_view(slot.data, slot.size), slot.count);
  }

 private:
  class Waiting;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr size_t kBlock = 1 << 20;

  struct Slot {
    ShortKey key;
    uint64_t count = 0;
  };
  struct LongSlot {
    const char* data = nullptr;
    size_t size = 0;
    uint64_t hash = 0, count = 0;
  };

  static uint64_t hash_long(std::string_view word);

  void add_short(ShortKey key, uint64_t count) { add_short(key, key.hash(), count); }
  void add_short(ShortKey key, uint64_t hash, uint64_t count) {
    for (size_t i = hash;; ++i) {
      Slot& slot = slots_[i & (slots_.size() - 1)];
      if (slot.key == key) {
        slot.count = saturating_add(slot.count, count);
        return;
      }
      if (slot.key.high == 0) {
        slot = {key, count};
        if (++used_ * 4 > slots_.size() * 3) grow();
        return;
      }
    }
  }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)], 1); }
  void add_long(std::string_view word, uint64_t count);
  void grow();
  void grow_long();
  const char* store(std::string_view word);

  std::vector<Slot> slots_;
  size_t used_ = 0;
  std::vector<LongSlot> long_slots_;
  size_t long_used_ = 0;
  std::vector<std::vector<char>> blocks_;
};

// Counts the pre-tokens of texts, each scanned as a whole: how they are cut for threads does not show in the counts.
void count_texts(WordCounts& into, Pattern pattern, const std::vector<Text>& texts, int num_threads);

// The same for the pre-tokens that begin in [begin, stop) of a text that goes on to `end`; both ends are safe cuts.
void count_range(WordCounts& into, Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end,
                 int num_threads);

}  // namespace bpe
