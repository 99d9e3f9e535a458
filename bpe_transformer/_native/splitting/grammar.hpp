// The grammars of the split patterns, one symbol at a time: next(p, end) is the end of the pre-token that begins at p.
// The patterns themselves, as regular expressions, are in tokenizer/splitting/patterns.py; property tests compare the
// two.
#pragma once

#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text/unicode.hpp"

namespace bpe {

namespace scan {

using unicode::decode;
using unicode::Symbol;
using namespace unicode;

inline uint8_t folded(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

// Bytes of the English contraction at p ('s 't 're 've 'm 'll 'd), 0 if none. Ignoring case, 's also covers U+017F.
template <bool kIgnoreCase>
inline int contraction(const uint8_t* p, const uint8_t* end) {
  if (end - p < 2 || p[0] != '\'') return 0;
  const uint8_t a = kIgnoreCase ? folded(p[1]) : p[1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  if (kIgnoreCase && p[1] == 0xC5 && p[2] == 0xBF) return 3;
  const uint8_t b = kIgnoreCase ? folded(p[2]) : p[2];
  return (a == 'l' && b == 'l') || ((a == 'v' || a == 'r') && b == 'e') ? 3 : 0;
}

// Skips symbols that have (kWanted) or lack (!kWanted) the classes in `mask`.
template <bool kWanted>
inline const uint8_t* skip(const uint8_t* p, const uint8_t* end, uint8_t mask) {
  while (p < end) {
    const uint8_t ascii = kAscii.of[*p];
    if (!(ascii & kNotAscii)) {
      if (((ascii & mask) != 0) != kWanted) break;
      ++p;
      continue;
    }
    const Symbol s = decode(p, end);
    if (((s.classes & mask) != 0) != kWanted) break;
    p += s.length;
  }
  return p;
}

// The end of a run of Hangul syllables (U+AC00 to U+D7A3) from p: all are letters of three bytes.
inline const uint8_t* hangul(const uint8_t* p, const uint8_t* end) {
  while (end - p >= 3 && (p[0] & 0xF0) == 0xE0 && continues(p[1]) && continues(p[2])) {
    const uint32_t cp = (uint32_t{p[0]} & 0x0F) << 12 | (uint32_t{p[1]} & 0x3F) << 6 | (p[2] & 0x3F);
    if (cp - 0xAC00 > 0xD7A3 - 0xAC00) break;
    p += 3;
  }
  return p;
}

// Skips ASCII letters from p, sixteen at a time; may stop before the last of them.
inline const uint8_t* ascii_letters(const uint8_t* p, const uint8_t* end) {
#ifdef __SSE2__
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    // signed comparison after moving 'a'..'z' to the bottom of the range
    const __m128i moved = _mm_sub_epi8(lower, _mm_set1_epi8(static_cast<char>('a' + 128)));
    const int is_letter = _mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8(-128 + 26)));
    if (is_letter != 0xFFFF) return p + __builtin_ctz(~is_letter);
    p += 16;
  }
#else
  (void)end;
#endif
  return p;
}

// skip<true>(p, end, kLetter), with fast paths for ASCII letters and Hangul.
inline const uint8_t* letters(const uint8_t* p, const uint8_t* end) {
  for (p = ascii_letters(p, end);;) {
    p = hangul(p, end);
    if (p == end) return p;
    const uint8_t ascii = kAscii.of[*p];
    if (!(ascii & kNotAscii)) {
      if (!(ascii & kLetter)) return p;
      p = ascii_letters(p + 1, end);
      continue;
    }
    const Symbol s = decode(p, end);
    if (!(s.classes & kLetter)) return p;
    p += s.length;
  }
}

inline bool is_newline(uint8_t byte) { return byte == '\n' || byte == '\r'; }

// The end of a pre-token of white space from p. With kNewlines, the last newline of the run if it holds one. Otherwise
// the whole run at the end of the text, and all but its last symbol elsewhere. kEndFirst: a run that reaches the end of
// the text is taken whole, newlines or not.
template <bool kNewlines, bool kEndFirst>
inline const uint8_t* white_space(const uint8_t* p, const uint8_t* end) {
  const uint8_t* q = p;
  const uint8_t* last = p;  // start of the last symbol of the run
  const uint8_t* after_newline = nullptr;
  while (q < end) {
    for (uint64_t eight; end - q > 8; q += 8) {  // blanks
      __builtin_memcpy(&eight, q, 8);
      if (eight != 0x2020202020202020ull) break;
      last = q + 7;
    }
    const Symbol s = decode(q, end);
    if (!(s.classes & kSpace)) break;
    if (kNewlines && is_newline(*q)) after_newline = q + 1;
    last = q;
    q += s.length;
  }
  if (kEndFirst && q == end) return q;
  if (kNewlines && after_newline) return after_newline;
  if (q == end) return q;
  return last > p ? last : q;
}

// A word of o200k from p: upper* lower+; nullptr if it does not match. See patterns.py.
inline const uint8_t* cased_word(const uint8_t* p, const uint8_t* end) {
  const uint8_t* q = p;
  const uint8_t* both_end = nullptr;  // end of the last symbol that is upper and lower at once
  while (q < end) {
    const Symbol s = decode(q, end);
    if (!(s.classes & kUpper)) break;
    q += s.length;
    if (s.classes & kLower) both_end = q;
  }
  const uint8_t* const lower = skip<true>(q, end, kLower);
  if (lower > q) return lower;
  return both_end ? both_end : nullptr;
}

struct Gpt2 {
  static const uint8_t* next(const uint8_t* p, const uint8_t* end) {
    if (const int n = contraction<false>(p, end)) return p + n;
    Symbol s = decode(p, end);
    const uint8_t* q = p;
    if (*p == ' ' && p + 1 < end) {
      const Symbol after = decode(p + 1, end);
      if (!(after.classes & kSpace)) s = after, q = p + 1;
    }
    if (s.classes & kSpace) return white_space<false, false>(p, end);
    if (s.classes & kLetter) return letters(q, end);
    if (s.classes & kNumber) return skip<true>(q, end, kNumber);
    return skip<false>(q, end, kSpace | kLetter | kNumber);
  }
};

template <bool kSlash>
inline const uint8_t* punctuation(const uint8_t* p, const uint8_t* end) {
  const uint8_t* q = skip<false>(p, end, kSpace | kLetter | kNumber);
  while (q < end && (is_newline(*q) || (kSlash && *q == '/'))) ++q;
  return q;
}

template <int kMax>
inline const uint8_t* numbers(const uint8_t* p, const uint8_t* end) {
  for (int n = 0; n < kMax && p < end; ++n) {
    const Symbol s = decode(p, end);
    if (!(s.classes & kNumber)) break;
    p += s.length;
  }
  return p;
}

// cl100k, llama3 and qwen2: numbers in groups of up to kDigits; kEndFirst as in white_space.
template <int kDigits, bool kEndFirst>
struct Gpt4 {
  static const uint8_t* next(const uint8_t* p, const uint8_t* end) {
    if (const int n = contraction<true>(p, end)) return p + n;
    const Symbol s = decode(p, end);
    if (s.classes & kLetter) return letters(p, end);
    if (s.classes & kNumber) return numbers<kDigits>(p, end);
    const uint8_t* const q = p + s.length;
    if (q < end) {
      const Symbol after = decode(q, end);
      if ((after.classes & kLetter) && !is_newline(*p)) return letters(q, end);
      if (*p == ' ' && !(after.classes & (kSpace | kNumber))) return punctuation<false>(q, end);
    }
    if (!(s.classes & kSpace)) return punctuation<false>(p, end);
    return white_space<true, kEndFirst>(p, end);
  }
};

struct O200k {
  static const uint8_t* word(const uint8_t* p, const uint8_t* end) {
    const Symbol s = decode(p, end);
    const bool may_lead = !(s.classes & (kLetter | kNumber)) && !is_newline(*p);
    const uint8_t* const after = p + s.length;
    const uint8_t* match = nullptr;
    if (may_lead && after < end) match = cased_word(after, end);
    if (!match) match = cased_word(p, end);
    if (!match) {  // upper letters alone
      const uint8_t* const start = may_lead ? after : p;
      const uint8_t* const q = skip<true>(start, end, kUpper);
      if (q == start) return nullptr;
      match = q;
    }
    return match + contraction<true>(match, end);
  }

  static const uint8_t* next(const uint8_t* p, const uint8_t* end) {
    if (const uint8_t* const q = word(p, end)) return q;
    const Symbol s = decode(p, end);
    if (s.classes & kNumber) return numbers<3>(p, end);
    if (*p == ' ' && p + 1 < end) {
      const Symbol after = decode(p + 1, end);
      if (!(after.classes & (kSpace | kLetter | kNumber))) return punctuation<true>(p + 1, end);
    }
    if (!(s.classes & kSpace)) return punctuation<true>(p, end);
    return white_space<true, false>(p, end);
  }
};

struct Whitespace {
  static const uint8_t* next(const uint8_t* p, const uint8_t* end) {
    const Symbol s = decode(p, end);
    if (!(s.classes & kSpace)) return skip<false>(p, end, kSpace);
    if (*p == ' ' && p + 1 < end && !(decode(p + 1, end).classes & kSpace)) return skip<false>(p + 1, end, kSpace);
    return white_space<false, false>(p, end);
  }
};

// A word begins at a run of spaces and U+2581.
struct Metaspace {
  static bool marks(const Symbol& s) { return s.code_point == ' ' || s.code_point == 0x2581; }
  template <bool kMarks>
  static const uint8_t* run(const uint8_t* p, const uint8_t* end) {
    while (p < end) {
      const Symbol s = decode(p, end);
      if (marks(s) != kMarks) break;
      p += s.length;
    }
    return p;
  }
  static const uint8_t* next(const uint8_t* p, const uint8_t* end) { return run<false>(run<true>(p, end), end); }
};

}  // namespace scan
}  // namespace bpe
