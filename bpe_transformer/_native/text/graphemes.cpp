#include "text/graphemes.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "text/unicode.hpp"
#include "text/unicode_properties.hpp"

namespace bpe {

namespace {

using unicode::GraphemeClass;

GraphemeClass class_of(const unicode::Symbol& symbol) {
  static const std::vector<GraphemeClass> table = [] {
    std::vector<GraphemeClass> classes(0x110000);
    for (size_t i = 0; i < std::size(unicode::kGraphemeRanges); ++i) {
      const uint32_t range = unicode::kGraphemeRanges[i];
      std::fill(classes.begin() + (range >> 8), classes.end(), static_cast<GraphemeClass>(range & 0xFF));
    }
    return classes;
  }();
  return symbol.code_point == unicode::kInvalid ? unicode::kControl : table[symbol.code_point];
}

// What of a grapheme's characters so far decides whether another one belongs to it.
struct Before {
  GraphemeClass last;
  bool odd_regional;                     // an odd number of regional indicators
  bool pictographic, pictographic_zwj;   // a pictograph and what extends it; the same and then a joiner
  bool consonant, consonant_and_linker;  // an Indic consonant and what extends it; with a linker among that

  explicit Before(GraphemeClass first)
      : last(first),
        odd_regional(first == unicode::kRegional),
        pictographic(first == unicode::kPictographic),
        pictographic_zwj(false),
        consonant(first == unicode::kIndicConsonant),
        consonant_and_linker(false) {}

  // The rules of the annex, GB3 to GB13.
  bool joins(GraphemeClass next) const {
    using namespace unicode;
    if (last == kCr) return next == kLf;
    if (last == kControl || last == kLf || next == kControl || next == kCr || next == kLf) return false;
    if (last == kLead && (next == kLead || next == kVowel || next == kLeadVowel || next == kLeadVowelTail)) return true;
    if ((last == kLeadVowel || last == kVowel) && (next == kVowel || next == kTail)) return true;
    if ((last == kLeadVowelTail || last == kTail) && next == kTail) return true;
    if (extends(next) || next == kSpacingMark || last == kPrepend) return true;
    if (consonant_and_linker && next == kIndicConsonant) return true;
    if (pictographic_zwj && next == kPictographic) return true;
    return odd_regional && next == kRegional;
  }
  void take(GraphemeClass next) {
    using namespace unicode;
    last = next;
    odd_regional = next == kRegional && !odd_regional;
    pictographic_zwj = pictographic && next == kZwj;
    pictographic = next == kPictographic || (pictographic && extends(next) && next != kZwj);
    consonant_and_linker = consonant && (next == kIndicLinker || (consonant_and_linker && is_indic(next)));
    consonant = next == kIndicConsonant || (consonant && is_indic(next));
  }
  static bool extends(GraphemeClass c) {
    using namespace unicode;
    return c == kExtend || c == kIndicExtend || c == kIndicLinker || c == kZwj;
  }
  static bool is_indic(GraphemeClass c) {
    using namespace unicode;
    return c == kIndicExtend || c == kIndicLinker || c == kZwj;
  }
};

}  // namespace

const uint8_t* grapheme_end(const uint8_t* p, const uint8_t* end) {
  if (end - p == 1 || (p[0] < 0x80 && p[1] < 0x80 && p[0] != '\r')) return p + 1;
  unicode::Symbol symbol = unicode::decode(p, end);
  Before before(class_of(symbol));
  for (p += symbol.length; p < end; p += symbol.length) {
    symbol = unicode::decode(p, end);
    const GraphemeClass next = class_of(symbol);
    if (!before.joins(next)) break;
    before.take(next);
  }
  return p;
}

}  // namespace bpe
