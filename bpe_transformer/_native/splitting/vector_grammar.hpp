// The grammars of the split patterns, sixty-four bytes at a time: starts(w) has a bit for each byte of the window at
// which a pre-token begins. Bit 0 does, always. Starts past the last one it can be sure of are left out, so that the
// pre-token at the last start given goes on past the window, or is a matter for grammar.hpp, which says what each
// grammar here has to do.
#pragma once

#include <cstdint>

#include "splitting/bit_planes.hpp"
#include "splitting/grammar.hpp"

namespace bpe {

namespace scan {

// Sixty-four bytes from a place where a pre-token begins, of which those in `valid` count, a run of ones from bit 0.
struct Window {
  const Planes& planes;
  const uint8_t* text;
  const uint8_t* end;  // of the text
  size_t word;
  unsigned shift;
  uint64_t valid;

  Window(const Planes& planes, const uint8_t* base, const uint8_t* text, const uint8_t* end)
      : planes(planes), text(text), end(end) {
    const size_t at = static_cast<size_t>(text - base), left = planes.size - at;
    word = at >> 6;
    shift = at & 63;
    valid = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
  }
  uint64_t of(const Planes::Plane& plane) const {
    return ((plane[word] >> shift) | (plane[word + 1] << 1 << (63 - shift))) & valid;
  }
  // Makes what begins at the lowest bit of `mask` and all after it unknown.
  void before(uint64_t mask) { valid &= (mask & -mask) - 1; }
  uint64_t top() const { return valid & ~(valid >> 1); }
};

inline uint64_t highest(uint64_t mask) { return mask ? uint64_t{1} << (63 - __builtin_clzll(mask)) : 0; }
inline uint64_t lowest(uint64_t mask) { return mask & -mask; }
inline uint64_t heads(uint64_t runs) { return runs & ~(runs << 1); }

// White space in `runs`, of which `tails` follow the last newline if newlines count: where runs and tails begin, and
// where tails that end in the window have their last symbol, which stands alone or leads what follows.
inline uint64_t space_starts(uint64_t runs, uint64_t tails, uint64_t valid) {
  const uint64_t begin = heads(tails), ends = (tails + begin) & ~tails & valid;
  return heads(runs) | begin | ends >> 1;
}

// Starts of numbers in groups of `kMost` digits.
template <int kMost>
inline uint64_t number_starts(uint64_t number) {
  if (kMost == 1) return number;
  uint64_t starts = heads(number), full = number;
  for (int i = 1; i <= kMost; ++i) full &= number << i;
  if (full)
    for (uint64_t next = (starts << kMost) & full; next; next = (next << kMost) & full) starts |= next;
  return starts;
}

// Letters that a single symbol before them leads: `others` is what is neither letter, number nor white space, `free`
// those heads of its runs that no blank leads.
inline uint64_t led_by_single(uint64_t others, uint64_t free, uint64_t first, uint64_t letter) {
  const uint64_t up_to_second = others & ~(others & first & ~heads(others));
  return (up_to_second + free) & ~up_to_second & letter;
}

// What cl100k, llama3, qwen2 and o200k have in common: white space up to the last newline, newlines after punctuation,
// and a symbol that may lead letters.
struct Gpt4Parts {
  uint64_t letter, number, newline, blank, apostrophe, first, others, eaten, runs, tails, free, led;
  uint64_t limit = ~uint64_t{0};  // what is sure of the starts

  explicit Gpt4Parts(const Window& w)
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
    // two things that take a look past the window or back: a newline after blanks, and blanks after a newline to the
    // end
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
inline unsigned contraction_at(const Window& w, uint64_t apostrophe) {
  return static_cast<unsigned>(contraction<kIgnoreCase>(w.text + __builtin_ctzll(apostrophe), w.end));
}

struct Gpt2Windows : Gpt2 {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(Window w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const uint64_t letter = w.of(w.planes.letter), number = w.of(w.planes.number), space = w.of(w.planes.space);
    const uint64_t others = w.valid & ~(letter | number | space), led = w.of(w.planes.blank) << 1;
    uint64_t starts = space_starts(space, space, w.valid) | ((heads(letter) | heads(number) | heads(others)) & ~led);
    uint64_t left = heads(others) & ~led & w.of(w.planes.apostrophe) & letter >> 1;
    for (; left; left &= left - 1)
      if (const unsigned n = contraction_at<false>(w, left))
        starts = (starts & ~(lowest(left) << 1)) | (lowest(left) << n & letter);
    return starts;
  }
};

template <int kDigits, bool kEndFirst>
struct Gpt4Windows : Gpt4<kDigits, kEndFirst> {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(Window w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const Gpt4Parts parts(w);
    uint64_t starts = parts.starts<kDigits>(w.valid);
    // a contraction leads nothing: letters right after it are a word of their own
    uint64_t left = parts.free & parts.apostrophe & parts.letter >> 1 & parts.letter >> 2;
    for (; left; left &= left - 1)
      if (const unsigned n = contraction_at<true>(w, left)) starts |= lowest(left) << n & parts.letter;
    return starts & parts.limit;
  }
};

struct O200kWindows : O200k {
  static constexpr bool kCased = true, kWhole = false;
  static uint64_t starts(Window w) {
    if (const uint64_t rare = w.of(w.planes.rare) | w.of(w.planes.mark)) w.before(rare);
    const uint64_t upper = w.of(w.planes.upper), lower = w.of(w.planes.lower), either = upper & lower,
                   one = upper ^ lower;
    if (const uint64_t mixed = (either & one << 1) | (one & either << 1)) w.before(mixed);
    const Gpt4Parts parts(w);
    uint64_t starts = parts.starts<3>(w.valid) | (upper & ~either & (lower & ~either) << 1 & w.valid);
    // a contraction belongs to the word before it, but only one
    uint64_t after = 0;  // the last one
    for (uint64_t left = parts.apostrophe & parts.letter << 1 & parts.letter >> 1; left; left &= left - 1) {
      const uint64_t bit = lowest(left);
      const unsigned n = bit == after ? 0 : contraction_at<true>(w, bit);
      if (n == 0) continue;
      after = bit << n;
      starts = (starts & ~(after - bit)) | (after & parts.letter);
    }
    starts &= ~(parts.apostrophe & parts.letter << 1 & w.top());  // what follows is not seen
    // newlines after punctuation may go on with a slash
    if (const uint64_t slash = parts.eaten << 1 & w.of(w.planes.slash)) starts &= lowest(slash) - 1;
    return starts & parts.limit;
  }
};

struct WhitespaceWindows : Whitespace {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(Window w) {
    if (const uint64_t rare = w.of(w.planes.rare)) w.before(rare);
    const uint64_t space = w.of(w.planes.space);
    return space_starts(space, space, w.valid) | (heads(w.valid & ~space) & ~(w.of(w.planes.blank) << 1));
  }
};

struct MetaspaceWindows : Metaspace {
  static constexpr bool kCased = false, kWhole = false;
  static uint64_t starts(const Window& w) {
    const uint64_t block = w.of(w.planes.block);
    return heads(w.of(w.planes.blank) | block | block << 1 | block << 2);
  }
};

// The whole text is one pre-token.
struct NoneWindows {
  static constexpr bool kCased = false, kWhole = true;
  static uint64_t starts(const Window&) { return 1; }
  static const uint8_t* next(const uint8_t*, const uint8_t* end) { return end; }
};

}  // namespace scan
}  // namespace bpe
