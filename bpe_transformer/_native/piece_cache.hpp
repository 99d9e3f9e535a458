// What one thread remembers of words and their ids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "alphabet.hpp"
#include "key.hpp"
#include "memory.hpp"

namespace bpe {

// Ids of words by key. A word has four places next to each other and stays in the first that is free, so that frequent words, which
// tend to come early, are found at once; where all are taken, one but the first is given up. The table grows with what it holds, up to
// a limit.
template <class Key, size_t kIds>
class PieceTable {
 public:
  static constexpr size_t kMaxIds = kIds;
  struct Entry {
    Key key;             // no word's while all is zero
    uint32_t ids[kIds];  // kNoId after the last; all of them if these are too many and lie in another table
    size_t count() const {
      size_t n = 1;
      for (size_t i = 1; i < kIds; ++i) n += ids[i] != kNoId;
      return n;
    }
  };
  static_assert(std::is_trivially_copyable_v<Entry> && (sizeof(Entry) & (sizeof(Entry) - 1)) == 0);

  explicit PieceTable(size_t most_bytes) : entries_(kFirst), most_(kFirst) {
    while (most_ * 2 * sizeof(Entry) <= most_bytes) most_ *= 2;
  }

  void prefetch(uint64_t hash) const { __builtin_prefetch(&entries_[place(hash)]); }
  const Entry* find(const Key& key, uint64_t hash) {
    const size_t at = place(hash);
    if (entries_[at].key == key) [[likely]] return &entries_[at];
    for (size_t i = 1; i < kPlaces; ++i) {
      if (entries_[at ^ i].key == key) {
        std::swap(entries_[at], entries_[at ^ i]);
        return &entries_[at];
      }
    }
    return nullptr;
  }
  void put(const Key& key, uint64_t hash, const uint32_t* ids, size_t count) {
    if (used_ * 2 >= entries_.size() && entries_.size() < most_) grow();
    Entry entry{key, {}};
    for (size_t i = 0; i < kIds; ++i) entry.ids[i] = i < count ? ids[i] : kNoId;
    put(entry, hash);
  }
  size_t bytes() const { return entries_.size() * sizeof(Entry); }
  size_t used() const { return used_; }

 private:
  static constexpr size_t kPlaces = 4;
  static constexpr size_t kFirst = (size_t{1} << 16) / sizeof(Entry);

  size_t place(uint64_t hash) const { return hash & (entries_.size() - 1); }
  void put(const Entry& entry, uint64_t hash) {
    const size_t at = place(hash);
    for (size_t i = 0; i < kPlaces; ++i) {
      if (entries_[at ^ i].key == Key{}) {
        entries_[at ^ i] = entry;
        ++used_;
        return;
      }
    }
    entries_[at ^ (1 + turn_++ % (kPlaces - 1))] = entry;
  }
  void grow() {
    ZeroedArray<Entry, 64> old(std::min(entries_.size() * 4, most_));
    old.swap(entries_);
    used_ = 0;
    for (size_t i = 0; i < old.size(); ++i)
      if (!(old[i].key == Key{})) put(old[i], old[i].key.hash());
  }

  ZeroedArray<Entry, 64> entries_;
  size_t used_ = 0, turn_ = 0, most_;
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

 private:
  size_t most_;
};

}  // namespace bpe
