// The grammars of the split patterns, sixty-four bytes at a time: starts(w) sets a bit for each byte of the window at
// which a pre-token begins; bit 0 is always set. Starts that depend on bytes outside the window are left out: the last
// pre-token of a window is looked at again from its start, or by the scalar grammar of grammar.hpp, of which each
// grammar here is a faster version. Where the text ends within the window and nothing was left out, its end is set too.
#pragma once

#include <cstdint>

#include "splitting/bit_planes.hpp"
#include "splitting/grammar.hpp"

namespace bpe {

namespace scan {

// Sixty-four bytes of a text from the start of a pre-token. `valid` masks those that are known, from bit 0 on.
struct ByteWindow {
  const BitPlanes& planes;
  const uint8_t* text;
  const uint8_t* end;  // of the text
  size_t word;
  unsigned shift;
  uint64_t valid;
  uint64_t text_end;  // the bit after the text, if it ends within the window and no symbol of it is left out

  ByteWindow(const BitPlanes& planes, const uint8_t* base, const uint8_t* text, const uint8_t* end)
      : planes(planes), text(text), end(end) {
    const size_t at = static_cast<size_t>(text - base), left = planes.size - at;
    word = at >> 6;
    shift = at & 63;
    text_end = left >= 64 ? 0 : uint64_t{1} << left;
    valid = text_end - 1;
  }
  uint64_t of(const BitPlanes::Plane& plane) const {
    return ((plane[word] >> shift) | (plane[word + 1] << 1 << (63 - shift))) & valid;
  }
  // Cuts the window before the lowest bit of `mask`.
  void before(uint64_t mask) { valid &= (mask & -mask) - 1, text_end = 0; }
  uint64_t top() const { return valid & ~(valid >> 1); }
};

inline uint64_t highest(uint64_t mask) { return mask ? uint64_t{1} << (63 - __builtin_clzll(mask)) : 0; }
inline uint64_t lowest(uint64_t mask) { return mask & -mask; }
inline uint64_t heads(uint64_t runs) { return runs & ~(runs << 1); }

// The starts in runs of white space. `tails` is the white space after the last newline of a run, or all of it if
// newlines do not matter. Pre-tokens begin where runs and tails begin, and at the last symbol of a tail that ends in
// the window: that symbol stands alone or leads what follows.
inline uint64_t space_starts(uint64_t runs, uint64_t tails, uint64_t valid) {
  const uint64_t begin = heads(tails), ends = (tails + begin) & ~tails & valid;
  return heads(runs) | begin | ends >> 1;
}

// Starts of numbers in groups of `kMax` digits.
template <int kMax>
inline uint64_t number_starts(uint64_t number) {
  if (kMax == 1) return number;
  uint64_t starts = heads(number), full = number;
  for (int i = 1; i <= kMax; ++i) full &= number << i;
  if (full)
    for (uint64_t next = (starts << kMax) & full; next; next = (next << kMax) & full) starts |= next;
  return starts;
}

// The letters that follow a single symbol of `others` (neither letter, number nor white space) and belong to its
// pre-token. `free` are the heads of runs of `others` that do not follow a blank.
inline uint64_t led_by_single(uint64_t others, uint64_t free, uint64_t first, uint64_t letter) {
  const uint64_t up_to_second = others & ~(others & first & ~heads(others));
  return (up_to_second + free) & ~up_to_second & letter;
}

// The masks that cl100k, llama3, qwen2 and o200k have in common: white space up to the last newline, newlines after
// punctuation, and a symbol that may lead letters.
struct Gpt4Masks {
  uint64_t letter, number, newline, blank, apostrophe, first, others, eaten, runs, tails, free, led;
  uint64_t limit = ~uint64_t{0};  // the starts that do not depend on bytes outside the window

  explicit Gpt4Masks(const ByteWindow& w)
      : letter(w.of(w.planes.letter)),
        number(w.of(w.planes.number)),
        newline(w.of(w.planes.newline)),
        blank(w.of(w.planes.blank)),
        apostrophe(w.of(w.planes.apostrophe)),
        first(w.of(w.planes.first)) {
    const uint64_t space = w.of(w.planes.space);
    others = w.valid & ~(letter | number | space);
    eaten = newline & ~(newline + (newline & others << 1));  // newlines right after punctuation belong to it
    runs = space & ~eaten;
    const uint64_t newlines = newline & ~eaten;
    tails = runs & ~newlines;
    // two cases that the masks cannot decide: a newline after blanks, and blanks after a newline up to the window's end
    const uint64_t back = (tails + heads(tails)) & newlines;
    uint64_t unsure = back;
    if ((tails & w.top()) && (highest(heads(tails)) & ~heads(runs))) unsure |= w.top();
    if (unsure) limit = (highest(heads(runs) & ((lowest(unsure) << 1) - 1)) << 1) - 1;
    free = heads(others) & ~(blank << 1);
    led = led_by_single(others, free, first, letter) | (letter & tails << 1);
  }
  template <int kDigits>
  uint64_t starts(uint64_t valid) const {
    return space_starts(runs, tails, valid) | number_starts<kDigits>(number) | free | (heads(letter) & ~led);
  }
};

// Bytes of the contraction at an apostrophe.
template <bool kIgnoreCase>
inline unsigned contraction_at(const ByteWindow& w, uint64_t apostrophe) {
  return static_cast<unsigned>(contraction<kIgnoreCase>(w.text + __builtin_ctzll(apostrophe), w.end));
}

struct VectorGpt2 : Gpt2 {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(ByteWindow w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const uint64_t letter = w.of(w.planes.letter), number = w.of(w.planes.number), space = w.of(w.planes.space);
    const uint64_t others = w.valid & ~(letter | number | space), led = w.of(w.planes.blank) << 1;
    uint64_t starts =
        space_starts(space, space, w.valid) | ((heads(letter) | heads(number) | heads(others)) & ~led) | w.text_end;
    uint64_t left = heads(others) & ~led & w.of(w.planes.apostrophe) & letter >> 1;
    for (; left; left &= left - 1)
      if (const unsigned n = contraction_at<false>(w, left))
        starts = (starts & ~(lowest(left) << 1)) | (lowest(left) << n & letter);
    return starts;
  }
};

template <int kDigits, bool kEndFirst>
struct VectorGpt4 : Gpt4<kDigits, kEndFirst> {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(ByteWindow w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const Gpt4Masks masks(w);
    uint64_t starts = masks.starts<kDigits>(w.valid) | w.text_end;
    // letters right after a contraction are a new word
    uint64_t left = masks.free & masks.apostrophe & masks.letter >> 1 & masks.letter >> 2;
    for (; left; left &= left - 1)
      if (const unsigned n = contraction_at<true>(w, left)) starts |= lowest(left) << n & masks.letter;
    return starts & masks.limit;
  }
};

struct VectorO200k : O200k {
  static constexpr bool kCased = true, kWhole = false;
  static uint64_t starts(ByteWindow w) {
    if (const uint64_t rare = w.of(w.planes.rare) | w.of(w.planes.mark)) w.before(rare);
    const uint64_t upper = w.of(w.planes.upper), lower = w.of(w.planes.lower), either = upper & lower,
                   one = upper ^ lower;
    if (const uint64_t mixed = (either & one << 1) | (one & either << 1)) w.before(mixed);
    const Gpt4Masks masks(w);
    uint64_t starts = masks.starts<3>(w.valid) | (upper & ~either & (lower & ~either) << 1 & w.valid) | w.text_end;
    // one contraction belongs to the word before it
    uint64_t after = 0;  // the last one
    for (uint64_t left = masks.apostrophe & masks.letter << 1 & masks.letter >> 1; left; left &= left - 1) {
      const uint64_t bit = lowest(left);
      const unsigned n = bit == after ? 0 : contraction_at<true>(w, bit);
      if (n == 0) continue;
      after = bit << n;
      starts = (starts & ~(after - bit)) | (after & masks.letter);
    }
    if (!w.text_end) starts &= ~(masks.apostrophe & masks.letter << 1 & w.top());  // the rest is outside the window
    // newlines after punctuation may go on with a slash
    if (const uint64_t slash = masks.eaten << 1 & w.of(w.planes.slash)) starts &= lowest(slash) - 1;
    return starts & masks.limit;
  }
};

struct VectorWhitespace : Whitespace {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(ByteWindow w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const uint64_t space = w.of(w.planes.space);
    return space_starts(space, space, w.valid) | (heads(w.valid & ~space) & ~(w.of(w.planes.blank) << 1)) | w.text_end;
  }
};

struct VectorMetaspace : Metaspace {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(const ByteWindow& w) {
    const uint64_t block = w.of(w.planes.block);
    return heads(w.of(w.planes.blank) | block | block << 1 | block << 2) | w.text_end;
  }
};

// The whole text is one pre-token.
struct VectorNone {
  static constexpr bool kCased = false, kWhole = true;
  static uint64_t starts(const ByteWindow&) { return 1; }
  static const uint8_t* next(const uint8_t*, const uint8_t* end) { return end; }
};

}  // namespace scan
}  // namespace bpe
