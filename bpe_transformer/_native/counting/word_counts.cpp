#include "counting/word_counts.hpp"

#include <algorithm>
#include <bit>

namespace bpe {

// Short words that wait for their slots to come from memory while the next words are read.
class WordCounts::PrefetchQueue {
 public:
  explicit PrefetchQueue(WordCounts& counts) : counts_(counts) {}
  void add(ShortKey key, uint64_t count) {
    const uint64_t hash = key.hash();
    counts_.prefetch(hash);
    words_[size_++] = {key, hash, count};
    if (size_ == kWords) flush();
  }
  void flush() {
    for (size_t i = 0; i < size_; ++i) counts_.add_short(words_[i].key, words_[i].hash, words_[i].count);
    size_ = 0;
  }

 private:
  static constexpr size_t kWords = 32;
  struct Word {
    ShortKey key;
    uint64_t hash, count;
  };
  WordCounts& counts_;
  Word words_[kWords];
  size_t size_ = 0;
};

uint64_t WordCounts::hash_long(std::string_view word) {
  uint64_t hash = word.size();
  size_t i = 0;
  for (; i + 8 <= word.size(); i += 8) {
    uint64_t eight;
    __builtin_memcpy(&eight, word.data() + i, 8);
    hash = ShortKey::mix(hash, eight);
  }
  uint64_t tail = 0;
  __builtin_memcpy(&tail, word.data() + i, word.size() - i);
  return ShortKey::mix(hash, tail);
}

void WordCounts::add_long(std::string_view word, uint64_t count) {
  if (word.size() > longest_) throw WordTooLong(word.data(), word.size());
  if ((long_used_ + 1) * 2 > long_slots_.size()) grow_long();
  const uint64_t hash = hash_long(word);
  for (size_t i = hash;; ++i) {
    LongSlot& slot = long_slots_[i & (long_slots_.size() - 1)];
    if (slot.size == 0) {
      const char* const kept = store(word);  // may spill, which empties the table
      if (long_used_ == 0) i = hash;
      long_slots_[i & (long_slots_.size() - 1)] = {kept, word.size(), hash, count};
      ++long_used_;
      return;
    }
    if (slot.hash == hash && std::string_view(slot.data, slot.size) == word) {
      slot.count = saturating_add(slot.count, count);
      return;
    }
  }
}

void WordCounts::grow() {
  if (!spills(slots_.size() * sizeof(Slot))) rehash(2 * slots_.size());
}

void WordCounts::rehash(size_t size) {
  std::vector<Slot> old(size);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.key.high == 0) continue;
    size_t i = slot.key.hash();
    while (slots_[i & (slots_.size() - 1)].key.high != 0) ++i;
    slots_[i & (slots_.size() - 1)] = slot;
  }
}

void WordCounts::grow_long() {
  const size_t size = std::max(kFirstLongSlots, 2 * long_slots_.size());
  if (!spills((size - long_slots_.size()) * sizeof(LongSlot)) || long_slots_.empty()) rehash_long(size);
}

void WordCounts::rehash_long(size_t size) {
  std::vector<LongSlot> old(size);
  old.swap(long_slots_);
  for (const LongSlot& slot : old) {
    if (slot.size == 0) continue;
    size_t i = slot.hash;
    while (long_slots_[i & (long_slots_.size() - 1)].size != 0) ++i;
    long_slots_[i & (long_slots_.size() - 1)] = slot;
  }
}

const char* WordCounts::store(std::string_view word) {
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < word.size()) {
    const size_t bytes = std::max(sink_ ? std::min(kBlock, limit_ / 16) : kBlock, word.size());
    spills(bytes);
    blocks_.emplace_back();
    blocks_.back().reserve(bytes);
    block_bytes_ += bytes;
  }
  std::vector<char>& block = blocks_.back();
  const size_t at = block.size();
  block.insert(block.end(), word.begin(), word.end());
  return block.data() + at;
}

void WordCounts::spill_to(WordCountsSink* sink, size_t bytes) {
  sink_ = sink;
  limit_ = bytes;
}

// Spills if `growth` more bytes would make the table larger than allowed; true if it did.
bool WordCounts::spills(size_t growth) {
  if (!sink_ || size() == 0 || memory() + growth <= limit_) return false;
  sink_->write(*this);
  clear();
  return true;
}

void WordCounts::clear() {
  std::fill(slots_.begin(), slots_.end(), Slot{});
  std::fill(long_slots_.begin(), long_slots_.end(), LongSlot{});
  blocks_.clear();
  used_ = long_used_ = block_bytes_ = 0;
}

void WordCounts::reserve(size_t words) {
  const size_t size = std::bit_ceil(words + words / 2);
  if (size > slots_.size()) rehash(size);
}

size_t WordCounts::memory() const {
  return slots_.size() * sizeof(Slot) + long_slots_.size() * sizeof(LongSlot) + block_bytes_;
}

size_t WordCounts::word_bytes() const {
  size_t bytes = 0;
  each([&](std::string_view word, uint64_t) { bytes += word.size(); });
  return bytes;
}

void WordCounts::merge(const WordCounts& other) {
  // words in one table's order would cluster at the beginning of a smaller table
  if (!sink_) reserve(std::max(used_, other.used_));
  PrefetchQueue queue(*this);
  for (const Slot& slot : other.slots_)
    if (slot.key.high != 0) queue.add(slot.key, slot.count);
  queue.flush();
  for (const LongSlot& slot : other.long_slots_)
    if (slot.size) add_long(std::string_view(slot.data, slot.size), slot.count);
}

void WordCounts::add_words(const std::vector<Text>& words, const uint64_t* counts, uint64_t min_count,
                           Dropped& dropped) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].size == 0 || counts[i] == 0) continue;
    if (counts[i] < min_count) dropped.add(counts[i]);
    else add({reinterpret_cast<const char*>(words[i].data), words[i].size}, counts[i]);
  }
}

WordCounts WordCounts::weighted(Weight weight, uint64_t min_count, Dropped& dropped) const {
  WordCounts result;
  result.reserve(used_);
  each([&](std::string_view word, uint64_t count) {
    const uint64_t kept = weight.of(count);
    if (kept == 0 || kept < min_count) dropped.add(count);
    else result.add(word, kept);
  });
  return result;
}

uint64_t WordCounts::total() const {
  uint64_t sum = 0;
  each([&](std::string_view, uint64_t count) { sum = saturating_add(sum, count); });
  return sum;
}

bool WordCounts::saturated() const {
  bool any = false;
  each([&](std::string_view, uint64_t count) { any |= count == UINT64_MAX; });
  return any;
}

void WordCounts::count_texts(const Pattern& pattern, const Text* first, const Text* last, size_t slack,
                             uint64_t& bytes) {
  PrefetchQueue queue(*this);
  uint64_t bytes_of_text = 0;  // that is not at its end
  try {
    with_grammar(pattern, [&]<class Grammar>() {
      for (const Text* text = first; text < last; ++text) {
        const uint8_t* const end = text->data + text->size;
        scan::each<Grammar>(pattern, text->data, end, end, [&](const uint8_t* from, const uint8_t* to) {
          const std::string_view word(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
          if (word.size() <= ShortKey::kMaxBytes)
            queue.add(ShortKey::of(word, static_cast<size_t>(end - from) + slack), 1);
          else add_long(word, 1);
          if constexpr (std::is_same_v<Grammar, scan::Custom>) bytes_of_text += word.size();
        });
        bytes += text->size;
        bytes_of_text = 0;
      }
    });
  } catch (...) {
    queue.flush();
    bytes += bytes_of_text;
    throw;
  }
  queue.flush();
}

}  // namespace bpe
