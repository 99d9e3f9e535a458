// Rounds of certain merges: all merges of a block of symbols that will happen whatever else the word holds are applied
// at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "merging/claims.hpp"

namespace bpe {

// A block of the symbols of a word, with the claims on every two neighbours.
// A merge of two neighbours is certain if no merge of a lower rank can take either of them first: the left one could
// merge with the symbol before it, or with a longer token that ends with that symbol; and likewise on the right.
// Certain merges do not overlap, and the result is again a block of symbols. After about five rounds few merges are
// left.
struct SymbolBlock {
  static constexpr size_t kMax = 4096, kWidth = 16;
  struct PaddedArray {
    uint32_t* data() { return values + kWidth; }
    const uint32_t* data() const { return values + kWidth; }
    alignas(64) uint32_t
        values[kMax + 4 * kWidth];  // whole vectors before the first value and after the last can be read and written
  };

  SymbolBlock();
  // Appends symbols; the block holds up to kMax.
  void append(const uint32_t* ids, size_t count);
  // Removes the first `count` symbols, whose claims must be known unless all are removed. `before`: the claims on the
  // first symbol left and the one before it, claim::kNone or claim::kUnknown.
  void drop(size_t count, uint32_t before);
  void end_with(uint32_t claims_after);  // sets the claims on the last symbol and the one after it

  uint32_t rank(size_t symbol) const { return claim::rank(claims.data()[symbol]); }
  // Whether certainly nothing will merge across the border between a symbol and the next one. Errs on the side of
  // false.
  bool is_border(size_t symbol) const;

  size_t size = 0;
  uint32_t after = claim::kNone;
  PaddedArray id;
  PaddedArray claims;                 // on each symbol and the next one
  uint16_t stale[kMax / kWidth + 2];  // a bit for each symbol whose claims have to be looked up
};

// The two steps of a round.
struct RoundKernel {
  size_t (*merge)(const Claims::Table& table, SymbolBlock& block);  // applies all certain merges; returns how many
  void (*look_up)(const Claims::Table& table, SymbolBlock& block);  // finds the claims that are not known
};
// The implementation for the SIMD level in use.
const RoundKernel& round_kernel();

size_t merge_plain(const Claims::Table& table, SymbolBlock& block);
void look_up_plain(const Claims::Table& table, SymbolBlock& block);
size_t merge_avx512(const Claims::Table& table, SymbolBlock& block);
void look_up_avx512(const Claims::Table& table, SymbolBlock& block);

}  // namespace bpe
