// Encoding with BPE-dropout for Python.
#include "encoding/dropout.hpp"

#include "python/encoder.hpp"

namespace {

using bpe::Encoder;

// The ids of one text, which has stream 0.
nb::list sample(const Encoder& self, const bpe::Pattern& pattern, nb::handle object, const nb::bytes& policies,
                double dropout, uint64_t seed) {
  constexpr size_t kLongText = 1024;
  const std::vector<bpe::Text> texts{text_of(object)};
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::EncodedBatch batch;
  work_on(texts[0], kLongText, [&] { batch = bpe::sample_batch(self, pattern, texts, by_token, dropout, seed, 1); });
  return to_list(batch.ids);
}

// (ids, row starts)
nb::tuple sample_texts(const Encoder& self, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts,
                       const nb::bytes& policies, double dropout, uint64_t seed, int num_threads) {
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::EncodedBatch batch;
  {
    const LongCall call(texts);
    batch = bpe::sample_batch(self, pattern, texts, by_token, dropout, seed, num_threads);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.row_starts)));
}

nb::tuple sample_batch(const Encoder& self, const bpe::Pattern& pattern, const nb::tuple& texts,
                       const nb::bytes& policies, double dropout, uint64_t seed, int num_threads) {
  return sample_texts(self, pattern, texts_of(texts), policies, dropout, seed, num_threads);
}

nb::tuple sample_rows(const Encoder& self, const bpe::Pattern& pattern, const nb::list& chunks,
                      const nb::bytes& policies, double dropout, uint64_t seed, int num_threads) {
  const Rows rows(chunks);
  return sample_texts(self, pattern, rows.texts, policies, dropout, seed, num_threads);
}

}  // namespace

void bind_dropout(EncoderClass& encoder) {
  encoder.def("sample", &sample, "pattern"_a, "text"_a, "policies"_a, "dropout"_a, "seed"_a)
      .def("sample_batch", &sample_batch, "pattern"_a, "texts"_a, "policies"_a, "dropout"_a, "seed"_a, "num_threads"_a)
      .def("sample_rows", &sample_rows, "pattern"_a, "chunks"_a, "policies"_a, "dropout"_a, "seed"_a, "num_threads"_a);
}
