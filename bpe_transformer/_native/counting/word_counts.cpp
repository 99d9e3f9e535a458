#include "counting/word_counts.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <variant>

namespace bpe {

// Short words on their way into the table: their slots come from memory while the next words are read.
class WordCounts::ShortWords {
 public:
  explicit ShortWords(WordCounts& counts) : counts_(counts) {}

  void add(const ShortKey& key, uint64_t count) {
    make_room(1);
    note(key, count);
  }

  // Counts words that follow one another from `from` on; `memory_end` is where what may be read ends. Returns where the
  // last one ends.
  const uint8_t* add_all(const uint8_t* from, const uint8_t* const* ends, size_t number, const uint8_t* memory_end) {
    make_room(number);
    for (size_t i = 0; i < number; from = ends[i++]) {
      const std::string_view word(reinterpret_cast<const char*>(from), static_cast<size_t>(ends[i] - from));
      if (word.size() <= ShortKey::kMaxBytes) [[likely]]
        note(ShortKey::of(word, static_cast<size_t>(memory_end - from)), 1);
      else counts_.add_long(word, 1);
    }
    return from;
  }

  void flush() {
    const Word* const end = words_ + size_;
    size_ = 0;
    for (const Word* word = words_; word < end; ++word) {
      Slot& slot = counts_.slots_[word->hash & counts_.mask_];
      if (slot.key == word->key) [[likely]]
        slot.count = saturating_add(slot.count, word->count);
      else counts_.add_short(word->key, word->hash, word->count);
    }
  }

 private:
  static constexpr size_t kWords = 512;
  struct Word {
    ShortKey key;
    uint64_t hash, count;
  };

  void make_room(size_t number) {
    if (size_ + number > kWords) flush();
  }
  void note(const ShortKey& key, uint64_t count) {
    const uint64_t hash = key.hash();
    const auto* const slot = reinterpret_cast<const char*>(counts_.slots_.data() + (hash & counts_.mask_));
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + sizeof(Slot) - 1, 1);  // a slot may lie in two lines of the cache
    words_[size_++] = {key, hash, count};
  }

  WordCounts& counts_;
  size_t size_ = 0;
  Word words_[kWords];
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

// Frequent words go first, so that they lie where they are looked for.
void WordCounts::rehash(size_t size) {
  constexpr uint64_t kFrequent = 16;
  ZeroedArray<Slot, 64> old(size);
  old.swap(slots_);
  mask_ = size - 1;
  for (const bool are_frequent : {true, false}) {
    for (size_t number = 0; number < old.size(); ++number) {
      const Slot& slot = old[number];
      if (slot.key.high == 0 || (slot.count >= kFrequent) != are_frequent) continue;
      size_t i = slot.key.hash();
      while (slots_[i & mask_].key.high != 0) ++i;
      slots_[i & mask_] = slot;
    }
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
  std::fill(slots_.data(), slots_.data() + slots_.size(), Slot{});
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
  ShortWords words(*this);
  for (size_t i = 0; i < other.slots_.size(); ++i)
    if (other.slots_[i].key.high != 0) words.add(other.slots_[i].key, other.slots_[i].count);
  words.flush();
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

namespace {

// Where the texts end that follow the first one closely in memory, as far as they can be looked at together.
const uint8_t* end_of_run(const Text* text, const Text* last) {
  constexpr ptrdiff_t kMostBetween = 64;  // bytes, that cost less to look at than to begin anew
  const uint8_t* const most = text->data + BitPlanes::kBytes;
  const uint8_t* end = text->data + text->size;
  for (++text; text < last && end < most && text->data >= end && text->data - end <= kMostBetween; ++text)
    end = text->data + text->size;
  return end;
}

}  // namespace

void WordCounts::count_texts(const Pattern& pattern, const Text* first, const Text* last, const uint8_t* memory_end,
                             uint64_t& bytes) {
  ShortWords words(*this);
  uint64_t bytes_of_text = 0;  // that is not at its end
  try {
    with_grammar(pattern, [&]<class Grammar>() {
      constexpr bool is_vector = std::is_default_constructible_v<scan::Splitter<Grammar>>;
      [[maybe_unused]] std::conditional_t<is_vector, scan::Splitter<Grammar>, std::monostate> splitter;
      for (const Text* text = first; text < last; ++text) {
        const uint8_t* const end = text->data + text->size;
        const uint8_t* const readable = memory_end ? memory_end : end;
        if constexpr (is_vector) {
          const uint8_t* ends[scan::Splitter<Grammar>::kBlock];
          const uint8_t* from = text->data;
          splitter.begin_text(from, end, [&] { return memory_end ? end_of_run(text, last) : end; });
          while (const size_t number = splitter.next(ends)) {
            pass_checkpoint();
            from = words.add_all(from, ends, number, readable);
          }
        } else {
          scan::each<Grammar>(pattern, text->data, end, end, [&](const uint8_t* from, const uint8_t* to) {
            words.add_all(from, &to, 1, readable);
            if constexpr (std::is_same_v<Grammar, scan::Custom>) bytes_of_text += static_cast<size_t>(to - from);
          });
        }
        bytes += text->size;
        bytes_of_text = 0;
      }
    });
  } catch (...) {
    words.flush();
    bytes += bytes_of_text;
    throw;
  }
  words.flush();
}

}  // namespace bpe
