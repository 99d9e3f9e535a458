// Splits words into the symbols that merging starts from: base ids, and the results of merges that are certain whatever
// else the word holds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/memory.hpp"
#include "merging/alphabet.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// A splitter of words into symbols, for one vocabulary.
class Symbols {
 public:
  // Keeps references to the first three. `ordered`: the merges are well ordered (see Borders); only then, and only for
  // byte alphabets, are there certain merges.
  Symbols(const Alphabet& alphabet, const Ranks& ranks, const std::vector<uint32_t>& merged_ids,
          const std::vector<Merge>& merges, size_t num_ids, bool ordered);

  // Appends the symbols of a word. Throws UnknownCharacter.
  void split(std::string_view word, IdBuffer& out) const;

  // Reads the symbols of a long word in portions.
  class Reader {
   public:
    Reader(const Symbols& symbols, std::string_view word);
    // Appends the symbols that begin in about the next `bytes` bytes; false at the end. Throws UnknownCharacter.
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
  // Two neighbouring bytes.
  struct Pair {
    uint32_t rank = kNoId, merged_id = 0;  // their merge, if both are ASCII
    uint32_t taken_left = kNoId;   // the lowest rank of a merge of the second with a token that ends with the first,
    uint32_t taken_right = kNoId;  // and of the first with a token that begins with the second
  };
  // All bytes past ASCII count as one, kBeyond. kNone: no neighbour.
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
  const std::vector<uint32_t>& merged_ids_;  // by rank
  Pairs pairs_;                              // or empty
  std::vector<uint32_t> atoms_, spaced_;     // by code point below 0x10000, see Atoms; empty if there are none
};

}  // namespace bpe
