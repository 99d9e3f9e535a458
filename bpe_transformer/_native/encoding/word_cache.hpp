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

// A hash table from the keys of words to ids. A word may lie in one of four neighbouring places, or of sixteen while
// the table is at most half full; if all are taken, it replaces another word. The table grows up to a limit, and only
// while words are found in it: if hardly any word comes again, a small table is fastest.
template <class Key, size_t kIds>
class WordTable {
 public:
  static constexpr size_t kMaxIds = kIds;
  struct Entry {
    Key key;  // its free bits hold the number of ids: 0 marks a word whose ids are in a larger table; all zero: free
    uint32_t ids[kIds];
    size_t count() const { return key.top() >> (64 - Key::kFree); }
    bool is_free() const { return key.top() == 0; }
    bool same(const Entry& other) const { return key.same(other.key); }
  };
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
  // False if there are too many ids; the word is then only marked.
  bool put(const Key& key, const uint32_t* ids, size_t count) {
    ++put_;
    if (used_ * 2 >= entries_.size() && put_ * 8 >= entries_.size() && entries_.size() < max_) {
      if (is_worth_its_room()) resize(entries_.size() * 2);
      found_ = put_ = 0;
    }
    const bool fits = count <= kIds;
    Entry entry{key, {}};
    if (fits) {
      entry.key.top() |= uint64_t{count} << (64 - Key::kFree);
      std::copy_n(ids, count, entry.ids);
    }
    put(entry, key.hash());
    return fits;
  }
  size_t bytes() const { return entries_.size() * sizeof(Entry); }
  size_t used() const { return used_; }
  bool is_worth_its_room() const { return found_ * 4 >= put_; }
  // Adds words that are one token before they are looked up.
  template <class Tokens>
  void preload(const Tokens& tokens) {
    const size_t count = std::min(tokens.size(), max_ / 2);
    size_t size = entries_.size();
    while ((used_ + count) * 2 > size && size < max_) size *= 2;
    if (size > entries_.size()) resize(size);
    for (size_t i = 0; i < count; ++i) put(tokens[i].bytes, &tokens[i].id, 1);
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

// Three tables, for words of few bytes and ids and for longer ones.
struct WordCache {
  static constexpr size_t kDefaultBytes = size_t{64} << 20;

  // Takes at most `max_bytes`, or the 192 KiB that it starts with.
  explicit WordCache(size_t max_bytes = kDefaultBytes)
      : small(max_bytes / 2), large(max_bytes / 4), huge(max_bytes / 8), max_(max_bytes) {}
  size_t bytes() const { return small.bytes() + large.bytes() + huge.bytes(); }
  size_t max_bytes() const { return max_; }

  WordTable<ShortKey, 4> small;
  WordTable<LongKey, 8> large;
  WordTable<WideKey<16>, 32> huge;
  bool has_tokens = false;  // see Encoder::add_to_cache

 private:
  size_t max_;
};

}  // namespace bpe
