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
#include "merging/joins.hpp"
#include "merging/ranks.hpp"
#include "merging/symbols.hpp"
#include "merging/undone.hpp"

namespace bpe {

class Merger {
 public:
  Merger(Alphabet alphabet, const std::vector<Merge>& merges, Undone undone = {});
  Merger(const Merger&) = delete;
  Merger& operator=(const Merger&) = delete;
  ~Merger() { delete claims_.load(); }

  const Alphabet& alphabet() const { return alphabet_; }
  uint32_t rank(uint32_t left, uint32_t right) const {
    return ranks_.of(left, right);
  }  // kNoId if the two do not merge
  uint32_t merged_id(uint32_t rank) const { return merged_ids_[rank]; }

  // Whether two bytes merge, if symbols are bytes.
  bool bytes_merge(uint8_t left, uint8_t right) const { return byte_pairs_[size_t{left} << 8 | right]; }

  // Where words can be cut.
  const Joins& joins() const { return joins_; }

  // The tokens of up to ShortKey::kMaxBytes bytes that encoding their own bytes gives, by rank; empty if the merges are
  // not well ordered.
  struct Token {
    ShortKey bytes;
    uint32_t id;
  };
  std::vector<Token> short_tokens(const std::vector<Merge>& merges) const;

  // Whether ids are replaced when all merges of a word are done: see `undone`.
  bool undoes() const { return !undone_.empty(); }
  const Undone& undone() const { return undone_; }
  // Whether a token may hold bytes of a character that has no id.
  bool merges_fallback() const { return merges_fallback_; }

  // Appends the ids of a word. Throws UnknownCharacter.
  void encode(std::string_view word, IdBuffer& out) const;

 private:
  void merge(std::string_view word, IdBuffer& out) const;
  const Claims* claims_for(std::string_view word) const;
  void merge_by_queue(IdBuffer& ids, size_t from) const;

  const Alphabet alphabet_;
  const size_t num_ids_;  // largest id + 1
  const Ranks ranks_;
  const std::vector<uint32_t> merged_ids_;  // by rank
  const Borders borders_;                   // known if the merges are well ordered
  const Joins joins_;
  const Symbols symbols_;
  const Undone undone_;
  const bool merges_fallback_;
  std::bitset<65536> byte_pairs_;
  mutable std::atomic<const Claims*> claims_{nullptr};  // computed when they pay
  mutable std::atomic<size_t> long_bytes_{0};
};

}  // namespace bpe
