// Splits text into pre-tokens. The scanner is a template over the pattern's grammar, which says where pre-tokens begin
// in sixty-four bytes of bit planes (vector_grammar.hpp) and, where that is not enough, where a single one ends
// (grammar.hpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/interruption.hpp"
#include "splitting/bit_planes.hpp"
#include "splitting/compiled/split_sequence.hpp"
#include "splitting/grammar.hpp"
#include "splitting/pattern.hpp"
#include "splitting/starts.hpp"
#include "splitting/vector_grammar.hpp"

namespace bpe {

namespace scan {

// The pre-tokens that begin in [begin, stop) of a text that goes on to `end`, a block at a time.
template <class Grammar>
class Splitter {
 public:
  static constexpr size_t kBlock =
      384;  // next() writes up to so many ends; those after the number that it returns have no meaning

  Splitter() = default;  // of no text so far
  Splitter(const Pattern&, const uint8_t* begin, const uint8_t* stop, const uint8_t* end)
      : p_(begin), stop_(stop), end_(end), run_end_(end), base_(begin) {}

  // Goes on with the next of many texts that lie one behind the other in memory that holds bytes up to run_end(), which
  // is called where the text is not within what was already looked at. They and those before them are UTF-8.
  template <class RunEnd>
  void begin_text(const uint8_t* begin, const uint8_t* end, RunEnd&& run_end) {
    p_ = begin;
    stop_ = end_ = end;
    const bool is_known = begin >= base_ && end <= base_ + filled_;
    if (!is_known) base_ = begin, filled_ = 0, run_end_ = run_end();
    planes_.size = is_known ? static_cast<size_t>(end - base_) : 0;
  }

  // Writes the ends of the next pre-tokens, each of which begins where the one before it ends; returns how many, 0
  // after the last.
  size_t next(const uint8_t** ends) {
    size_t n = 0;
    while (p_ < stop_ && n <= kBlock - 72) {
      if constexpr (Grammar::kWhole) {
        ends[n++] = p_ = end_;
        break;
      }
      const uint8_t* const known = base_ + planes_.size;
      if (p_ >= known || (known - p_ < 64 && known != end_)) {
        planes_.fill(p_, run_end_, Grammar::kCased);
        base_ = p_;
        filled_ = planes_.size;
        planes_.size = std::min(filled_, static_cast<size_t>(end_ - p_));
      }
      uint64_t starts = Grammar::starts(ByteWindow(planes_, base_, p_, end_)) & ~uint64_t{1};
      if (starts == 0) {
        ends[n++] = p_ = Grammar::next(p_, end_);
        continue;
      }
      if (stop_ - p_ < 64) starts = up_to_stop(starts);
      const uint8_t* const window = p_;
      p_ = window + (63 - __builtin_clzll(starts));
      list_(window, starts, ends + n);
      n += static_cast<size_t>(std::popcount(starts));
    }
    return n;
  }

 private:
  // The starts before stop_, and the first after it.
  uint64_t up_to_stop(uint64_t starts) const {
    const uint64_t before = (uint64_t{1} << (stop_ - p_)) - 1, after = starts & ~before;
    return (starts & before) | lowest(after);
  }

  const uint8_t* p_ = nullptr;
  const uint8_t* stop_ = nullptr;
  const uint8_t* end_ = nullptr;
  const uint8_t* run_end_ = nullptr;  // what follows the text up to here may be looked at with it
  const uint8_t* base_ = nullptr;     // the byte that the planes begin with
  size_t filled_ = 0;                 // bytes that they describe, those after the text included
  ListStarts list_ = list_starts();
  BitPlanes planes_;
};

// The grammar of compiled patterns.
struct Compiled {};

template <>
class Splitter<Compiled> {
 public:
  static constexpr size_t kBlock = 384;

  Splitter(const Pattern& pattern, const uint8_t* begin, const uint8_t*, const uint8_t* end)
      : sequence_(*pattern.sequence, begin, end) {}

  size_t next(const uint8_t** ends) { return sequence_.next(kBlock, starts_, ends); }
  // The starts of the pre-tokens of the last call, for patterns that do not keep all.
  const uint8_t* const* starts() const { return starts_; }

 private:
  compiled::SequenceSplitter sequence_;
  const uint8_t* starts_[kBlock];
};

// The grammar of the caller's split.
struct Custom {};

// Calls emit(start, end) for each pre-token of a custom pattern.
using Emitted = std::function<void(const uint8_t* from, const uint8_t* to)>;
void each_custom(const Pattern& pattern, const uint8_t* begin, const uint8_t* end, const Emitted& emit);

template <>
class Splitter<Custom> {
 public:
  static constexpr size_t kBlock = 384;

  Splitter(const Pattern& pattern, const uint8_t* begin, const uint8_t*, const uint8_t* end) {
    each_custom(pattern, begin, end,
                [&](const uint8_t* from, const uint8_t* to) { pretokens_.emplace_back(from, to); });
  }

  size_t next(const uint8_t** ends) {
    given_ = at_;
    at_ = std::min(given_ + kBlock, pretokens_.size());
    for (size_t i = given_; i < at_; ++i)
      starts_[i - given_] = pretokens_[i].first, ends[i - given_] = pretokens_[i].second;
    return at_ - given_;
  }
  const uint8_t* const* starts() const { return starts_; }

 private:
  std::vector<std::pair<const uint8_t*, const uint8_t*>> pretokens_;
  size_t given_ = 0, at_ = 0;
  const uint8_t* starts_[kBlock];
};

// Calls emit(start, end) for each.
template <class Grammar, class Emit>
inline void each(const Pattern& pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end, Emit&& emit) {
  if constexpr (std::is_same_v<Grammar, Custom>) return each_custom(pattern, begin, end, std::ref(emit));
  Splitter<Grammar> splitter(pattern, begin, stop, end);
  const uint8_t* ends[Splitter<Grammar>::kBlock];
  const uint8_t* from = begin;
  while (const size_t n = splitter.next(ends)) {
    pass_checkpoint();
    for (size_t i = 0; i < n; from = ends[i++]) {
      if constexpr (requires { splitter.starts(); })
        if (!pattern.keeps_all) from = splitter.starts()[i];
      emit(from, ends[i]);
    }
  }
}

}  // namespace scan

// Calls use.template operator()<Grammar>() with the grammar of a pattern.
template <class Use>
inline void with_grammar(const Pattern& pattern, Use&& use) {
  switch (pattern.name) {
    case Pattern::kGpt2: return use.template operator()<scan::VectorGpt2>();
    case Pattern::kCl100k: return use.template operator()<scan::VectorGpt4<3, true>>();
    case Pattern::kO200k: return use.template operator()<scan::VectorO200k>();
    case Pattern::kWhitespace: return use.template operator()<scan::VectorWhitespace>();
    case Pattern::kLlama3: return use.template operator()<scan::VectorGpt4<3, false>>();
    case Pattern::kQwen2: return use.template operator()<scan::VectorGpt4<1, false>>();
    case Pattern::kMetaspace: return use.template operator()<scan::VectorMetaspace>();
    case Pattern::kNone: return use.template operator()<scan::VectorNone>();
    case Pattern::kCompiled: return use.template operator()<scan::Compiled>();
    case Pattern::kCustom: return use.template operator()<scan::Custom>();
  }
}

// Calls emit(start, end) for the pre-tokens that begin in [begin, stop) of a text that goes on to `end`; of a compiled
// pattern, where stop is the end.
template <class Emit>
inline void each_pretoken(const Pattern& pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end,
                          Emit&& emit) {
  with_grammar(pattern, [&]<class Grammar>() { scan::each<Grammar>(pattern, begin, stop, end, emit); });
}

inline void scan::each_custom(const Pattern& pattern, const uint8_t* begin, const uint8_t* end, const Emitted& emit) {
  const CustomSplit& custom = *pattern.custom;
  custom.split({begin, static_cast<size_t>(end - begin)}, [&](size_t start, size_t stop, bool is_done) {
    if (!is_done) return each_pretoken(custom.rest, begin + start, begin + stop, begin + stop, emit);
    pass_checkpoint();
    emit(begin + start, begin + stop);
  });
}

}  // namespace bpe
