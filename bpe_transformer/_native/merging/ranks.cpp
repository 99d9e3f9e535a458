#include "merging/ranks.hpp"

#include <algorithm>
#include <bit>

namespace bpe {

Ranks::Ranks(const std::vector<Merge>& merges, uint32_t most)
    : packed_(most < (uint32_t{1} << kIdBits) - 1 && merges.size() <= kRankMask) {
  if (!packed_) {
    for (size_t rank = 0; rank < merges.size(); ++rank)
      wide_.emplace(uint64_t{merges[rank].left} << 32 | merges[rank].right, static_cast<uint32_t>(rank));
    return;
  }
  const size_t size = std::bit_ceil(std::max<size_t>(64, merges.size() * 2));
  last_ = static_cast<uint32_t>(size - 1);
  shift_ = 32 - static_cast<unsigned>(std::bit_width(size * 4 - 1));
  slots_.assign(size, kEmpty);
  maybe_.assign(size * 4 / 32, 0);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint32_t mixed = hash(merges[rank].left, merges[rank].right), bit = mixed >> shift_;
    maybe_[bit >> 5] |= both_bits(mixed, bit);
    const uint64_t key = uint64_t{merges[rank].left} << kIdBits | merges[rank].right;
    size_t i = bit >> 2;
    while (slots_[i] != kEmpty && slots_[i] >> kRankBits != key) i = (i + 1) & last_;
    if (slots_[i] == kEmpty) slots_[i] = key << kRankBits | rank;  // else the same pair at a lower rank
  }
}

uint32_t Ranks::of_wide(uint32_t left, uint32_t right) const {
  const auto found = wide_.find(uint64_t{left} << 32 | right);
  return found == wide_.end() ? kNoId : found->second;
}

}  // namespace bpe
