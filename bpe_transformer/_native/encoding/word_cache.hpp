// A cache from words to their ids, for one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/key.hpp"
#include "base/memory.hpp"
#include "merging/alphabet.hpp"

namespace bpe {

// The ids of words that have too many for a table's entry, one after another. When it is full, new ids replace the
// oldest.
class IdArena {
 public:
  static constexpr size_t kStep = 8;  // ids may be copied in steps of so many

  explicit IdArena(size_t max_bytes) : ids_(kFirst + kStep), size_(kFirst), max_(kFirst) {
    while (max_ * 2 * sizeof(uint32_t) <= max_bytes) max_ *= 2;
  }

  // Where the ids of a word now lie: the number of ids laid down before them.
  uint64_t put(const uint32_t* ids, size_t count) {
    while (end_ + count > size_ && size_ < max_) grow();
    if ((end_ & (size_ - 1)) + count > size_) end_ = (end_ | (size_ - 1)) + 1;  // they lie side by side
    std::copy_n(ids, count, ids_.data() + (end_ & (size_ - 1)));
    end_ += count;
    return end_ - count;
  }
  // The ids at `position`; null if they have been replaced.
  const uint32_t* find(uint64_t position) const {
    return end_ - position <= size_ ? ids_.data() + (position & (size_ - 1)) : nullptr;
  }
  size_t bytes() const { return size_ * sizeof(uint32_t); }

 private:
  static constexpr size_t kFirst = size_t{1} << 12;
  void grow() {
    ZeroedArray<uint32_t, 64> larger(2 * size_ + kStep);
    std::copy_n(ids_.data(), end_, larger.data());
    larger.swap(ids_);
    size_ *= 2;
  }

  ZeroedArray<uint32_t, 64> ids_;
  size_t size_, max_;  // powers of two
  uint64_t end_ = 0;
};

// A hash table from the keys of words to ids. A word may lie in one of four neighbouring places, or of sixteen while
// the table is at most half full; if all are taken, it replaces another word. The table grows up to a limit, and only
// while words are found in it: if hardly any word comes again, a small table is fastest.
template <class Key, size_t kIds>
class WordTable {
 public:
  static constexpr size_t kMaxIds = kIds;
  struct Entry {
    Key key;             // its free bits hold the number of ids, or kInArena; all zero: free
    uint32_t ids[kIds];  // in the arena: the position there, in two halves, and the number of ids
    size_t count() const { return key.top() >> (64 - Key::kFree); }
    bool fits() const { return count() <= kIds; }
    size_t arena_count() const { return ids[2]; }
    uint64_t arena_position() const { return uint64_t{ids[1]} << 32 | ids[0]; }
    bool is_free() const { return key.top() == 0; }
    bool same(const Entry& other) const { return key.same(other.key); }
  };
  static constexpr uint64_t kInArena = (uint64_t{1} << Key::kFree) - 1;
  static_assert(kIds >= 3 && kIds < kInArena);
  static_assert(std::is_trivially_copyable_v<Entry> && (sizeof(Entry) & (sizeof(Entry) - 1)) == 0);

  explicit WordTable(size_t max_bytes) : entries_(kFirst), max_(kFirst) {
    while (max_ * 2 * sizeof(Entry) <= max_bytes) max_ *= 2;
  }

  // Gives the first place of a word, for loops over many words; valid until the next put().
  struct Places {
    const Entry* entries;
    uint64_t mask;
    const Entry& of(uint64_t hash) const { return entries[hash & mask]; }
  };
  Places places() const { return {entries_.data(), entries_.size() - 1}; }
  const Entry* find(const Key& key, uint64_t hash) {
    const size_t at = place(hash);
    const Entry* const entry = key.same(entries_[at].key) ? &entries_[at] : find_further(key, at);
    found_ += entry != nullptr;
    return entry;
  }
  void found(size_t words) { found_ += words; }  // counts words found in their first place
  void put(const Key& key, const uint32_t* ids, size_t count, IdArena& arena) {
    ++put_;
    if (used_ * 2 >= entries_.size() && put_ * 8 >= entries_.size() && entries_.size() < max_) {
      if (is_worth_its_room()) resize(entries_.size() * 2);
      found_ = put_ = 0;
    }
    Entry entry{key, {}};
    if (count <= kIds) {
      std::copy_n(ids, count, entry.ids);
    } else {
      const uint64_t position = arena.put(ids, count);
      entry.ids[0] = static_cast<uint32_t>(position);
      entry.ids[1] = static_cast<uint32_t>(position >> 32);
      entry.ids[2] = static_cast<uint32_t>(count);
    }
    entry.key.top() |= (count <= kIds ? uint64_t{count} : kInArena) << (64 - Key::kFree);
    put(entry, key.hash());
  }
  size_t bytes() const { return entries_.size() * sizeof(Entry); }
  size_t used() const { return used_; }
  bool is_worth_its_room() const { return found_ * 4 >= put_; }
  // Adds words that are one token before they are looked up.
  template <class Tokens>
  void preload(const Tokens& tokens, IdArena& arena) {
    const size_t count = std::min(tokens.size(), max_ / 2);
    size_t size = entries_.size();
    while ((used_ + count) * 2 > size && size < max_) size *= 2;
    if (size > entries_.size()) resize(size);
    constexpr size_t kAhead = 16;  // the memory of each token's place is fetched so many tokens before
    for (size_t i = 0; i < count; ++i) {
      if (i + kAhead < count) __builtin_prefetch(&places().of(tokens[i + kAhead].bytes.hash()), 1);
      put(tokens[i].bytes, &tokens[i].id, 1, arena);
    }
    found_ = put_ = 0;
  }

 private:
  static constexpr size_t kLine = sizeof(Entry) < 64 ? 64 / sizeof(Entry) : 1;  // places in one cache line
  static constexpr size_t kFirst = (size_t{1} << 16) / sizeof(Entry);

  size_t place(uint64_t hash) const { return hash & (entries_.size() - 1); }
  size_t places_of_one() const { return used_ * 2 <= entries_.size() ? 16 : 4; }
  // Searches the places after the first, line by line: a word is in a later line only if the earlier ones are full. A
  // word that is found moves to its first place.
  const Entry* find_further(const Key& key, size_t at) {
    for (size_t i = 0; i < places_of_one(); i += kLine) {
      bool is_full = true;
      for (size_t j = i; j < i + kLine; ++j) {
        Entry& entry = entries_[at ^ j];
        is_full &= !entry.is_free();
        if (!key.same(entry.key)) continue;
        if (j >= 4) return &entry;
        std::swap(entries_[at], entry);
        return &entries_[at];
      }
      if (!is_full) break;
    }
    return nullptr;
  }
  void put(const Entry& entry, uint64_t hash) {
    const size_t at = place(hash), places = places_of_one();
    for (size_t i = 0; i < places; ++i) {
      Entry& old = entries_[at ^ i];
      if (!old.is_free() && !entry.same(old)) continue;
      used_ += old.is_free();
      old = entry;
      return;
    }
    entries_[at ^ (1 + turn_++ % (places - 1))] = entry;
  }
  void resize(size_t size) {
    ZeroedArray<Entry, 64> old(size);
    old.swap(entries_);
    used_ = 0;
    for (size_t i = 0; i < old.size(); ++i) {
      if (old[i].is_free()) continue;
      Key key = old[i].key;
      key.top() = key.top() << Key::kFree >> Key::kFree;
      put(old[i], key.hash());
    }
  }

  ZeroedArray<Entry, 64> entries_;
  size_t used_ = 0, turn_ = 0, max_;
  size_t found_ = 0, put_ = 0;  // since the last decision about the size
};

// Three tables, for words of few bytes and for longer ones, and the ids that find no room in them.
struct WordCache {
  static constexpr size_t kDefaultBytes = size_t{64} << 20;
  static constexpr size_t kMaxIds = WideKey<16>::kMaxBytes;  // of one word

  // Takes at most `max_bytes`, or the 208 KiB that it starts with.
  explicit WordCache(size_t max_bytes = kDefaultBytes)
      : small(max_bytes / 2), large(max_bytes / 4), huge(max_bytes / 8), arena(max_bytes / 8), max_(max_bytes) {}
  size_t bytes() const { return small.bytes() + large.bytes() + huge.bytes() + arena.bytes(); }
  size_t max_bytes() const { return max_; }

  WordTable<ShortKey, 4> small;
  WordTable<LongKey, 8> large;
  WordTable<WideKey<16>, 32> huge;
  IdArena arena;
  bool has_tokens = false;  // see Encoder::add_to_cache

 private:
  size_t max_;
};

}  // namespace bpe
