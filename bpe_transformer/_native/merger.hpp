// Merges the symbols of one word, lowest rank first, leftmost first among equals.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alphabet.hpp"
#include "memory.hpp"

namespace bpe {

struct Merge {
  uint32_t left, right, made;
};

// The rank of two ids' merge. Most pairs have none.
class Ranks {
 public:
  Ranks(const std::vector<Merge>& merges, uint32_t most);  // the greatest id that may be asked for

  // kNoId if the two do not merge.
  uint32_t of(uint32_t left, uint32_t right) const {
    if (!packed_) return of_wide(left, right);
    const uint64_t key = uint64_t{left} << id_bits_ | right, hash = key * 0x9E3779B97F4A7C15ull;
    if (!(maybe_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1)) return kNoId;
    for (size_t i = hash >> shift_;; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot >> rank_bits_ == key) return static_cast<uint32_t>(slot & ((uint64_t{1} << rank_bits_) - 1));
      if (slot == kEmpty) return kNoId;
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  uint32_t of_wide(uint32_t left, uint32_t right) const;

  bool packed_;                   // ids and rank together fit into a slot
  unsigned id_bits_ = 1, rank_bits_ = 1, shift_ = 0, filter_shift_ = 0;
  size_t mask_ = 0;
  std::vector<uint64_t> slots_;   // left id, right id, rank; a power of two of them
  std::vector<uint64_t> maybe_;   // a bit a hash, unset for most pairs that do not merge: these never leave the nearest cache
  std::unordered_map<uint64_t, uint32_t> wide_;  // else
};

class Merger {
 public:
  Merger(Alphabet alphabet, const std::vector<Merge>& merges);

  const Alphabet& alphabet() const { return alphabet_; }
  uint32_t rank(uint32_t left, uint32_t right) const { return ranks_.of(left, right); }  // kNoId if the two do not merge
  uint32_t made(uint32_t rank) const { return made_[rank]; }

  // Appends the ids of a word. Throws UnknownCharacter.
  void encode(std::string_view word, IdBuffer& out) const;

 private:
  static constexpr size_t kShort = 24;  // symbols
  static constexpr uint32_t kAfterBytes = uint32_t{1} << 31;  // an atom that may not follow ASCII
  struct Atoms;
  bool split(std::string_view word, IdBuffer& out) const;
  void merge(IdBuffer& ids, size_t from) const;
  void merge_short(IdBuffer& ids, size_t from, uint32_t* ranks) const;
  void merge_long(IdBuffer& ids, size_t from) const;
  template <size_t kMost>
  bool merge_windows(IdBuffer& ids, size_t from) const;
  void merge_by_queue(IdBuffer& ids, size_t from) const;

  Alphabet alphabet_;
  Ranks ranks_;
  std::vector<uint32_t> made_;    // by rank
  bool ordered_ = false;          // see well_ordered
  std::vector<uint32_t> atoms_, spaced_;  // by code point below 0x10000, see Atoms; or empty
  std::vector<uint32_t> square_;  // ranks of two bytes, if these are the alphabet
};

}  // namespace bpe
