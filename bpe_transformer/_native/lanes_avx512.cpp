// Windows side by side, with AVX-512. No function of another file is called: see planes_kernel.hpp.
#ifdef __x86_64__
#include <immintrin.h>

#include "lanes.hpp"

namespace bpe::simd {

namespace {

constexpr size_t kGroups = Lanes::kGroups;
constexpr unsigned kPlaceBits = Lanes::kPlaceBits;

using Vector = __m512i;
using Table = Ranks::Table;

Vector all(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
Vector all_wide(uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
Vector low_wide(Vector v) { return _mm512_cvtepu32_epi64(_mm512_castsi512_si256(v)); }
Vector high_wide(Vector v) { return _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(v, 1)); }
Vector narrow(Vector low, Vector high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(low)), _mm512_cvtepi64_epi32(high), 1);
}

// The ranks of many pairs' merges, sixteen at a time. What the table's filter lets through, a third or less, is put together before
// it is looked up: add() blocks of pairs, look_up(), and next() gives the ranks of each block, kNoId for none. The slots of the first
// kAhead of a block are fetched ahead, as many as most blocks let through where pairs are those beside a merge.
template <size_t kBlocks, size_t kAhead>
class Lookup {
 public:
  explicit Lookup(const Table& table) : table_(table), shift_(_mm_cvtsi32_si128(static_cast<int>(table.shift))) {}

  void add(Vector left, Vector right) {
    const Vector mixed_left = _mm512_mullo_epi32(left, all(Ranks::kMixLeft));
    const Vector mixed = _mm512_add_epi32(mixed_left, _mm512_mullo_epi32(right, all(Ranks::kMixRight)));
    const Vector bit = _mm512_srl_epi32(mixed, shift_), second = _mm512_srli_epi32(mixed, Ranks::kSecond);
    const auto one = [](Vector bits) { return _mm512_sllv_epi32(all(1), _mm512_and_si512(bits, all(31))); };
    const Vector both = _mm512_or_si512(one(bit), one(second));
    const Vector words = _mm512_i32gather_epi32(_mm512_srli_epi32(bit, 5), table_.maybe, 4);
    const __mmask16 maybe = _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, both), both);
    _mm512_storeu_si512(slots_ + num_, _mm512_srli_epi32(_mm512_maskz_compress_epi32(maybe, bit), 2));
    _mm512_storeu_si512(left_ + num_, _mm512_maskz_compress_epi32(maybe, left));
    _mm512_storeu_si512(right_ + num_, _mm512_maskz_compress_epi32(maybe, right));
    for (size_t i = num_; i < num_ + kAhead; ++i) __builtin_prefetch(table_.slots + slots_[i]);
    maybe_[num_blocks_++] = maybe;
    num_ += static_cast<size_t>(__builtin_popcount(maybe));
  }

  void look_up() {
    const Vector empty = all_wide(Ranks::kEmpty);
    for (size_t i = 0; i < num_; i += 8) {
      const auto asked = static_cast<__mmask8>(num_ - i < 8 ? (1u << (num_ - i)) - 1 : 0xFF);
      const Vector key = _mm512_or_si512(_mm512_slli_epi64(eight(left_ + i), Ranks::kIdBits), eight(right_ + i));
      __m256i slot = _mm256_maskz_loadu_epi32(asked, slots_ + i);
      Vector rank = empty;
      const auto try_one = [&](__mmask8 still) {
        const Vector here = _mm512_mask_i32gather_epi64(empty, still, slot, table_.slots, 8);
        const __mmask8 same = _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(here, Ranks::kRankBits), key);
        rank = _mm512_mask_and_epi64(rank, same, here, all_wide(Ranks::kRankMask));
        slot = _mm256_and_si256(_mm256_add_epi32(slot, _mm256_set1_epi32(1)), _mm256_set1_epi32(static_cast<int>(table_.last)));
        return static_cast<__mmask8>(_mm512_cmpneq_epi64_mask(here, empty) & ~same);
      };
      const __mmask8 first = try_one(asked), second = try_one(asked);  // at once: few are left after these
      for (__mmask8 still = first & second; still;) still &= try_one(still);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(ranks_ + i), _mm512_cvtepi64_epi32(rank));
    }
    num_ = num_blocks_ = 0;
  }

  Vector next() {
    const __mmask16 maybe = maybe_[num_blocks_++];
    const Vector ranks = _mm512_mask_expand_epi32(all(kNoId), maybe, _mm512_loadu_si512(ranks_ + num_));
    num_ += static_cast<size_t>(__builtin_popcount(maybe));
    return ranks;
  }
  void clear() { num_ = num_blocks_ = 0; }

 private:
  static Vector eight(const uint32_t* values) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
  }

  const Table& table_;
  const __m128i shift_;
  size_t num_ = 0, num_blocks_ = 0;
  __mmask16 maybe_[kBlocks];
  uint32_t slots_[16 * kBlocks + 16], left_[16 * kBlocks + 16], right_[16 * kBlocks + 16], ranks_[16 * kBlocks + 16];
};

Vector keys_of(Vector ranks) {
  return _mm512_mask_slli_epi32(all(kNoId), _mm512_cmpneq_epi32_mask(ranks, all(kNoId)), ranks, kPlaceBits);
}

// The rows of the places in sets of at most one, 0 for none.
Vector row_of(Vector low, Vector high) {
  return narrow(_mm512_sub_epi64(all_wide(64), _mm512_lzcnt_epi64(low)), _mm512_sub_epi64(all_wide(64), _mm512_lzcnt_epi64(high)));
}

// Of eight places that are left: those beside them, as sets; takes the one after each away.
struct Neighbours {
  Vector before, taken, after;
  Neighbours(Vector place, uint64_t* left) {
    const auto lowest = [](Vector set) { return _mm512_and_si512(set, _mm512_sub_epi64(_mm512_setzero_si512(), set)); };
    const Vector places = _mm512_load_si512(left);
    const Vector above = _mm512_and_si512(places, _mm512_sllv_epi64(all_wide(~uint64_t{1}), place));
    before = _mm512_andnot_si512(_mm512_sllv_epi64(all_wide(~uint64_t{0}), place), places);
    taken = lowest(above);
    after = lowest(_mm512_xor_si512(above, taken));
    _mm512_store_si512(left, _mm512_xor_si512(places, taken));
  }
};

// The lowest key of each window.
Vector least(const uint32_t (&key)[Lanes::kRows][Lanes::kWidth]) {
  Vector low[3];
  for (size_t i = 0; i < 3; ++i) low[i] = _mm512_load_si512(key[2 + i]);
  for (size_t row = 5; row <= Lanes::kSymbols; row += 3)
    for (size_t i = 0; i < 3; ++i) low[i] = _mm512_min_epu32(low[i], _mm512_load_si512(key[row + i]));
  return _mm512_min_epu32(_mm512_min_epu32(low[0], low[1]), low[2]);
}

}  // namespace

void keys_avx512(const Table& table, const uint32_t* ids, size_t n, uint32_t* key) {
  constexpr size_t kBlocks = 16;
  Lookup<kBlocks, 0> lookup(table);
  for (size_t from = 0; from < n; from += 16 * kBlocks) {
    const size_t to = n - from < 16 * kBlocks ? n : from + 16 * kBlocks;
    const auto symbols = [&](size_t at) {
      const auto inside = static_cast<__mmask16>(at >= n ? 0 : n - at < 16 ? (1u << (n - at)) - 1 : 0xFFFF);
      return _mm512_mask_loadu_epi32(all(Lanes::kBorder), inside, ids + at);
    };
    for (size_t i = from; i < to; i += 16) lookup.add(symbols(i), symbols(i + 1));
    lookup.look_up();
    for (size_t i = from; i < to; i += 16) _mm512_storeu_si512(key + i, keys_of(lookup.next()));
    lookup.clear();
  }
}

// A lane that has no merge goes along: its lowest key stands for the upper border, after which there is no place.
void step_avx512(const Table& table, const uint32_t* made, Lanes& lanes) {
  Vector best[kGroups], lowest = all(kNoId);
  for (size_t g = 0; g < kGroups; ++g) {
    best[g] = least(lanes.key[g]);
    lanes.idle[g] = _mm512_cmpeq_epi32_mask(best[g], all(kNoId));
    lowest = _mm512_min_epu32(lowest, best[g]);
  }
  if (_mm512_cmpneq_epi32_mask(lowest, all(kNoId)) == 0) return;
  const Vector lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto at = [&](Vector row) { return _mm512_or_si512(_mm512_slli_epi32(row, 4), lane); };
  Vector id[kGroups], row[kGroups], before[kGroups], taken[kGroups];
  Lookup<2 * kGroups, 4> lookup(table);
  for (size_t g = 0; g < kGroups; ++g) {
    id[g] = _mm512_mask_i32gather_epi32(all(Lanes::kBorder), _mm512_cmpneq_epi32_mask(best[g], all(kNoId)),
                                        _mm512_srli_epi32(best[g], kPlaceBits), made, 4);
    const Vector place = _mm512_min_epu32(_mm512_and_si512(best[g], all((1 << kPlaceBits) - 1)), all(Lanes::kSymbols + 1));
    row[g] = _mm512_add_epi32(place, all(1));
    uint64_t* const left = lanes.left + Lanes::kWidth * g;
    const Neighbours low(low_wide(place), left), high(high_wide(place), left + 8);
    before[g] = row_of(low.before, high.before), taken[g] = row_of(low.taken, high.taken);
    const Vector after = row_of(low.after, high.after);
    const uint32_t* const ids = lanes.id[g][0];
    lookup.add(_mm512_i32gather_epi32(at(before[g]), ids, 4), id[g]);
    lookup.add(id[g], _mm512_i32gather_epi32(at(after), ids, 4));
  }
  lookup.look_up();
  const auto key_at = [&](Vector rows) { return _mm512_or_si512(keys_of(lookup.next()), _mm512_sub_epi32(rows, all(1))); };
  for (size_t g = 0; g < kGroups; ++g) {
    uint32_t* const keys = lanes.key[g][0];
    _mm512_i32scatter_epi32(lanes.id[g][0], at(row[g]), id[g], 4);
    _mm512_i32scatter_epi32(keys, at(taken[g]), all(kNoId), 4);
    _mm512_i32scatter_epi32(keys, at(before[g]), key_at(before[g]), 4);
    _mm512_i32scatter_epi32(keys, at(row[g]), key_at(row[g]), 4);
  }
}

}  // namespace bpe::simd
#endif
