#include "text/characters.hpp"

#include <algorithm>

#include "text/unicode.hpp"

namespace bpe {

namespace {

// How many characters of a text begin before a byte; fast for bytes in order.
class CharactersBefore {
 public:
  explicit CharactersBefore(Text text) : text_(text), valid_(unicode::valid_prefix(text.data, text.size) == text.size) {
    ascii_ = valid_ && std::none_of(text.data, text.data + text.size, [](uint8_t byte) { return byte >= 0x80; });
  }
  bool valid() const { return valid_; }
  int64_t operator()(size_t end) {
    if (ascii_) return static_cast<int64_t>(end);
    if (end < counted_from_) at_ = counted_from_ = 0, count_ = 0;  // not in order: from the beginning
    if (valid_) {
      for (; at_ < end; ++at_) count_ += !unicode::continues(text_.data[at_]);
      counted_from_ = at_;
    } else {
      for (; at_ < end; ++count_) {
        counted_from_ = at_ + 1;
        at_ += unicode::decode(text_.data + at_, text_.data + text_.size).length;
      }
    }
    return count_;
  }

 private:
  Text text_;
  bool valid_, ascii_;                // UTF-8 throughout; ASCII throughout
  size_t at_ = 0, counted_from_ = 0;  // `count_` holds for bytes counted_from_ to at_
  int64_t count_ = 0;
};

}  // namespace

int64_t to_characters(Text text, int64_t* spans, size_t count) {
  CharactersBefore starts(text), ends = starts;
  size_t last = 0;         // where the span before ends,
  int64_t until_last = 0;  // and how many characters begin before that
  for (size_t i = 0; i < count; ++i, spans += 2) {
    const auto start = static_cast<size_t>(spans[0]), end = static_cast<size_t>(spans[1]);
    if (start == last && starts.valid())
      spans[0] = until_last - (start < text.size && unicode::continues(text.data[start]));
    else spans[0] = start < text.size ? starts(start + 1) - 1 : starts(text.size);
    if (end == start) {
      spans[1] = spans[0];
      continue;
    }
    spans[1] = until_last = ends(end);
    last = end;
  }
  return ends(text.size);
}

}  // namespace bpe
