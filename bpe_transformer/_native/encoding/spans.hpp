// Encoding with spans: which bytes, or characters, of a text each id stands for.
#pragma once

#include <cstdint>
#include <vector>

#include "encoding/encoder.hpp"
#include "encoding/trimming.hpp"

namespace bpe {

// What spans are made of: `widths` has the number of base symbols of every id. They are in characters or in bytes.
struct SpanForm {
  const uint32_t* widths;
  bool characters;
  Trimming trimming;
};

// Appends the ids of a text and what each stands for: spans[2 * i] to spans[2 * i + 1]. A token of several symbols
// covers them all; one without any bytes covers none. Returns the text's length, in the same unit.
int64_t encode_spans(const Encoder& encoder, const Pattern& pattern, Text text,
                     const std::vector<SpecialPolicy>& policies, const SpanForm& form, WordCache& cache, IdBuffer& out,
                     std::vector<int64_t>& spans);

// Text i has ids[row_starts[i]] to ids[row_starts[i + 1]], two numbers of `spans` for each id, and lengths[i] bytes or
// characters.
struct SpanBatch {
  IdBuffer ids;
  std::vector<int64_t> row_starts{0}, spans, lengths;
};
SpanBatch encode_spans_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                             const std::vector<SpecialPolicy>& policies, const SpanForm& form, int num_threads);

}  // namespace bpe
