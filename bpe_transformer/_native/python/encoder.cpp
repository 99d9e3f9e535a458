// The encoder for Python.
#include "python/encoder.hpp"

#include <nanobind/stl/pair.h>

#include "encoding/batch.hpp"
#include "encoding/token_usage.hpp"

namespace {

using bpe::Encoder;

std::vector<bpe::SpecialToken> to_tokens(const nb::list& pairs) {
  std::vector<bpe::SpecialToken> tokens;
  tokens.reserve(pairs.size());
  for (const nb::handle pair : pairs) tokens.push_back({to_string(pair[0]), nb::cast<uint32_t>(pair[1])});
  return tokens;
}

void init(Encoder* self, const bpe::Alphabet& alphabet, const Input<uint32_t>& left, const Input<uint32_t>& right,
          const Input<uint32_t>& merged_ids, const nb::list& specials, const nb::list& whole_words, int prefix) {
  std::vector<bpe::Merge> merges(left.size());
  for (size_t i = 0; i < merges.size(); ++i) merges[i] = {left.data()[i], right.data()[i], merged_ids.data()[i]};
  new (self)
      Encoder(alphabet, merges, to_tokens(specials), to_tokens(whole_words), static_cast<bpe::PrefixSpace>(prefix));
}

nb::list encode(const Encoder& self, const bpe::Pattern& pattern, nb::handle object, const nb::bytes& policies) {
  constexpr size_t kLongText = 4096;
  const bpe::Text text = text_of(object);
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::IdBuffer ids;
  work_on(text, kLongText, [&] {
    Encoder::BorrowedCache cache(self);
    self.encode(pattern, text, by_token, *cache, ids);
  });
  return to_list(ids);
}

nb::list encode_plain(const Encoder& self, const bpe::Pattern& pattern, const nb::bytes& object) {
  bpe::IdBuffer ids;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    Encoder::BorrowedCache cache(self);
    self.encode_plain(pattern, text, *cache, ids);
  }
  return to_list(ids);
}

nb::list encode_pretokens(const Encoder& self, const nb::list& pretokens) {
  Encoder::BorrowedCache cache(self);
  bpe::IdBuffer ids;
  encode_each(pretokens, [&](std::string_view pretoken, size_t) { self.encode_pretoken(pretoken, *cache, ids); });
  return to_list(ids);
}

// (ids, row starts)
nb::tuple encode_texts(const Encoder& self, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts,
                       const nb::bytes& policies, int num_threads) {
  const std::vector<bpe::SpecialPolicy> by_token = to_policies(policies);
  bpe::EncodedBatch batch;
  {
    const LongCall call(texts);
    batch = bpe::encode_batch(self, pattern, texts, by_token, num_threads);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.row_starts)));
}

nb::tuple encode_batch(const Encoder& self, const bpe::Pattern& pattern, const nb::tuple& texts,
                       const nb::bytes& policies, int num_threads) {
  return encode_texts(self, pattern, texts_of(texts), policies, num_threads);
}

nb::tuple encode_rows(const Encoder& self, const bpe::Pattern& pattern, const nb::list& chunks,
                      const nb::bytes& policies, int num_threads) {
  const Rows rows(chunks);
  return encode_texts(self, pattern, rows.texts, policies, num_threads);
}

// (how often each id occurs, how many of these hold a letter, mark or number)
std::pair<Array<uint64_t>, uint64_t> token_usage(const Encoder& self, const bpe::WordCounts& words,
                                                 const Input<uint32_t>& extents, int num_threads) {
  const std::vector<uint32_t> by_id(extents.data(), extents.data() + extents.size());
  bpe::TokenUsage usage;
  {
    const LongCall call(words.memory());
    usage = bpe::token_usage(self, words, by_id, num_threads);
  }
  return {to_array(std::move(usage.occurrences)), usage.in_words};
}

}  // namespace

void bind_encoder(nb::module_& m) {
  m.attr("PLAIN") = static_cast<int>(bpe::SpecialPolicy::kPlain);
  m.attr("ALLOW") = static_cast<int>(bpe::SpecialPolicy::kAllow);
  m.attr("FORBID") = static_cast<int>(bpe::SpecialPolicy::kForbid);
  EncoderClass encoder(m, "Encoder");
  encoder
      .def("__init__", &init, "alphabet"_a, "left"_a, "right"_a, "merged_ids"_a, "specials"_a, "whole_words"_a,
           "prefix"_a)
      .def_prop_rw("cache_bytes", &Encoder::cache_bytes, &Encoder::set_cache_bytes)
      .def("encode", &encode, "pattern"_a, "text"_a, "policies"_a)
      .def("encode_plain", &encode_plain, "pattern"_a, "text"_a)
      .def("encode_pretokens", &encode_pretokens, "pretokens"_a)
      .def("encode_batch", &encode_batch, "pattern"_a, "texts"_a, "policies"_a, "num_threads"_a)
      .def("encode_rows", &encode_rows, "pattern"_a, "chunks"_a, "policies"_a, "num_threads"_a)
      .def("token_usage", &token_usage, "words"_a, "extents"_a, "num_threads"_a);
  bind_spans(encoder);
  bind_dropout(m, encoder);
}
