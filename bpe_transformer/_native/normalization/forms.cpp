#include "normalization/forms.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/interruption.hpp"
#include "normalization/normalization_tables.hpp"
#include "text/append_utf8.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

constexpr uint32_t kNumCodePoints = 0x110000;
// Hangul syllables (The Unicode Standard, section 3.12)
constexpr uint32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

bool is_compatible(Form form) { return form == Form::kNfkc || form == Form::kNfkd; }
bool composes(Form form) { return form == Form::kNfc || form == Form::kNfkc; }

using CodePointString = std::vector<uint32_t>;

// What the tables say, laid out for look-ups.
class Tables {
 public:
  static const Tables& get() {
    static const Tables tables;
    return tables;
  }

  uint8_t combining_class(uint32_t c) const { return combining_[c]; }
  // In a form: kBegins if a segment may begin with a character, kStable if it stays alone.
  uint8_t flags(Form form, uint32_t c) const { return flags_[c] >> (2 * static_cast<unsigned>(form)) & 3; }
  static constexpr uint8_t kBegins = 1, kStable = 2, kBoth = kBegins | kStable;

  // The place behind the characters of three bytes from p on that all begin segments and stay alone, in blocks where
  // all do.
  const uint8_t* after_stable(Form form, const uint8_t* p, const uint8_t* end) const {
    const unsigned shift = static_cast<unsigned>(form);
    while (end - p >= 3 && (p[0] & 0xF0) == 0xE0 && unicode::continues(p[1]) && unicode::continues(p[2]) &&
           (stable_blocks_[size_t{p[0] & 0x0Fu} << 6 | (p[1] & 0x3F)] >> shift & 1))
      p += 3;
    return p;
  }

  void decompose(Form form, uint32_t c, CodePointString& out) const {
    if (c - kSyllable < kSyllables) {
      const uint32_t index = c - kSyllable, tail = index % kTails;
      out.push_back(kLead + index / kTails / kVowels);
      out.push_back(kVowel + index / kTails % kVowels);
      if (tail) out.push_back(kTail + tail);
      return;
    }
    const uint16_t place = place_[is_compatible(form)][c];
    if (!place) return out.push_back(c);
    const std::span<const uint32_t> text = texts_[place];
    out.insert(out.end(), text.begin(), text.end());
  }

  // The character that two compose to, 0 if none.
  uint32_t compose(uint32_t first, uint32_t second) const {
    if (first - kLead < kLeads && second - kVowel < kVowels)
      return kSyllable + ((first - kLead) * kVowels + (second - kVowel)) * kTails;
    if (first - kSyllable < kSyllables && (first - kSyllable) % kTails == 0 && second - kTail - 1 < kTails - 1)
      return first + (second - kTail);
    const auto found = compositions_.find(uint64_t{first} << 32 | second);
    return found == compositions_.end() ? 0 : found->second;
  }

 private:
  Tables() : combining_(kNumCodePoints, 0), flags_(kNumCodePoints, 0) {
    for (auto& places : place_) places.assign(kNumCodePoints, 0);
    for (size_t i = 0; i < std::size(unicode::kCombining); i += 2)
      combining_[unicode::kCombining[i]] = static_cast<uint8_t>(unicode::kCombining[i + 1]);
    texts_.emplace_back();
    add(unicode::kCanonical, true);
    add(unicode::kCompatible, false);
    std::vector<bool> joins(kNumCodePoints, false);  // to a character before it
    for (uint32_t vowel = 0; vowel < kVowels; ++vowel) joins[kVowel + vowel] = true;
    for (uint32_t tail = 1; tail < kTails; ++tail) joins[kTail + tail] = true;
    for (size_t i = 0; i < std::size(unicode::kCompositions); i += 3) {
      const uint32_t* const one = unicode::kCompositions + i;
      compositions_.emplace(uint64_t{one[0]} << 32 | one[1], one[2]);
      joins[one[1]] = true;
    }
    for (const Form form : {Form::kNfc, Form::kNfd, Form::kNfkc, Form::kNfkd}) add_flags(form, joins);
  }

  void add(std::span<const uint32_t> table, bool is_canonical) {
    for (size_t i = 0; i < table.size(); i += 2 + table[i + 1]) {
      place_[1][table[i]] = static_cast<uint16_t>(texts_.size());
      if (is_canonical) place_[0][table[i]] = static_cast<uint16_t>(texts_.size());
      texts_.push_back(table.subspan(i + 2, table[i + 1]));
    }
  }

  void add_flags(Form form, const std::vector<bool>& joins);

  std::vector<uint8_t> combining_, flags_;
  std::array<uint8_t, 1024> stable_blocks_{};   // of 64 code points of three bytes: in which forms all are kBoth
  std::array<std::vector<uint16_t>, 2> place_;  // in texts_, canonical and compatible; 0 for none
  std::vector<std::span<const uint32_t>> texts_;
  std::unordered_map<uint64_t, uint32_t> compositions_;
};

void reorder(const Tables& tables, CodePointString& text) {
  const auto is_less = [&](uint32_t a, uint32_t b) { return tables.combining_class(a) < tables.combining_class(b); };
  for (auto first = text.begin(); first != text.end();) {
    auto last = std::next(first);
    if (tables.combining_class(*first))
      while (last != text.end() && tables.combining_class(*last)) ++last;
    if (last - first > 1) std::stable_sort(first, last, is_less);
    first = last;
  }
}

void compose(const Tables& tables, CodePointString& text) {
  size_t kept = 0, starter = SIZE_MAX;
  uint8_t before = 0;  // the combining class of the last character that has stayed after the starter
  for (const uint32_t c : CodePointString(text)) {
    const uint8_t here = tables.combining_class(c);
    const bool is_blocked = starter != SIZE_MAX && kept > starter + 1 && (before >= here || before == 0);
    if (starter != SIZE_MAX && !is_blocked)
      if (const uint32_t composed = tables.compose(text[starter], c)) {
        text[starter] = composed;
        continue;
      }
    if (!here) starter = kept;
    before = here;
    text[kept++] = c;
  }
  text.resize(kept);
}

void normalize(const Tables& tables, Form form, const CodePointString& source, CodePointString& out) {
  out.clear();
  for (const uint32_t c : source) tables.decompose(form, c, out);
  if (source.size() > 1) reorder(tables, out);  // the text of one character is in order
  if (composes(form)) compose(tables, out);
}

void Tables::add_flags(Form form, const std::vector<bool>& joins) {
  const unsigned shift = 2 * static_cast<unsigned>(form);
  CodePointString out;
  for (uint32_t c = 0; c < kNumCodePoints; ++c) {
    uint8_t flags = kBegins | kStable;
    const bool is_syllable = c - kSyllable < kSyllables;
    if (is_syllable) {
      if (!composes(form)) flags = kBegins;
    } else if (combining_[c] || joins[c] || place_[is_compatible(form)][c]) {
      normalize(*this, form, {c}, out);
      if (out.size() != 1 || out[0] != c) flags &= static_cast<uint8_t>(~kStable);
      out.clear();
      decompose(is_compatible(form) ? Form::kNfkd : Form::kNfd, c, out);
      if (combining_[out[0]] || (composes(form) && joins[out[0]])) flags &= static_cast<uint8_t>(~kBegins);
    }
    flags_[c] |= static_cast<uint8_t>(flags << shift);
  }
  for (uint32_t block = 0x800 >> 6; block < stable_blocks_.size(); ++block) {
    const uint32_t first = block << 6;
    bool all = first < 0xD800 || first > 0xDFFF;  // no surrogates
    for (uint32_t c = first; c < first + 64; ++c) all &= this->flags(form, c) == kBoth;
    if (all) stable_blocks_[block] |= static_cast<uint8_t>(1u << static_cast<unsigned>(form));
  }
}

// The place behind ASCII from p on; may stop early.
const uint8_t* after_ascii(const uint8_t* p, const uint8_t* end) {
  for (uint64_t eight; end - p >= 8; p += 8) {
    __builtin_memcpy(&eight, p, 8);
    if (eight & 0x8080808080808080ull) return p + __builtin_ctzll(eight & 0x8080808080808080ull) / 8;
  }
  return p;
}

uint8_t flags_of(const Tables& tables, Form form, const unicode::Symbol& symbol) {
  return symbol.code_point == unicode::kInvalid ? Tables::kBegins | Tables::kStable
                                                : tables.flags(form, symbol.code_point);
}

// Decomposes the Hangul syllables from p on that are segments by themselves; moves p behind them.
void decompose_syllables(const Tables& tables, Form form, const uint8_t*& p, const uint8_t* begin, const uint8_t* end,
                         std::string& out, Alignment* alignment) {
  const auto write = [](char* to, uint32_t jamo) {
    to[0] = static_cast<char>(0xE0 | jamo >> 12);
    to[1] = static_cast<char>(0x80 | (jamo >> 6 & 0x3F));
    to[2] = static_cast<char>(0x80 | (jamo & 0x3F));
  };
  while (p < end) {
    const unicode::Symbol symbol = unicode::decode(p, end);
    const uint32_t index = symbol.code_point - kSyllable;
    if (index >= kSyllables) return;
    const uint8_t* const after = p + symbol.length;
    if (after < end && !(flags_of(tables, form, unicode::decode(after, end)) & Tables::kBegins)) return;
    char jamo[9];
    write(jamo, kLead + index / kTails / kVowels);
    write(jamo + 3, kVowel + index / kTails % kVowels);
    write(jamo + 6, kTail + index % kTails);
    const size_t bytes = index % kTails ? 9 : 6;
    out.append(jamo, bytes);
    if (alignment) alignment->changed(static_cast<size_t>(p - begin), static_cast<size_t>(after - begin), bytes);
    p = after;
  }
}

}  // namespace

bool begins_segment(Form form, uint32_t code_point) {
  return (Tables::get().flags(form, code_point) & Tables::kBegins) != 0;
}

size_t first_change(Form form, Text text, size_t from) {
  const Tables& tables = Tables::get();
  const uint8_t* const end = text.data + text.size;
  const uint8_t* segment = text.data + from;
  for (const uint8_t* p = segment; p < end;) {
    if (const uint8_t* const after = after_ascii(p, end); after > p) {
      p = after, segment = after - 1;
      continue;
    }
    if (const uint8_t* const after = tables.after_stable(form, p, end); after > p) {
      p = after, segment = after - 3;
      continue;
    }
    const unicode::Symbol symbol = unicode::decode(p, end);
    const uint8_t flags = flags_of(tables, form, symbol);
    if (flags & Tables::kBegins) segment = symbol.code_point == unicode::kInvalid ? p + 1 : p;
    if (flags != Tables::kBoth) return static_cast<size_t>(segment - text.data);
    p += symbol.length;
  }
  return text.size;
}

std::string normalized(Form form, Text text, Alignment* alignment) {
  const Tables& tables = Tables::get();
  const uint8_t* const end = text.data + text.size;
  std::string out;
  out.reserve(text.size + text.size / 8);
  CodePointString source, changed;
  Checkpoint* const checkpoint = Checkpoint::current();
  for (size_t at = 0; at < text.size;) {
    if (checkpoint) checkpoint->pass();
    const size_t change = first_change(form, text, at);
    out.append(reinterpret_cast<const char*>(text.data + at), change - at);
    if (alignment) alignment->same(at, change);
    const uint8_t* p = text.data + change;
    if (!composes(form)) decompose_syllables(tables, form, p, text.data, end, out, alignment);
    if (p > text.data + change) {
      at = static_cast<size_t>(p - text.data);
      continue;
    }
    source.clear();
    while (p < end) {  // to the end of the segment
      const unicode::Symbol symbol = unicode::decode(p, end);
      if (!source.empty() && (flags_of(tables, form, symbol) & Tables::kBegins)) break;
      if (symbol.code_point == unicode::kInvalid) break;
      source.push_back(symbol.code_point);
      p += symbol.length;
    }
    normalize(tables, form, source, changed);
    const size_t before = out.size();
    for (const uint32_t c : changed) append_utf8(c, out);
    at = static_cast<size_t>(p - text.data);
    if (alignment && changed == source) alignment->same(change, at);
    else if (alignment) alignment->changed(change, at, out.size() - before);
  }
  return out;
}

}  // namespace bpe
