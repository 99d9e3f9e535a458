// Splits text into pre-tokens. One scanner; the pattern's grammar is a policy: where pre-tokens begin in a window of bit planes
// (windows.hpp), and the end of a single one where a window is not enough (grammar.hpp).
#pragma once

#include <cstdint>

#include "grammar.hpp"
#include "planes.hpp"
#include "windows.hpp"

namespace bpe {

enum class Pattern : int { kGpt2, kCl100k, kO200k, kWhitespace, kLlama3, kQwen2, kMetaspace, kNone };

namespace scan {

// Calls emit(start, end) for the pre-tokens that begin in [begin, stop); looks ahead up to `end`.
template <class Grammar, class Emit>
inline void each(const uint8_t* begin, const uint8_t* stop, const uint8_t* end, Emit&& emit) {
  Planes planes;
  const uint8_t* base = begin;  // where the planes begin
  for (const uint8_t* p = begin; p < stop;) {
    const uint8_t* const known = base + planes.size;
    if (p >= known || (known - p < 64 && known != end)) {
      planes.fill(p, end, Grammar::kCased);
      base = p;
    }
    uint64_t starts = Grammar::starts(Window(planes, base, p, end)) & ~uint64_t{1};
    const uint8_t* const window = p;
    if (starts == 0) {
      p = Grammar::next(window, end);
      emit(window, p);
    }
    for (; starts && p < stop; starts &= starts - 1) {
      const uint8_t* const from = p;
      p = window + __builtin_ctzll(starts);
      emit(from, p);
    }
  }
}

}  // namespace scan

template <class Emit>
inline void each_pretoken(Pattern pattern, const uint8_t* begin, const uint8_t* stop, const uint8_t* end, Emit&& emit) {
  switch (pattern) {
    case Pattern::kGpt2: return scan::each<scan::Gpt2Windows>(begin, stop, end, emit);
    case Pattern::kCl100k: return scan::each<scan::Gpt4Windows<3, true>>(begin, stop, end, emit);
    case Pattern::kO200k: return scan::each<scan::O200kWindows>(begin, stop, end, emit);
    case Pattern::kWhitespace: return scan::each<scan::WhitespaceWindows>(begin, stop, end, emit);
    case Pattern::kLlama3: return scan::each<scan::Gpt4Windows<3, false>>(begin, stop, end, emit);
    case Pattern::kQwen2: return scan::each<scan::Gpt4Windows<1, false>>(begin, stop, end, emit);
    case Pattern::kMetaspace: return scan::each<scan::MetaspaceWindows>(begin, stop, end, emit);
    case Pattern::kNone:
      if (begin < stop) emit(begin, end);
  }
}

}  // namespace bpe
