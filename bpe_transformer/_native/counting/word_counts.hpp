// Counts of words: a hash table from distinct pre-tokens to how often each occurs.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "base/key.hpp"
#include "base/memory.hpp"
#include "counting/weight.hpp"
#include "splitting/scanner.hpp"
#include "text/text.hpp"

namespace bpe {

class WordCounts;

// Thrown for a word that is longer than a table takes.
struct WordTooLong : std::runtime_error {
  static constexpr size_t kNoText = SIZE_MAX;
  WordTooLong(const char* data, size_t size) : std::runtime_error("a word is too long"), data(data), size(size) {}
  const char* data;       // where it begins, while what is counted lives
  size_t size;            // at least so many bytes
  size_t text = kNoText;  // number of the text, if there are several
  size_t position = 0;    // byte in it
};

// Takes the words of tables that may not grow further.
class WordCountsSink {
 public:
  virtual ~WordCountsSink() = default;
  virtual void write(const WordCounts& words) = 0;  // from any thread
};

// Open addressing with linear probing. Words of up to 15 bytes, nearly all of them, are stored in their slot, so that
// counting one touches a single cache line; longer ones are stored in an arena whose blocks never move.
class WordCounts {
 public:
  WordCounts() : slots_(kFirstSlots), mask_(kFirstSlots - 1) {}

  // `readable` bytes from word.data() on may be read.
  void add(std::string_view word, uint64_t count, size_t readable = 0) {
    if (word.size() <= ShortKey::kMaxBytes) add_short(ShortKey::of(word, readable), count);
    else add_long(word, count);
  }

  void merge(const WordCounts& other);
  void add_words(const std::vector<Text>& words, const uint64_t* counts, uint64_t min_count, Dropped& dropped);
  WordCounts weighted(Weight weight, uint64_t min_count, Dropped& dropped) const;

  // Instead of growing past `bytes`, the table writes its words to `sink` and becomes empty.
  void spill_to(WordCountsSink* sink, size_t bytes);
  void set_longest(size_t bytes) { longest_ = bytes; }  // of a word; add() throws WordTooLong for others
  void clear();
  void reserve(size_t words);
  size_t memory() const;
  size_t word_bytes() const;  // of all distinct words
  size_t limit() const { return limit_; }

  // Counts the pre-tokens of texts of UTF-8, and adds to `bytes` what was counted, also if a split of the caller's
  // throws. Where all of them lie in one piece of memory, `memory_end` is its end, otherwise null.
  void count_texts(const Pattern& pattern, const Text* first, const Text* last, const uint8_t* memory_end,
                   uint64_t& bytes);

  size_t size() const { return used_ + long_used_; }
  uint64_t total() const;
  bool saturated() const;

  // Calls visit(word, count) in no particular order. The words stay valid until something is added.
  template <class Visit>
  void each(Visit&& visit) const {
    for (size_t i = 0; i <= mask_; ++i)
      if (slots_[i].key.high != 0) visit(slots_[i].key.view(), slots_[i].count);
    for (const LongSlot& slot : long_slots_)
      if (slot.size) visit(std::string_view(slot.data, slot.size), slot.count);
  }

 private:
  class ShortWords;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr size_t kBlock = 1 << 20;
  static constexpr size_t kFirstLongSlots = 256;

  struct Slot {
    ShortKey key{};
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
      Slot& slot = slots_[i & mask_];
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
  void add_long(std::string_view word, uint64_t count);
  void grow();
  void grow_long();
  void rehash(size_t size);
  void rehash_long(size_t size);
  bool spills(size_t growth);
  const char* store(std::string_view word);

  ZeroedArray<Slot, 64> slots_;
  size_t mask_;  // one less than their number
  size_t used_ = 0;
  std::vector<LongSlot> long_slots_;
  size_t long_used_ = 0;
  std::vector<std::vector<char>> blocks_;
  size_t block_bytes_ = 0;
  WordCountsSink* sink_ = nullptr;
  size_t limit_ = 0;
  size_t longest_ = SIZE_MAX;
};

}  // namespace bpe
