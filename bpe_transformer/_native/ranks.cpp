#include "ranks.hpp"

#include <algorithm>
#include <bit>

namespace bpe {

Ranks::Ranks(const std::vector<Merge>& merges, uint32_t most) {
  id_bits_ = static_cast<unsigned>(std::bit_width(most));
  rank_bits_ = static_cast<unsigned>(std::bit_width(merges.size() | 1));
  packed_ = 2 * id_bits_ + rank_bits_ < 64;
  if (!packed_) {
    for (size_t rank = 0; rank < merges.size(); ++rank)
      wide_.emplace(uint64_t{merges[rank].left} << 32 | merges[rank].right, static_cast<uint32_t>(rank));
    return;
  }
  const size_t size = std::bit_ceil(std::max<size_t>(64, merges.size() * 2));
  mask_ = size - 1;
  shift_ = 64 - static_cast<unsigned>(std::bit_width(mask_));
  filter_shift_ = shift_ - 2;
  rank_mask_ = (uint64_t{1} << rank_bits_) - 1;
  slots_.assign(size + 1, kEmpty);
  maybe_.assign(size * 4 / 64, 0);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t key = uint64_t{merges[rank].left} << id_bits_ | merges[rank].right;
    const uint64_t hash = key * 0x9E3779B97F4A7C15ull;
    maybe_[hash >> filter_shift_ >> 6] |= uint64_t{1} << (hash >> filter_shift_ & 63);
    size_t i = hash >> shift_;
    while (slots_[i] != kEmpty && slots_[i] >> rank_bits_ != key) i = (i + 1) & mask_;
    if (slots_[i] == kEmpty) slots_[i] = key << rank_bits_ | rank;  // else the same pair at a lower rank
  }
}

uint32_t Ranks::of_wide(uint32_t left, uint32_t right) const {
  const auto found = wide_.find(uint64_t{left} << 32 | right);
  return found == wide_.end() ? kNoId : found->second;
}

}  // namespace bpe
