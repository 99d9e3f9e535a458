#include "counter.hpp"

#include <algorithm>
#include <atomic>

#include "parallel.hpp"

namespace bpe {

// Short words on their way into the table: its slots come from memory while the next words are read.
class WordCounts::Waiting {
 public:
  explicit Waiting(WordCounts& counts) : counts_(counts) {}
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
  if ((long_used_ + 1) * 2 > long_slots_.size()) grow_long();
  const uint64_t hash = hash_long(word);
  for (size_t i = hash;; ++i) {
    LongSlot& slot = long_slots_[i & (long_slots_.size() - 1)];
    if (slot.size == 0) {
      slot = {store(word), word.size(), hash, count};
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
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.key.high == 0) continue;
    size_t i = slot.key.hash();
    while (slots_[i & (slots_.size() - 1)].key.high != 0) ++i;
    slots_[i & (slots_.size() - 1)] = slot;
  }
}

void WordCounts::grow_long() {
  std::vector<LongSlot> old(std::max<size_t>(256, long_slots_.size() * 2));
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
    blocks_.emplace_back();
    blocks_.back().reserve(std::max(kBlock, word.size()));
  }
  std::vector<char>& block = blocks_.back();
  const size_t at = block.size();
  block.insert(block.end(), word.begin(), word.end());
  return block.data() + at;
}

void WordCounts::merge(const WordCounts& other) {
  Waiting waiting(*this);
  for (const Slot& slot : other.slots_)
    if (slot.key.high != 0) waiting.add(slot.key, slot.count);
  waiting.flush();
  for (const LongSlot& slot : other.long_slots_)
    if (slot.size) add_long(std::string_view(slot.data, slot.size), slot.count);
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

void WordCounts::count_text(Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end) {
  Waiting waiting(*this);
  each_pretoken(pattern, begin, stop, end, [&](const uint8_t* from, const uint8_t* to) {
    const std::string_view word(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
    if (word.size() <= ShortKey::kMaxBytes) waiting.add(ShortKey::of(word, static_cast<size_t>(end - from)), 1);
    else add_long(word, 1);
  });
  waiting.flush();
}

namespace {

struct Piece {
  const uint8_t* begin;
  const uint8_t* stop;
  const uint8_t* end;  // of the whole text, for looking ahead
};

void cut(std::vector<Piece>& pieces, Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end) {
  constexpr size_t kPieceBytes = 1 << 20;
  while (begin < stop) {
    const uint8_t* const to = static_cast<size_t>(stop - begin) > kPieceBytes ? safe_cut(pattern, begin + kPieceBytes, stop) : stop;
    pieces.push_back({begin, to, end});
    begin = to;
  }
}

void count_pieces(WordCounts& into, Pattern pattern, const std::vector<Piece>& pieces, int num_threads) {
  num_threads = static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(num_threads, 1)), std::max<size_t>(pieces.size(), 1)));
  std::vector<WordCounts> others(static_cast<size_t>(num_threads) - 1);
  std::atomic<size_t> next{0};
  run_threads(num_threads, [&](int thread) {
    WordCounts& counts = thread == 0 ? into : others[static_cast<size_t>(thread) - 1];
    for (size_t i; (i = next.fetch_add(1)) < pieces.size();)
      counts.count_text(pattern, pieces[i].begin, pieces[i].stop, pieces[i].end);
  });
  for (const WordCounts& counts : others) into.merge(counts);
}

}  // namespace

void count_texts(WordCounts& into, Pattern pattern, const std::vector<Text>& texts, int num_threads) {
  std::vector<Piece> pieces;
  for (const Text& text : texts) cut(pieces, pattern, text.data, text.data + text.size, text.data + text.size);
  count_pieces(into, pattern, pieces, num_threads);
}

void count_range(WordCounts& into, Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end,
                 int num_threads) {
  std::vector<Piece> pieces;
  cut(pieces, pattern, begin, stop, end);
  count_pieces(into, pattern, pieces, num_threads);
}

}  // namespace bpe
