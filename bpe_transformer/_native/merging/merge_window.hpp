// A window of a word: up to kMax symbols that are merged without regard to the symbols outside it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "merging/ranks.hpp"
#include "simd/find_least.hpp"

namespace bpe {

// Keeps the lowest rank of each group of sixty-four symbols.
template <size_t kMax>
class MergeWindow {
 public:
  void load(const Ranks& ranks, const uint32_t* ids, size_t size) {
    size_ = size;
    std::copy_n(ids, size, id_);
    for (size_t i = 0; i + 1 < size; ++i) rank_[i] = ranks.of(ids[i], ids[i + 1]);
    std::fill(rank_ + (size ? size - 1 : 0), rank_ + kMax, kNoId);
    for (size_t g = 0; g < kGroups; ++g)
      left_[g] = 64 * g >= size ? 0 : size - 64 * g >= 64 ? ~uint64_t{0} : (uint64_t{1} << size % 64) - 1;
    stale_ = ~uint64_t{0} >> (64 - kGroups);
  }

  // Applies the leftmost merge of the lowest rank; false if there is none.
  bool step(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, simd::FindLeast find) {
    for (; stale_; stale_ &= stale_ - 1) {
      const auto g = static_cast<size_t>(std::countr_zero(stale_));
      where_[g] = find(rank_ + 64 * g, least_[g]);
    }
    const size_t best = kGroups == 1 ? 0 : static_cast<size_t>(std::min_element(least_, least_ + kGroups) - least_);
    const uint32_t rank = least_[best];
    if (rank == kNoId) return false;
    if constexpr (kGroups == 1) {
      merge_in_one(ranks, merged_ids[rank]);
      return true;
    }
    const size_t i = 64 * best + static_cast<size_t>(std::countr_zero(where_[best])), taken = next(i);
    left_[taken / 64] &= ~(uint64_t{1} << taken % 64);
    set(taken, kNoId);
    const size_t before = previous(i), after = next(taken);
    id_[i] = merged_ids[rank];
    set(i, after < size_ ? ranks.of(id_[i], id_[after]) : kNoId);
    if (before < size_) set(before, ranks.of(id_[before], id_[i]));
    return true;
  }

  size_t size() const { return size_; }
  uint32_t id(size_t symbol) const { return id_[symbol]; }
  uint64_t starts(size_t group = 0) const { return left_[group]; }  // a bit for each symbol that a token begins with
  bool starts_at(size_t symbol) const { return left_[symbol / 64] >> symbol % 64 & 1; }
  // The first symbol of the next token, size() if there is none.
  size_t next(size_t symbol) const {
    size_t g = ++symbol / 64;
    if (symbol >= size_) return size_;
    uint64_t rest = left_[g] >> symbol % 64 << symbol % 64;
    while (!rest) {
      if (++g == kGroups) return size_;
      rest = left_[g];
    }
    return 64 * g + static_cast<size_t>(std::countr_zero(rest));
  }

 private:
  static constexpr size_t kGroups = kMax / 64;
  static_assert(kMax % 64 == 0 && kGroups <= 64);

  // step() for windows of one group, a seventh faster.
  void merge_in_one(const Ranks& ranks, uint32_t merged_id) {
    const auto i = static_cast<unsigned>(std::countr_zero(where_[0]));
    const uint64_t before = left_[0] & ((uint64_t{1} << i) - 1);
    uint64_t after = left_[0] & (~uint64_t{1} << i);
    rank_[std::countr_zero(after)] = kNoId;
    left_[0] ^= after & -after;
    after &= after - 1;
    id_[i] = merged_id;
    rank_[i] = after ? ranks.of(merged_id, id_[std::countr_zero(after)]) : kNoId;
    if (before) {
      const auto last = static_cast<unsigned>(63 - std::countl_zero(before));
      rank_[last] = ranks.of(id_[last], merged_id);
    }
    stale_ = 1;
  }
  size_t previous(size_t symbol) const {  // size() if there is none
    size_t g = symbol / 64;
    uint64_t rest = left_[g] & ((uint64_t{1} << symbol % 64) - 1);
    while (!rest) {
      if (g-- == 0) return size_;
      rest = left_[g];
    }
    return 64 * g + 63 - static_cast<size_t>(std::countl_zero(rest));
  }
  void set(size_t symbol, uint32_t rank) {
    rank_[symbol] = rank;
    stale_ |= uint64_t{1} << symbol / 64;
  }

  size_t size_ = 0;
  uint32_t rank_[kMax];  // by first symbol of a token: the rank of its merge with the next one, kNoId if there is none
  uint32_t id_[kMax];    // by first symbol of a token
  uint64_t left_[kGroups], where_[kGroups],
      stale_;  // the tokens' first symbols; where each group's lowest rank is; the groups for which that is out of date
  uint32_t least_[kGroups];  // a group's lowest rank
};

}  // namespace bpe
