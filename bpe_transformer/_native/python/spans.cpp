// Encoding with spans for Python. `widths` has the number of base symbols of every id.
#include "encoding/spans.hpp"

#include "python/encoder.hpp"

namespace {

using bpe::Encoder;

// `trimming`: a byte, 0 or 1, for each step of it; with any, `edges` has two numbers for each id.
bpe::SpanForm to_form(const Input<uint32_t>& widths, bool characters, const nb::bytes& trimming,
                      const Input<uint32_t>& edges) {
  if (trimming.size() && edges.size() != 2 * widths.size())
    throw nb::value_error("there are not two edges for each id");
  std::vector<bool> steps(trimming.c_str(), trimming.c_str() + trimming.size());
  const auto* const by_id = reinterpret_cast<const bpe::TokenEdges*>(edges.data());
  return {widths.data(), characters, bpe::Trimming(std::move(steps), by_id)};
}

// (ids, [start, end, start, end, …], the text's length), in bytes of the text or in characters
nb::tuple encode_spans(const Encoder& self, const bpe::Pattern& pattern, nb::handle object, const nb::bytes& policies,
                       const Input<uint32_t>& widths, bool characters, const nb::bytes& trimming,
                       const Input<uint32_t>& edges) {
  constexpr size_t kLongText = 4096;
  const bpe::Text text = text_of(object);
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  const bpe::SpanForm form = to_form(widths, characters, trimming, edges);
  bpe::IdBuffer ids;
  std::vector<int64_t> spans;
  int64_t length = 0;
  work_on(text, kLongText, [&] {
    Encoder::BorrowedCache cache(self);
    length = bpe::encode_spans(self, pattern, text, by_token, form, *cache, ids, spans);
  });
  return nb::make_tuple(to_list(ids), to_array(std::move(spans)), length);
}

// (ids, row starts, spans, lengths)
nb::tuple spans_of_texts(const Encoder& self, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts,
                         const nb::bytes& policies, const bpe::SpanForm& form, int num_threads) {
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::SpanBatch batch;
  {
    const LongCall call(texts);
    batch = bpe::encode_spans_batch(self, pattern, texts, by_token, form, num_threads);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.row_starts)),
                        to_array(std::move(batch.spans)), to_array(std::move(batch.lengths)));
}

nb::tuple spans_batch(const Encoder& self, const bpe::Pattern& pattern, const nb::tuple& texts,
                      const nb::bytes& policies, const Input<uint32_t>& widths, bool characters,
                      const nb::bytes& trimming, const Input<uint32_t>& edges, int num_threads) {
  const bpe::SpanForm form = to_form(widths, characters, trimming, edges);
  return spans_of_texts(self, pattern, texts_of(texts), policies, form, num_threads);
}

nb::tuple spans_rows(const Encoder& self, const bpe::Pattern& pattern, const nb::list& chunks,
                     const nb::bytes& policies, const Input<uint32_t>& widths, bool characters,
                     const nb::bytes& trimming, const Input<uint32_t>& edges, int num_threads) {
  const Rows rows(chunks);
  const bpe::SpanForm form = to_form(widths, characters, trimming, edges);
  return spans_of_texts(self, pattern, rows.texts, policies, form, num_threads);
}

}  // namespace

void bind_spans(EncoderClass& encoder) {
  encoder
      .def("encode_spans", &encode_spans, "pattern"_a, "text"_a, "policies"_a, "widths"_a, "characters"_a, "trimming"_a,
           "edges"_a)
      .def("spans_batch", &spans_batch, "pattern"_a, "texts"_a, "policies"_a, "widths"_a, "characters"_a, "trimming"_a,
           "edges"_a, "num_threads"_a)
      .def("spans_rows", &spans_rows, "pattern"_a, "chunks"_a, "policies"_a, "widths"_a, "characters"_a, "trimming"_a,
           "edges"_a, "num_threads"_a);
}
