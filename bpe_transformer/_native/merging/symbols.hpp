// The symbols that a word is merged from: base ids, and what is sure to be merged whatever else the word holds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/memory.hpp"
#include "merging/alphabet.hpp"
#include "merging/ranks.hpp"

namespace bpe {

class Symbols {
 public:
  // All of these have to live as long as this. `ordered`: merges only ever use what merges of lower rank have made,
  // each id made by one; only then, and only of bytes, anything is sure.
  Symbols(const Alphabet& alphabet, const Ranks& ranks, const std::vector<uint32_t>& made,
          const std::vector<Merge>& merges, size_t num_ids, bool ordered);

  // Appends the symbols of a word. Throws UnknownCharacter.
  void split(std::string_view word, IdBuffer& out) const;

  // A long word's, a part at a time.
  class Parts {
   public:
    Parts(const Symbols& symbols, std::string_view word);
    // Appends those that begin in the next `bytes` bytes, or more; false if there are none. Throws UnknownCharacter.
    bool next(size_t bytes, IdBuffer& out);

   private:
    const Symbols& symbols_;
    const std::string_view word_;
    size_t at_ = 0;
    bool is_utf8_ = false;
  };

 private:
  static constexpr uint32_t kAfterBytes = uint32_t{1} << 31;  // an atom that may not follow ASCII
  struct Atoms;
  // Of two neighbouring bytes.
  struct Pair {
    uint32_t rank = kNoId, made = 0;  // of their merge, if both are ASCII
    uint32_t taken_left = kNoId;      // the lowest rank at which what ends with the first takes the second,
    uint32_t taken_right = kNoId;     // or the first takes what begins with the second
  };
  // All bytes past ASCII are taken for one, and kNone is for the want of any.
  struct Pairs {
    static constexpr size_t kNone = 128, kBeyond = 129, kSide = 130;
    static size_t seen(uint8_t byte) { return byte < 0x80 ? byte : kBeyond; }
    Pairs() = default;
    Pairs(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids);
    Pair& at(size_t left, size_t right) { return of[left * kSide + right]; }
    const Pair& at(size_t left, size_t right) const { return of[left * kSide + right]; }
    std::vector<Pair> of;
  };
  struct Cursor;
  void split_ascii(Cursor& cursor, const uint8_t* stop) const;
  bool split_utf8(Cursor& cursor, const uint8_t* stop) const;
  void split_bytes(Cursor& cursor, const uint8_t* stop) const;

  const Alphabet& alphabet_;
  const std::vector<uint32_t>& made_;     // by rank
  Pairs pairs_;                           // or empty
  std::vector<uint32_t> atoms_, spaced_;  // by code point below 0x10000, see Atoms; or empty
};

}  // namespace bpe
