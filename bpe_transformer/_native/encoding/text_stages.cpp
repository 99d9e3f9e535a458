#include "encoding/text_stages.hpp"

namespace bpe {

namespace {

// Whether tokens are searched for when spaces have become marks.
bool marks_first(PrefixSpace prefix) {
  return prefix != PrefixSpace::kFirstIfNone && prefix != PrefixSpace::kAlwaysIfNone;
}

}  // namespace

TextStages::TextStages(std::vector<SoughtToken> tokens, PrefixSpace prefix, std::string space_mark,
                       const Normalizer* normalizer)
    : tokens_(std::move(tokens)),
      written_(tokens_, false, {}),
      found_(tokens_, true, marks_first(prefix) && space_mark != " " ? space_mark : std::string()),
      seeks_normalized_(false),
      prefix_(prefix),
      space_mark_(std::move(space_mark)),
      normalizer_(normalizer) {
  for (const SoughtToken& token : tokens_) seeks_normalized_ |= (token.flags & SoughtToken::kNormalized) != 0;
}

// The normalised text, which may be the text itself, and where it comes from if that is wanted.
Text TextStages::normalized(const Part& part, bool wanted, std::string& buffer, Alignment& alignment,
                            Source& source) const {
  const bool tells_start = prefix_ == PrefixSpace::kFirstIfNone && !part.start;
  wanted |= tells_start;
  const Text text = normalizer_->normalized(part.text, buffer, wanted ? &alignment : nullptr);
  if (text.data != part.text.data && wanted) source.alignment = &alignment;
  return text;
}

// Whether a space is put before a subsegment. Normalisation may have dropped the start of the text.
bool TextStages::takes_prefix(const Part& part, Text text, const Source& source) const {
  if (!text.size || marks_first(prefix_)) return false;
  if (prefix_ == PrefixSpace::kFirstIfNone) {
    if (part.start || source.offset) return false;
    if (source.alignment && source.alignment->starts[0]) return false;
  }
  const std::string_view segment(reinterpret_cast<const char*>(text.data), text.size);
  return !segment.starts_with(' ') && !segment.starts_with(space_mark_);
}

// The place in the text of byte `position` of a segment.
size_t TextStages::original(const Part& part, Source source, size_t position) const {
  std::string buffer;
  Alignment alignment;
  if (normalizer_ && normalizer_->normalized(part.text, buffer, &alignment).data != part.text.data)
    source.alignment = &alignment;
  auto first = static_cast<int64_t>(position), last = first;
  source.map(first, last);
  return static_cast<size_t>(first);
}

}  // namespace bpe
