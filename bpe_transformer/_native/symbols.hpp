// The symbols that a word is merged from: base ids, and what is sure to be merged whatever else the word holds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "alphabet.hpp"
#include "memory.hpp"
#include "ranks.hpp"

namespace bpe {

class Symbols {
 public:
  // All of these have to live as long as this. `ordered`: merges only ever use what merges of lower rank have made, each id made by
  // one; only then, and only of bytes, anything is sure.
  Symbols(const Alphabet& alphabet, const Ranks& ranks, const std::vector<uint32_t>& made, const std::vector<Merge>& merges,
          size_t num_ids, bool ordered);

  // Appends the symbols of a word. Throws UnknownCharacter.
  void split(std::string_view word, IdBuffer& out) const;

 private:
  static constexpr uint32_t kAfterBytes = uint32_t{1} << 31;  // an atom that may not follow ASCII
  struct Atoms;
  // By two neighbouring bytes, all past ASCII taken for one and kNone for the want of any: the rank of their merge, the lowest of what
  // ends with the first and the second, and the lowest of the first and what begins with the second; kNoId for no such merge.
  struct Pairs {
    static constexpr size_t kNone = 128, kBeyond = 129, kSide = 130;
    static size_t seen(uint8_t byte) { return byte < 0x80 ? byte : kBeyond; }
    static size_t at(size_t left, size_t right) { return left * kSide + right; }
    Pairs() = default;
    Pairs(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids);
    std::vector<uint32_t> rank, taken_left, taken_right;
  };
  const uint8_t* split_ascii(const uint8_t* begin, const uint8_t* p, const uint8_t* end, uint32_t*& out) const;
  uint32_t* split_bytes(std::string_view word, uint32_t* out) const;

  const Alphabet& alphabet_;
  const std::vector<uint32_t>& made_;     // by rank
  Pairs pairs_;                           // or empty
  std::vector<uint32_t> atoms_, spaced_;  // by code point below 0x10000, see Atoms; or empty
};

}  // namespace bpe
