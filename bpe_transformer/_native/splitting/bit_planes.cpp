#include "splitting/bit_planes.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "merging/parallel_rounds.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace simd {

#define BPE_DECLARE(level)                                                                  \
  void fill_##level(const uint8_t* p, size_t at, size_t words, bool cased, Planes& planes); \
  uint64_t where_least_##level(const uint32_t* values, uint32_t& least);
BPE_DECLARE(plain)
BPE_DECLARE(avx2)
BPE_DECLARE(avx512)
BPE_DECLARE(neon)
#undef BPE_DECLARE
size_t merge_plain(const Claims::Table& table, Part& part);
size_t merge_avx512(const Claims::Table& table, Part& part);
void look_up_plain(const Claims::Table& table, Part& part);
void look_up_avx512(const Claims::Table& table, Part& part);

namespace {

struct Level {
  std::string_view name;
  void (*fill)(const uint8_t* p, size_t at, size_t words, bool cased, Planes& planes);
  WhereLeast where_least;
  RoundKernel rounds = {merge_plain, look_up_plain};
};

const std::vector<Level>& available() {
  static const std::vector<Level> all = [] {
    std::vector<Level> out{{"plain", fill_plain, where_least_plain}};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) out.push_back({"avx2", fill_avx2, where_least_avx2});
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      out.push_back({"avx512", fill_avx512, where_least_avx512, {merge_avx512, look_up_avx512}});
#elif defined(__aarch64__)
    out.push_back({"neon", fill_neon, where_least_neon});
#endif
    return out;
  }();
  return all;
}

const Level* named(std::string_view name) {
  for (const Level& level : available())
    if (level.name == name) return &level;
  return nullptr;
}

std::atomic<const Level*>& chosen() {
  static std::atomic<const Level*> level = [] {
    const char* const wanted = std::getenv("BPE_TRANSFORMER_SIMD");
    const Level* const found = wanted ? named(wanted) : nullptr;
    return found ? found : &available().back();
  }();
  return level;
}

}  // namespace

std::vector<std::string_view> levels() {
  std::vector<std::string_view> names;
  for (const Level& level : available()) names.push_back(level.name);
  return names;
}

WhereLeast where_least() { return chosen().load(std::memory_order_relaxed)->where_least; }

const RoundKernel& rounds() { return chosen().load(std::memory_order_relaxed)->rounds; }

std::string_view level() { return chosen().load(std::memory_order_relaxed)->name; }

bool set_level(std::string_view name) {
  const Level* const found = named(name);
  if (found) chosen() = found;
  return found != nullptr;
}

}  // namespace simd

void Planes::fill(const uint8_t* p, const uint8_t* end, bool cased) {
  constexpr size_t kAhead = 66;  // bytes that the kernel may read from the start of a word
  size = std::min<size_t>(kBytes, static_cast<size_t>(end - p));
  carry_two = carry_three = carry_other = 0;
  const auto kernel = simd::chosen().load(std::memory_order_relaxed)->fill;
  const size_t words = (size + 63) / 64, left = static_cast<size_t>(end - p);
  const size_t direct = left >= words * 64 + kAhead - 64 ? words : left < kAhead ? 0 : (left - kAhead) / 64 + 1;
  if (direct) kernel(p, 0, direct, cased, *this);
  if (direct < words) {  // the end of the text, with zeros after it
    uint8_t padded[2 * 64 + kAhead] = {};
    __builtin_memcpy(padded, p + 64 * direct, left - 64 * direct);
    kernel(padded, direct, words - direct, cased, *this);
  }
  for (size_t w = words; w <= words && w <= kWords; ++w)
    letter[w] = number[w] = space[w] = newline[w] = blank[w] = apostrophe[w] = slash[w] = first[w] = block[w] =
        upper[w] = lower[w] = rare[w] = mark[w] = unseen[w] = 0;
  uint64_t any = 0;
  for (size_t w = 0; w < words; ++w) any |= unseen[w];
  if (any) look_up(p, end, cased);
}

void Planes::look_up(const uint8_t* p, const uint8_t* end, bool cased) {
  for (size_t w = 0; 64 * w < size; ++w) {
    for (uint64_t left = unseen[w]; left;) {
      const unsigned i = static_cast<unsigned>(__builtin_ctzll(left));
      const uint8_t* const at = p + 64 * w + i;
      if (at >= end) break;
      const unicode::Symbol s = unicode::decode(at, end);
      const uint64_t bytes = (uint64_t{1} << s.length) - 1, here = bytes << i, next = i > 60 ? bytes >> (64 - i) : 0;
      left &= ~here;
      unseen[w + 1] &= ~next;
      first[w] |= uint64_t{1} << i;
      const auto set = [&](Plane& plane) { plane[w] |= here, plane[w + 1] |= next; };
      if (s.classes & unicode::kLetter) set(letter);
      if (s.classes & unicode::kNumber) set(number);
      if (s.classes & unicode::kSpace) set(space);
      if (cased && (s.classes & unicode::kUpper)) set(upper);
      if (cased && (s.classes & unicode::kLower)) set(lower);
      if (s.classes & (unicode::kNumber | unicode::kSpace)) set(rare);
      if (s.classes & unicode::kMark) set(this->mark);
    }
  }
}

}  // namespace bpe
