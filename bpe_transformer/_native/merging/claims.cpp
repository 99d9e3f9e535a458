#include "merging/claims.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bpe {

Claims::Claims(const std::vector<uint32_t>& merged_ids, const Borders& borders) : merged_ids_(merged_ids) {
  if (!borders.known() || merged_ids.empty() || merged_ids.size() >= claim::kNoRank ||
      borders.size() >= (size_t{1} << kIdBits))
    return;
  constexpr size_t kMaxPerMerge = 16;
  std::vector<uint8_t> left_depth(borders.size()),
      right_depth(borders.size());  // how many shorter tokens each token begins and ends with
  size_t most = 0;
  for (const uint32_t id : merged_ids) {
    const auto& [left, right, step] = borders.halves(id);
    const auto deeper = [](uint8_t depth) { return static_cast<uint8_t>(std::min(depth + 1, 255)); };
    left_depth[id] = deeper(left_depth[left]), right_depth[id] = deeper(right_depth[right]);
    most += size_t{1} + right_depth[left] + left_depth[right];
    if (most > kMaxPerMerge * merged_ids.size() || left_depth[id] == 255 || right_depth[id] == 255) return;
  }
  for (uint32_t i = 0; i < claim::kNever; ++i)
    levels_[i] = i ? static_cast<uint32_t>(std::pow(merged_ids.size(), static_cast<double>(i) / claim::kNever)) : 0;
  levels_[claim::kNever] = claim::kNoRank;
  const size_t size = std::bit_ceil(std::max<size_t>(64, most + most / 8));
  shift_ = 32 - static_cast<unsigned>(std::bit_width(size * 4 - 1));
  slots_ = ZeroedArray<uint64_t, 64>(size);
  std::fill_n(slots_.data(), size, kEmpty);
  maybe_ = ZeroedArray<uint32_t, 64>(size * 4 / 32);
  // Slots are prefetched while earlier ones are written.
  struct Waiting {
    size_t place;
    uint64_t slot, field;
  };
  constexpr size_t kAhead = 32;
  Waiting waiting[kAhead];
  size_t num = 0;
  const auto note = [&](uint32_t left, uint32_t right, uint32_t value, unsigned at, uint32_t most_of_field) {
    const uint32_t mixed = Ranks::hash(left, right), bit = mixed >> shift_;
    maybe_[bit >> 5] |= Ranks::both_bits(mixed, bit);
    Waiting& next = waiting[num++ % kAhead];
    if (num > kAhead) add(next.place, next.slot, next.field);
    const uint64_t field = uint64_t{most_of_field} << at;
    next = {place(bit), key(left, right) << claim::kBits | (claim::kNone ^ field) | uint64_t{value} << at, field};
    __builtin_prefetch(slots_.data() + next.place);
  };
  first_merged_id_ = merged_ids[0];
  uint32_t level = 0;
  for (uint32_t rank = 0; rank < merged_ids.size(); ++rank) {
    if (merged_ids[rank] != merged_ids[0] + rank) first_merged_id_ = kNoId;
    while (levels_[level + 1] <= rank) ++level;
    const auto& [left, right, step] = borders.halves(merged_ids[rank]);
    note(left, right, rank, claim::kRank, claim::kNoRank);
    for (auto end = borders.halves(left); end.step; end = borders.halves(end.right))
      note(end.right, right, level, 0, claim::kNever);
    for (auto end = borders.halves(right); end.step; end = borders.halves(end.left))
      note(left, end.left, level, claim::kRight, claim::kNever);
  }
  for (size_t i = num - std::min(num, kAhead); i < num; ++i)
    add(waiting[i % kAhead].place, waiting[i % kAhead].slot, waiting[i % kAhead].field);
}

// Sets one field of a slot unless it is set: ranks come in rising order, and the lowest counts.
void Claims::add(size_t i, uint64_t slot, uint64_t field) {
  const auto is_other = [&](uint64_t there) { return (there != kEmpty) & ((there ^ slot) >> claim::kBits != 0); };
  while (is_other(slots_[i])) i = (i + 1) & (slots_.size() - 1);
  const bool is_set = (slots_[i] & field) != field;
  slots_[i] &= slot | (is_set ? field : 0);
}

}  // namespace bpe
