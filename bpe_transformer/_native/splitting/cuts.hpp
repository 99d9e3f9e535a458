// Places where a text can be cut without changing its pre-tokens.
#pragma once

#include <algorithm>
#include <cstdint>

#include "splitting/scanner.hpp"

namespace bpe {

// Whether a text can always be cut between `before` and `after`: pre-tokens end there whatever comes before and after,
// and the two sides split independently. Errs on the side of no.
// - Anything but white space, then a space: a space can only begin a pre-token there.
// - A letter or number, then another class: a pre-token with letters or numbers ends where their run ends. In o200k a
// word goes on with marks and with a contraction.
// - `whitespace`: anything but white space, then white space of any kind.
// - `metaspace`: a blank after anything but a blank. `none`: nowhere.
// - Compiled patterns know by their tables.
inline bool is_cut(const Pattern& pattern, const unicode::Symbol& before, const unicode::Symbol& after) {
  using namespace unicode;
  constexpr uint8_t kRun = kLetter | kNumber;
  if (pattern.name == Pattern::kCompiled) return pattern.sequence->is_cut(before.code_point, after.code_point);
  if (before.classes & kSpace) return false;
  switch (pattern.name) {
    case Pattern::kWhitespace: return (after.classes & kSpace) != 0;
    case Pattern::kMetaspace: return after.code_point == ' ' && before.code_point != 0x2581;
    case Pattern::kNone:
    case Pattern::kCompiled:
    case Pattern::kCustom: return false;
    case Pattern::kGpt2:
    case Pattern::kCl100k:
    case Pattern::kLlama3:
    case Pattern::kQwen2:
      return after.code_point == ' ' || ((before.classes & kRun) && (before.classes & kRun) != (after.classes & kRun));
    case Pattern::kO200k:
      if (after.code_point == ' ') return true;
      if (!(before.classes & kRun) || (before.classes & kRun) == (after.classes & kRun)) return false;
      return after.code_point != '\'' && !(after.classes & kMark);
  }
  return false;  // not reached
}

// The first cut after the symbol that begins at p or next after it; `end` if there is none.
inline const uint8_t* next_cut(const Pattern& pattern, const uint8_t* p, const uint8_t* end) {
  while (p < end && unicode::continues(*p)) ++p;
  if (p >= end) return end;
  unicode::Symbol before = unicode::decode(p, end);
  for (p += before.length; p < end; p += before.length) {
    const unicode::Symbol after = unicode::decode(p, end);
    if (is_cut(pattern, before, after)) return p;
    before = after;
  }
  return end;
}

// The last cut in (begin, end), or nullptr. `end` must be where a symbol ends.
inline const uint8_t* last_cut(const Pattern& pattern, const uint8_t* begin, const uint8_t* end) {
  for (size_t window = 64;; window *= 2) {
    const bool all = static_cast<size_t>(end - begin) <= window;
    const uint8_t* found = nullptr;
    const uint8_t* p = all ? begin : end - window;
    while ((p = next_cut(pattern, p, end)) < end) found = p;
    if (found || all) return found;
  }
}

}  // namespace bpe
