// Rounds of certain merges with AVX-512, sixteen symbols at a time. Uses no inline functions of other files, for the
// reason that bit_planes_kernel.hpp gives.
#ifdef __x86_64__
#include <immintrin.h>

#include "merging/parallel_rounds.hpp"

namespace bpe {

namespace {

using Vector = __m512i;
using Half = __m256i;
constexpr size_t kWidth = SymbolBlock::kWidth;

Vector all(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
Vector all_wide(uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
Vector load(const uint32_t* values) { return _mm512_loadu_si512(values); }
Half load_half(const uint32_t* values) { return _mm256_loadu_si256(reinterpret_cast<const Half*>(values)); }
void store(uint32_t* values, Vector v) { _mm512_storeu_si512(values, v); }
void store(uint32_t* values, Half v) { _mm256_storeu_si256(reinterpret_cast<Half*>(values), v); }
size_t count(uint32_t bits) { return static_cast<size_t>(__builtin_popcount(bits)); }
void end_with(SymbolBlock& block) {
  uint32_t* const last = block.claims.data() + block.size - (block.size > 0);
  store(last, all(block.after)), store(last + 1, all(block.after));
}

// Packs the bits that are left of each sixteen into words of sixteen.
class Bits {
 public:
  explicit Bits(uint16_t* to) : to_(to) {}
  void add(uint32_t bits, size_t count) {
    held_ |= uint64_t{bits} << num_held_, num_held_ += count;
    if (num_held_ >= 16) *to_++ = static_cast<uint16_t>(held_), held_ >>= 16, num_held_ -= 16;
  }
  void end() { *to_ = static_cast<uint16_t>(held_); }

 private:
  uint16_t* to_;
  uint64_t held_ = 0;
  size_t num_held_ = 0;
};

// The look-ups of a block of symbols: those that pass the table's filter, and what the table has for them.
struct Found {
  static constexpr size_t kVectors = 32, kMax = kVectors * kWidth;
  size_t num = 0;
  uint16_t maybe[kVectors];
  uint32_t place[kMax + kWidth], first[kMax + kWidth], second[kMax + kWidth];
  uint32_t where[kMax + kWidth];  // of those that need another probe
  uint32_t claims[kMax + kWidth];
  alignas(64) __m128i slots[kMax + kWidth];  // two slots each

  // Memory that was never written must not be read, even if its values are not used: that is slow.
  Found() { claims[0] = claim::kNone; }

  void add(const Claims::Table& table, size_t v, uint16_t stale, Vector here, Vector next) {
    const Vector mixed = _mm512_add_epi32(_mm512_mullo_epi32(here, all(Ranks::kMixLeft)),
                                          _mm512_mullo_epi32(next, all(Ranks::kMixRight)));
    const Vector bit = _mm512_srl_epi32(mixed, _mm_cvtsi32_si128(static_cast<int>(table.shift)));
    const auto one = [](Vector bits) { return _mm512_sllv_epi32(all(1), _mm512_and_si512(bits, all(31))); };
    const Vector both = _mm512_or_si512(one(bit), one(_mm512_srli_epi32(mixed, Ranks::kSecond)));
    const Vector words =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), stale, _mm512_srli_epi32(bit, 5), table.maybe, 4);
    const __mmask16 through = _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, both), both);
    store(place + num, _mm512_maskz_compress_epi32(through, _mm512_and_si512(_mm512_srli_epi32(bit, 2), all(~1u))));
    store(first + num, _mm512_maskz_compress_epi32(through, here));
    store(second + num, _mm512_maskz_compress_epi32(through, next));
    maybe[v] = through;
    num += count(through);
  }

  void look_up(const Claims::Table& table) {
    size_t further = compare_all<true>(table, num);
    while (further) further = compare_all<false>(table, further);
  }

 private:
  // Compares two slots for each of n look-ups; returns how many need another probe.
  template <bool kFirst>
  size_t compare_all(const Claims::Table& table, size_t n) {
    // One by one, which is faster than a gather.
    for (size_t i = 0; i < n; ++i) slots[i] = _mm_load_si128(reinterpret_cast<const __m128i*>(table.slots + place[i]));
    size_t further = 0;
    for (size_t i = 0; i < n; i += 8) further += compare<kFirst>(table.last, i, n, further);
    return further;
  }

  // Eight of n look-ups; packs those that need another probe.
  template <bool kFirst>
  size_t compare(uint32_t last, size_t i, size_t n, size_t to) {
    const Vector low = _mm512_load_si512(slots + i), high = _mm512_load_si512(slots + i + 4);
    const Vector one = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), high);
    const Vector other = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), high);
    const Half left = load_half(first + i), right = load_half(second + i);
    const Vector key =
        _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(left), Claims::kIdBits), _mm512_cvtepu32_epi64(right));
    const auto is_same = [&](Vector slot) {
      return _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(slot, claim::kBits), key);
    };
    const __mmask8 same = is_same(one), same_other = is_same(other);
    const Vector empty = all_wide(Claims::kEmpty);
    const Vector found = _mm512_mask_mov_epi64(_mm512_mask_mov_epi64(empty, same, one), same_other, other);
    const Half claimed = _mm256_and_si256(_mm512_cvtepi64_epi32(found), _mm256_set1_epi32(claim::kNone));
    const auto inside = static_cast<__mmask8>(n - i < 8 ? (1u << (n - i)) - 1 : 0xFF);
    Half places = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(i)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    if (kFirst) store(claims + i, claimed);
    else places = load_half(where + i), _mm256_mask_i32scatter_epi32(claims, inside, places, claimed, 4);
    const __mmask8 ends = _mm512_cmpeq_epi64_mask(one, empty) | _mm512_cmpeq_epi64_mask(other, empty);
    const auto further = static_cast<__mmask8>(inside & ~(same | same_other | ends));
    if (further) {
      const Half next = _mm256_add_epi32(load_half(place + i), _mm256_set1_epi32(2));
      const auto keep = [&](uint32_t* values, Half v) { store(values + to, _mm256_maskz_compress_epi32(further, v)); };
      keep(first, left), keep(second, right), keep(where, places);
      keep(place, _mm256_and_si256(next, _mm256_set1_epi32(static_cast<int>(last))));
    }
    return count(further);
  }
};

Vector rank(Vector claim) { return _mm512_srli_epi32(claim, claim::kRank); }

// Sets a bit in `certain`, sixteen symbols a word, for each symbol whose merge with the next one is certain.
void find_certain(const Claims::Table& table, const SymbolBlock& block, uint16_t* certain) {
  const uint32_t* const claims = block.claims.data();
  const size_t vectors = (block.size + kWidth - 1) / kWidth;
  const Vector low_levels = load(table.levels), high_levels = load(table.levels + kWidth), never = all(claim::kNoRank);
  // the rank of the level in the lower five bits
  const auto left = [&](Vector claim) { return _mm512_permutex2var_epi32(low_levels, claim, high_levels); };
  const auto right = [&](Vector claim) { return left(_mm512_srli_epi32(claim, claim::kRight)); };
  uint32_t before = 0;  // the last two bits of the vector before
  for (size_t v = 0; v < vectors; ++v) {
    const size_t i = v * kWidth;
    const Vector before_two = load(claims + i - 2), before_one = load(claims + i - 1), here = load(claims + i),
                 after_one = load(claims + i + 1), after_two = load(claims + i + 2);
    const Vector own = rank(here), rank_before = rank(before_one), rank_before_two = rank(before_two);
    const Vector taken_left = _mm512_min_epu32(rank_before_two, left(before_two));
    const Vector taken_right = _mm512_min_epu32(rank(after_two), right(after_two));
    const Vector most = _mm512_min_epu32(rank(after_one), _mm512_max_epu32(right(after_one), taken_right));
    __mmask16 goes_right = _mm512_cmpneq_epi32_mask(own, never) & _mm512_cmple_epu32_mask(own, most);
    if (block.size - i <= kWidth) goes_right &= static_cast<__mmask16>((1u << (block.size - i - 1)) - 1);
    const __mmask16 goes_left =
        _mm512_cmplt_epu32_mask(own, left(before_one)) | _mm512_cmple_epu32_mask(own, taken_left);
    uint32_t merges = goes_right & goes_left & _mm512_cmplt_epu32_mask(own, rank_before);
    // In a run of equal ranks the leftmost merge first: every other pair.
    uint32_t equal =
        goes_right & _mm512_cmpeq_epi32_mask(own, rank_before) & _mm512_cmpeq_epi32_mask(own, rank_before_two);
    if (equal) {
      uint32_t with_before = merges << 2 | before;
      equal <<= 2;
      for (unsigned step = 2; step <= kWidth; step *= 2)
        with_before |= with_before << step & equal, equal &= equal << step;
      merges = with_before >> 2 & 0xFFFF;
    }
    before = merges >> (kWidth - 2);
    certain[v] = static_cast<uint16_t>(merges);
  }
  certain[vectors] = 0;
}

}  // namespace

size_t merge_avx512(const Claims::Table& table, SymbolBlock& block) {
  uint32_t *const id = block.id.data(), *const claims = block.claims.data();
  const size_t vectors = (block.size + kWidth - 1) / kWidth;
  uint16_t certain[SymbolBlock::kMax / kWidth + 1];
  find_certain(table, block, certain);
  const size_t old_size = block.size;
  size_t to = 0;
  uint32_t carry = 0;  // whether the first symbol merges into the one before
  Bits stale(block.stale);
  for (size_t v = 0; v < vectors; ++v) {  // in place: reading never falls behind writing
    const size_t i = v * kWidth;
    const uint32_t here = certain[v], is_stale = (here | here >> 1 | uint32_t{certain[v + 1]} << 15) & 0xFFFF;
    uint32_t stays = ~(here << 1 | carry) & 0xFFFF;
    carry = here >> 15;
    if (old_size - i < kWidth) stays &= (1u << (old_size - i)) - 1;
    const auto kept = static_cast<__mmask16>(stays), merged = static_cast<__mmask16>(here);
    const Vector ids = load(id + i), claimed = load(claims + i), ranks = rank(claimed);
    const Vector merged_id = table.first_merged_id != kNoId
                                 ? _mm512_mask_add_epi32(ids, merged, ranks, all(table.first_merged_id))
                                 : _mm512_mask_i32gather_epi32(ids, merged, ranks, table.merged_ids, 4);
    store(id + to, _mm512_maskz_compress_epi32(kept, merged_id));
    store(claims + to, _mm512_maskz_compress_epi32(kept, claimed));
    stale.add(
        _mm512_movepi32_mask(_mm512_maskz_compress_epi32(kept, _mm512_movm_epi32(static_cast<__mmask16>(is_stale)))),
        count(stays));
    to += count(stays);
  }
  stale.end();
  block.size = to;
  end_with(block);
  return old_size - to;
}

void look_up_avx512(const Claims::Table& table, SymbolBlock& block) {
  const size_t vectors = (block.size + kWidth - 1) / kWidth;
  for (size_t begin = 0; begin < vectors; begin += Found::kVectors) {
    const size_t end = vectors < begin + Found::kVectors ? vectors : begin + Found::kVectors;
    Found found;
    for (size_t v = begin; v < end; ++v)
      if (block.stale[v])
        found.add(table, v - begin, block.stale[v], load(block.id.data() + v * kWidth),
                  load(block.id.data() + v * kWidth + 1));
    found.look_up(table);
    size_t num = 0;
    for (size_t v = begin; v < end; ++v) {
      const __mmask16 stale = block.stale[v], maybe = found.maybe[v - begin];
      if (!stale) continue;
      block.stale[v] = 0;
      const Vector claims = _mm512_mask_expand_epi32(all(claim::kNone), maybe, load(found.claims + num));
      _mm512_mask_storeu_epi32(block.claims.data() + v * kWidth, stale, claims);
      num += count(maybe);
    }
  }
  end_with(block);
}

}  // namespace bpe
#endif
