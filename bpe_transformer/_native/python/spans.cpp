// Encoding with spans for Python. `widths` has the number of base symbols of every id.
#include "encoding/spans.hpp"

#include "python/encoder.hpp"
#include "text/characters.hpp"

namespace {

using bpe::Encoder;

// (ids, [start, end, start, end, …], the text's length), in bytes of the text or in characters
nb::tuple encode_spans(const Encoder& self, const bpe::Pattern& pattern, nb::handle object, const nb::bytes& policies,
                       const Input<uint32_t>& widths, bool characters) {
  constexpr size_t kLongText = 4096;
  const bpe::Text text = text_of(object);
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::IdBuffer ids;
  std::vector<int64_t> spans;
  auto length = static_cast<int64_t>(text.size);
  work_on(text, kLongText, [&] {
    Encoder::BorrowedCache cache(self);
    bpe::encode_spans(self, pattern, text, by_token, widths.data(), *cache, ids, spans);
    if (characters) length = bpe::to_characters(text, spans.data(), spans.size() / 2);
  });
  return nb::make_tuple(to_list(ids), to_array(std::move(spans)), length);
}

// (ids, row starts, spans, lengths)
nb::tuple spans_of_texts(const Encoder& self, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts,
                         const nb::bytes& policies, const Input<uint32_t>& widths, bool characters, int num_threads) {
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::SpanBatch batch;
  {
    const LongCall call(texts);
    batch = bpe::encode_spans_batch(self, pattern, texts, by_token, widths.data(), characters, num_threads);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.row_starts)),
                        to_array(std::move(batch.spans)), to_array(std::move(batch.lengths)));
}

nb::tuple spans_batch(const Encoder& self, const bpe::Pattern& pattern, const nb::tuple& texts,
                      const nb::bytes& policies, const Input<uint32_t>& widths, bool characters, int num_threads) {
  return spans_of_texts(self, pattern, texts_of(texts), policies, widths, characters, num_threads);
}

nb::tuple spans_rows(const Encoder& self, const bpe::Pattern& pattern, const nb::list& chunks,
                     const nb::bytes& policies, const Input<uint32_t>& widths, bool characters, int num_threads) {
  const Rows rows(chunks);
  return spans_of_texts(self, pattern, rows.texts, policies, widths, characters, num_threads);
}

}  // namespace

void bind_spans(EncoderClass& encoder) {
  encoder.def("encode_spans", &encode_spans, "pattern"_a, "text"_a, "policies"_a, "widths"_a, "characters"_a)
      .def("spans_batch", &spans_batch, "pattern"_a, "texts"_a, "policies"_a, "widths"_a, "characters"_a,
           "num_threads"_a)
      .def("spans_rows", &spans_rows, "pattern"_a, "chunks"_a, "policies"_a, "widths"_a, "characters"_a,
           "num_threads"_a);
}
