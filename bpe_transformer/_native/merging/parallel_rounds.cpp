#include "merging/parallel_rounds.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "simd/simd.hpp"

namespace bpe {

namespace {

constexpr size_t kWidth = SymbolBlock::kWidth;

// Whether a symbol may merge to one side: with its neighbour there, or with what that becomes.
bool may_go(const uint32_t* claims, ptrdiff_t step, uint32_t (*level)(uint32_t)) {
  constexpr int kFar = 8;
  for (int i = 0; i < kFar; ++i, claims += step) {
    if (claim::rank(*claims) != claim::kNoRank) return true;
    if (level(*claims) == claim::kNever) return false;
  }
  return true;
}

}  // namespace

SymbolBlock::SymbolBlock() {
  std::fill_n(claims.values, kWidth, claim::kNone);
  std::memset(id.values, 0, sizeof id.values);
  std::memset(stale, 0, sizeof stale);
}

void SymbolBlock::append(const uint32_t* ids, size_t count) {
  if (!count) return;
  std::memcpy(id.data() + size, ids, count * sizeof(uint32_t));
  const size_t first = size ? size - 1 : 0;  // the symbol that was last now has a neighbour
  size += count;
  stale[first / kWidth] |= static_cast<uint16_t>(0xFFFFu << first % kWidth);
  for (size_t i = first / kWidth + 1; i * kWidth < size; ++i) stale[i] = 0xFFFF;
}

void SymbolBlock::drop(size_t count, uint32_t before) {
  size -= count;
  if (!size) std::memset(stale, 0, sizeof stale);
  for (PaddedArray* column : {&id, &claims})
    std::memmove(column->data(), column->data() + count, size * sizeof(uint32_t));
  std::fill_n(claims.values, kWidth, before);
}

void SymbolBlock::end_with(uint32_t claims_after) {
  after = claims_after;
  std::fill_n(claims.data() + (size ? size - 1 : 0), kWidth + 1, claims_after);
}

bool SymbolBlock::is_border(size_t symbol) const {
  const uint32_t* const here = claims.data() + symbol;
  if (claim::rank(*here) != claim::kNoRank) return false;
  const bool goes_left = may_go(here - 1, -1, claim::level_of_left);
  if (goes_left && claim::level_of_left(*here) != claim::kNever) return false;
  const bool goes_right = may_go(here + 1, 1, claim::level_of_right);
  return !goes_right || (claim::level_of_right(*here) == claim::kNever && !goes_left);
}

const RoundKernel& round_kernel() {
  static constexpr RoundKernel kPlain{merge_plain, look_up_plain};
#ifdef __x86_64__
  static constexpr RoundKernel kAvx512{merge_avx512, look_up_avx512};
  if (simd::level() == simd::Level::kAvx512) return kAvx512;
#endif
  return kPlain;
}

// --- the plain kernel ------------------------------------------------------------------------------------------------

// Written with few branches, since most could not be predicted.
size_t merge_plain(const Claims::Table& table, SymbolBlock& block) {
  uint32_t *const id = block.id.data(), *const claims = block.claims.data();
  const auto n = static_cast<ptrdiff_t>(block.size);
  struct Pair {
    uint32_t rank, left, right;
  };
  const auto pair = [&](ptrdiff_t i) {
    const uint32_t c = claims[i];
    return Pair{claim::rank(c), table.levels[claim::level_of_left(c)], table.levels[claim::level_of_right(c)]};
  };
  Pair before_two = pair(-2), before = pair(-1), own = pair(0), after = pair(1);
  bool merged[SymbolBlock::kMax + 1];
  bool was_certain = false, was_certain_before = false;  // of the pair before, and of the one before that
  ptrdiff_t to = 0;
  for (ptrdiff_t i = 0; i < n; ++i) {  // in place: reading never falls behind writing
    const Pair after_two = pair(i + 2);
    const uint32_t taken_left = std::min(before_two.rank, before_two.left),
                   taken_right = std::min(after_two.rank, after_two.right);
    const bool goes_right = (own.rank <= after.rank) & (own.rank <= std::max(after.right, taken_right));
    const bool goes_left = (own.rank < before.rank) & ((own.rank < before.left) | (own.rank <= taken_left));
    // In a run of equal ranks the leftmost merge first: every other pair.
    const bool is_next = (own.rank == before.rank) & (own.rank == before_two.rank) & was_certain_before;
    const bool certain = (own.rank != claim::kNoRank) & goes_right & (goes_left | is_next) & (i + 1 < n);
    const uint32_t if_certain = 0 - uint32_t{certain}, rank = own.rank & if_certain;
    const uint32_t merged_id = table.first_merged_id != kNoId ? table.first_merged_id + rank : table.merged_ids[rank];
    id[to] = id[i] ^ ((id[i] ^ merged_id) & if_certain);
    claims[to] = claims[i];
    merged[to] = certain;
    to += !was_certain;  // else it has merged into the one before
    was_certain_before = was_certain, was_certain = certain;
    before_two = before, before = own, own = after, after = after_two;
  }
  merged[to] = false;
  for (size_t v = 0; v * kWidth < static_cast<size_t>(to); ++v) {
    uint32_t bits = 0;
    for (size_t k = 0; k < kWidth; ++k) {
      const size_t i = v * kWidth + k;
      bits |= static_cast<uint32_t>(i < static_cast<size_t>(to) && (merged[i] | merged[i + 1])) << k;
    }
    block.stale[v] = static_cast<uint16_t>(bits);
  }
  block.size = static_cast<size_t>(to);
  block.end_with(block.after);
  return static_cast<size_t>(n - to);
}

void look_up_plain(const Claims::Table& table, SymbolBlock& block) {
  const uint32_t* const id = block.id.data();
  uint32_t* const claims = block.claims.data();
  uint16_t stale[SymbolBlock::kMax + kWidth], found[SymbolBlock::kMax + kWidth];
  uint32_t places[SymbolBlock::kMax + kWidth];
  size_t num_stale = 0, num_found = 0;
  for (size_t v = 0; v * kWidth < block.size; ++v) {
    const uint32_t bits = std::exchange(block.stale[v], 0);
    for (size_t k = 0; bits && k < kWidth; ++k)
      stale[num_stale] = static_cast<uint16_t>(v * kWidth + k), num_stale += bits >> k & 1;
  }
  for (size_t j = 0; j < num_stale; ++j) {
    const size_t i = stale[j];
    const uint32_t mixed = Ranks::hash(id[i], id[i + 1]), bit = mixed >> table.shift,
                   both = Ranks::both_bits(mixed, bit);
    claims[i] = claim::kNone;
    found[num_found] = stale[j], places[num_found] = static_cast<uint32_t>(Claims::place(bit));
    __builtin_prefetch(table.slots + places[num_found]);
    num_found += (table.maybe[bit >> 5] & both) == both;
  }
  for (size_t j = 0; j < num_found; ++j) {
    const size_t i = found[j];
    const uint64_t key = Claims::key(id[i], id[i + 1]);
    uint32_t place = places[j];
    const auto is_same = [&](uint64_t slot) { return slot >> claim::kBits == key; };
    const auto is_end = [&](uint64_t slot) { return is_same(slot) | (slot == Claims::kEmpty); };
    uint64_t slot = table.slots[place];
    const uint64_t other = table.slots[place + 1];
    if (!is_same(slot)) slot = other;
    if (!(is_end(slot) | is_end(table.slots[place]))) [[unlikely]] {
      do place = (place + 1) & table.last;
      while (!is_end(table.slots[place]));
      slot = table.slots[place];
    }
    claims[i] = is_same(slot) ? static_cast<uint32_t>(slot) & claim::kNone : claim::kNone;
  }
  block.end_with(block.after);
}

}  // namespace bpe
