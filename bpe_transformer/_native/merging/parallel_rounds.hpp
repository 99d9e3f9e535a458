// Rounds of sure merges: of a part of a word, all that are sure to be made, whatever else the word holds, are made at
// once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "merging/claims.hpp"

namespace bpe {

// The merge of two neighbours is sure if none of a lower rank can take either of them away before: the one before it
// takes the left one, by itself or, if something takes that first, as the end of something longer; and so on the right.
// Merges that are sure do not overlap, and what they leave can be looked at in the same way. After some five rounds of
// what words hold few merges are left.
struct Part {
  static constexpr size_t kMost = 4096, kWidth = 16;
  struct Column {
    uint32_t* data() { return values + kWidth; }
    const uint32_t* data() const { return values + kWidth; }
    alignas(64) uint32_t
        values[kMost + 4 * kWidth];  // whole vectors before the first and past the last can be read and written
  };

  Part();
  // Appends symbols: up to kMost in all.
  void append(const uint32_t* ids, size_t count);
  // Takes the first symbols away, all or such of a part whose claims are known; `before`: the claims on the first of
  // the others and what comes before it, none or unknown ones.
  void drop(size_t count, uint32_t before);
  void end_with(uint32_t claims);  // on the last symbol and what comes after it

  uint32_t rank(size_t symbol) const { return claim::rank(claims.data()[symbol]); }
  // Whether nothing can ever merge across the border of a symbol, not the last, and the next one; false if that is not
  // seen at once.
  bool is_border(size_t symbol) const;

  size_t size = 0;
  uint32_t after = claim::kNone;
  Column id;
  Column claims;                       // on each symbol and the next
  uint16_t stale[kMost / kWidth + 2];  // a bit for each symbol whose claims are not known
};

namespace simd {

struct RoundKernel {
  size_t (*merge)(const Claims::Table& table, Part& part);  // a round; how many merges it made
  void (*look_up)(const Claims::Table& table, Part& part);  // the claims that are not known
};
const RoundKernel& rounds();

}  // namespace simd
}  // namespace bpe
