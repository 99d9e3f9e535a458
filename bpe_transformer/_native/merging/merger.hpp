// Merges the symbols of one word, lowest rank first, leftmost first among equals.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/key.hpp"
#include "base/memory.hpp"
#include "merging/alphabet.hpp"
#include "merging/borders.hpp"
#include "merging/claims.hpp"
#include "merging/ranks.hpp"
#include "merging/symbols.hpp"

namespace bpe {

class Merger {
 public:
  Merger(Alphabet alphabet, const std::vector<Merge>& merges);
  Merger(const Merger&) = delete;
  Merger& operator=(const Merger&) = delete;
  ~Merger() { delete claims_.load(); }

  const Alphabet& alphabet() const { return alphabet_; }
  uint32_t rank(uint32_t left, uint32_t right) const {
    return ranks_.of(left, right);
  }  // kNoId if the two do not merge
  uint32_t made(uint32_t rank) const { return made_[rank]; }

  // Whether two bytes do, if symbols are bytes.
  bool bytes_merge(uint8_t left, uint8_t right) const { return byte_pairs_[size_t{left} << 8 | right]; }

  // The tokens of up to ShortKey::kMaxBytes bytes that merging their own bytes leads to, by rank; none if that is not
  // easily told.
  struct Token {
    ShortKey bytes;
    uint32_t id;
  };
  std::vector<Token> short_tokens(const std::vector<Merge>& merges) const;

  // Appends the ids of a word. Throws UnknownCharacter.
  void encode(std::string_view word, IdBuffer& out) const;

 private:
  const Claims* claims_for(std::string_view word) const;
  void merge_by_queue(IdBuffer& ids, size_t from) const;

  const Alphabet alphabet_;
  const size_t num_ids_;  // the greatest and one
  const Ranks ranks_;
  const std::vector<uint32_t> made_;  // by rank
  const Borders borders_;             // known if merges are well ordered
  const Symbols symbols_;
  std::bitset<65536> byte_pairs_;
  mutable std::atomic<const Claims*> claims_{nullptr};  // once they are worth making
  mutable std::atomic<size_t> long_bytes_{0};
};

}  // namespace bpe
