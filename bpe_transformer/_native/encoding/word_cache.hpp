// What one thread remembers of words and their ids.
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

// Ids of words by key. A word has four places next to each other, and twelve more while the table has room to grow;
// where all are taken, one is given up. The table grows with what it holds, up to a limit, and only if words are found
// in it: where hardly any comes again, a small table costs least.
template <class Key, size_t kIds>
class PieceTable {
 public:
  static constexpr size_t kMaxIds = kIds;
  struct Entry {
    Key key;  // with the number of ids, 0 if they are too many and lie in another table; no word's while all is zero
    uint32_t ids[kIds];
    size_t count() const { return key.top() >> (64 - Key::kFree); }
    bool is_free() const { return key.top() == 0; }
    bool same(const Entry& other) const { return key.same(other.key); }
  };
  static_assert(std::is_trivially_copyable_v<Entry> && (sizeof(Entry) & (sizeof(Entry) - 1)) == 0);

  explicit PieceTable(size_t most_bytes) : entries_(kFirst), most_(kFirst) {
    while (most_ * 2 * sizeof(Entry) <= most_bytes) most_ *= 2;
  }

  // The first place of every word, for loops over many: good until the next put().
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
  void found(size_t words) { found_ += words; }  // in their first place
  // False, and only the word noted, if the ids are too many.
  bool put(const Key& key, const uint32_t* ids, size_t count) {
    ++put_;
    if (used_ * 2 >= entries_.size() && put_ * 8 >= entries_.size() && entries_.size() < most_) {
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
  // Makes room for, and puts in, what has not been asked for yet: words of one id.
  template <class Tokens>
  void teach(const Tokens& tokens) {
    const size_t count = std::min(tokens.size(), most_ / 2);
    size_t size = entries_.size();
    while ((used_ + count) * 2 > size && size < most_) size *= 2;
    if (size > entries_.size()) resize(size);
    for (size_t i = 0; i < count; ++i) put(tokens[i].bytes, &tokens[i].id, 1);
    found_ = put_ = 0;
  }

 private:
  static constexpr size_t kLine = sizeof(Entry) < 64 ? 64 / sizeof(Entry) : 1;  // places that come from memory together
  static constexpr size_t kFirst = (size_t{1} << 16) / sizeof(Entry);

  size_t place(uint64_t hash) const { return hash & (entries_.size() - 1); }
  size_t places_of_one() const { return used_ * 2 <= entries_.size() ? 16 : 4; }
  // A word lies further on only if all lines before are full, as they are then for good. If it is found it comes first
  // from then on.
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
  size_t used_ = 0, turn_ = 0, most_;
  size_t found_ = 0, put_ = 0;  // since the size was last considered
};

// Short words with few ids close together, others with more room.
struct PieceCache {
  static constexpr size_t kDefaultBytes = size_t{64} << 20;

  // Never more than `most_bytes`, but for 192 KiB at the start.
  explicit PieceCache(size_t most_bytes = kDefaultBytes)
      : small(most_bytes / 2), large(most_bytes / 4), huge(most_bytes / 8), most_(most_bytes) {}
  size_t bytes() const { return small.bytes() + large.bytes() + huge.bytes(); }
  size_t most() const { return most_; }

  PieceTable<ShortKey, 4> small;
  PieceTable<LongKey, 8> large;
  PieceTable<WideKey<16>, 32> huge;
  bool has_tokens = false;  // see Encoder::keep

 private:
  size_t most_;
};

}  // namespace bpe
