// What happens to a text before it is split into pre-tokens: special and added tokens are found in it, the text between
// them is normalised, tokens with the flag "normalized" are found in that, and a space is put before what is left.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoding/errors.hpp"
#include "encoding/token_finder.hpp"
#include "normalization/normalizer.hpp"
#include "text/text.hpp"

namespace bpe {

// Which segments get a space before them: none, the first or all, before tokens with the flag "normalized" are searched
// for; "IfNone": after that, and only those that do not begin with a space.
enum class PrefixSpace : uint8_t { kNever, kFirst, kAlways, kFirstIfNone, kAlwaysIfNone };

class TextStages {
 public:
  // `space_mark`: how tokens write a space, " " if they write it as it is; both count as one. `normalizer` may be null,
  // and has to outlive this.
  TextStages(std::vector<SoughtToken> tokens, PrefixSpace prefix, std::string space_mark, const Normalizer* normalizer);

  // Where the bytes of a segment come from.
  struct Source {
    size_t start, size;          // of the text that was normalised
    size_t offset = 0;           // of the segment in normalised text
    size_t before = 0;           // 1 if a space was put before the normalised text, whose start that is,
    size_t prefix = 0;           // or before the segment
    const Alignment* alignment;  // of normalised text; null if that is the text itself

    // Whether the segment's bytes are those of the text, from the same place on.
    bool is_text() const { return !start && !offset && !before && !prefix && !alignment; }
    // From places in the segment to places in the text, in pairs from `spans` on.
    void map(int64_t* spans, const int64_t* end) const {
      if (alignment) {
        for (; spans < end; spans += 2) map(spans[0], spans[1]);
        return;
      }
      const auto first = static_cast<int64_t>(start + (prefix ? offset : 0));
      const auto shift = static_cast<int64_t>(start + offset) - static_cast<int64_t>(before + prefix);
      for (; spans < end; ++spans) *spans = std::max(*spans + shift, first);
    }
    void map(int64_t& first, int64_t& last) const {
      const size_t end = place(static_cast<size_t>(last)), from = place(static_cast<size_t>(first));
      const bool is_empty = first == last || (prefix && last == 1) || (before && end <= 1);
      first = start_of(from);
      last = is_empty ? first : end_of(end);
    }

   private:
    // In normalised text, or that with a space before it.
    size_t place(size_t byte) const { return offset + (byte > prefix ? byte - prefix : 0); }
    int64_t start_of(size_t place) const {
      const auto begin = static_cast<int64_t>(start);
      if (before && !place) return begin;
      place -= before;
      if (!alignment) return begin + static_cast<int64_t>(place);
      const bool is_end = place == alignment->starts.size();
      return begin + (is_end ? static_cast<int64_t>(size) : alignment->starts[place]);
    }
    int64_t end_of(size_t place) const {
      const auto begin = static_cast<int64_t>(start);
      if (!alignment) return begin + static_cast<int64_t>(place - before);
      return begin + alignment->ends[place - before - 1];
    }
  };

  // Calls plain(segment, source) for the text between tokens, and special(id, start, end) for tokens, with their place
  // in the text, by `policies`, one for each token. Sources are right only if they are `wanted`. Throws
  // ForbiddenSpecial and TextGrows.
  template <class Plain, class Special>
  void for_each_segment(Text text, const std::vector<SpecialPolicy>& policies, bool wanted, Plain&& plain,
                        Special&& special) const {
    if (!written_.seeks(policies)) {
      if (text.size) segment({text, 0, policies, wanted}, plain, special);
      return;
    }
    written_.split(
        text, policies,
        [&](size_t from, size_t to) {
          segment({{text.data + from, to - from}, from, policies, wanted}, plain, special);
        },
        [&](size_t token, size_t start, size_t end) { special(tokens_[token].id, start, end); });
  }

 private:
  // A text between tokens as they are written, at byte `start` of the whole text.
  struct Part {
    Text text;
    size_t start;
    const std::vector<SpecialPolicy>& policies;
    bool wanted;
  };

  template <class Plain, class Special>
  void segment(const Part& part, Plain&& plain, Special&& special) const {
    const bool takes_space = prefix_ == PrefixSpace::kAlways || (prefix_ == PrefixSpace::kFirst && !part.start);
    Source source{.start = part.start, .size = part.text.size, .alignment = nullptr};
    if (!normalizer_ && !takes_space && !seeks_normalized_) return subsegment(part, part.text, source, plain);
    std::string buffer;
    Alignment alignment;
    Text text = normalizer_ ? normalized(part, part.wanted, buffer, alignment, source) : part.text;
    if (!text.size) return;
    if (takes_space) {
      if (text.data != part.text.data) buffer.insert(buffer.begin(), ' ');
      else buffer.assign(1, ' ').append(reinterpret_cast<const char*>(text.data), text.size);
      text = {reinterpret_cast<const uint8_t*>(buffer.data()), buffer.size()};
      source.before = 1;
    }
    if (!seeks_normalized_ || !found_.seeks(part.policies)) return subsegment(part, text, source, plain);
    try {
      found_.split(
          text, part.policies,
          [&](size_t from, size_t to) {
            source.offset = from;
            subsegment(part, {text.data + from, to - from}, source, plain);
          },
          [&](size_t token, size_t start, size_t end) {
            auto first = static_cast<int64_t>(start), last = static_cast<int64_t>(end);
            source.offset = source.prefix = 0;
            source.map(first, last);
            special(tokens_[token].id, static_cast<size_t>(first), static_cast<size_t>(last));
          });
    } catch (ForbiddenSpecial& problem) {
      source.offset = source.prefix = 0;
      problem.position = original(part, source, problem.position);
      throw;
    }
  }

  template <class Plain>
  void subsegment(const Part& part, Text text, Source& source, Plain&& plain) const {
    source.prefix = takes_prefix(part, text, source);
    try {
      if (!source.prefix) return plain(text, std::as_const(source));
      std::string spaced(1, ' ');
      spaced.append(reinterpret_cast<const char*>(text.data), text.size);
      plain(Text{reinterpret_cast<const uint8_t*>(spaced.data()), spaced.size()}, std::as_const(source));
    } catch (UnknownInText& problem) {
      problem.position = original(part, source, problem.position);
      throw;
    }
  }

  Text normalized(const Part& part, bool wanted, std::string& buffer, Alignment& alignment, Source& source) const;
  bool takes_prefix(const Part& part, Text text, const Source& source) const;
  size_t original(const Part& part, Source source, size_t position) const;

  std::vector<SoughtToken> tokens_;
  TokenFinder written_, found_;  // tokens as they are written, and in normalised text
  bool seeks_normalized_;
  PrefixSpace prefix_;
  std::string space_mark_;
  const Normalizer* normalizer_;
};

}  // namespace bpe
