// Which bytes, or characters, of a text each id stands for.
#pragma once

#include <cstdint>
#include <vector>

#include "encoding/encoder.hpp"

namespace bpe {

// How many characters of a text begin before a byte, asked for bytes in order. A byte that is not part of UTF-8 is a
// character.
class CharactersBefore {
 public:
  explicit CharactersBefore(Text text);
  bool valid() const { return valid_; }
  int64_t operator()(size_t end) {
    if (plain_) return static_cast<int64_t>(end);
    if (end < begun_) at_ = begun_ = 0, count_ = 0;  // not in order: anew
    if (valid_) {
      for (; at_ < end; ++at_) count_ += !unicode::continues(text_.data[at_]);
      begun_ = at_;
    } else {
      for (; at_ < end; ++count_)
        begun_ = at_ + 1, at_ += unicode::decode(text_.data + at_, text_.data + text_.size).length;
    }
    return count_;
  }

 private:
  Text text_;
  bool valid_, plain_;         // UTF-8 throughout; ASCII throughout
  size_t at_ = 0, begun_ = 0;  // `count_` holds for bytes begun_ to at_
  int64_t count_ = 0;
};

// Spans in bytes as spans in characters: of all that they touch. Gives the text's number of characters.
int64_t to_characters(Text text, int64_t* spans, size_t count);

// The ids of texts as in Encoder::Batch, two numbers for each id, and the length of every text, in bytes or characters.
struct SpanBatch {
  IdBuffer ids;
  std::vector<int64_t> offsets{0}, spans, lengths;
};
SpanBatch encode_spans_batch(const Encoder& encoder, Pattern pattern, const std::vector<Text>& texts,
                             const std::vector<SpecialPolicy>& policy, const uint32_t* widths, bool characters,
                             int num_threads);

}  // namespace bpe
