// The encoder for Python.
#include "python/encoder.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "encoding/batch.hpp"
#include "encoding/token_usage.hpp"

namespace {

using bpe::Encoder;

std::vector<bpe::WholeWord> to_words(const nb::list& pairs) {
  std::vector<bpe::WholeWord> words;
  words.reserve(pairs.size());
  for (const nb::handle pair : pairs) words.push_back({to_string(pair[0]), nb::cast<uint32_t>(pair[1])});
  return words;
}

// From (bytes, id, flags, bytes in normalised text).
std::vector<bpe::SoughtToken> to_tokens(const nb::list& tuples) {
  std::vector<bpe::SoughtToken> tokens;
  tokens.reserve(tuples.size());
  for (const nb::handle token : tuples)
    tokens.push_back(
        {to_string(token[0]), to_string(token[3]), nb::cast<uint32_t>(token[1]), nb::cast<uint8_t>(token[2])});
  return tokens;
}

void init(Encoder* self, const bpe::Alphabet& alphabet, const Input<uint32_t>& left, const Input<uint32_t>& right,
          const Input<uint32_t>& merged_ids, const nb::list& tokens, const nb::list& whole_words, int prefix,
          const nb::bytes& space_mark, const bpe::Normalizer* normalizer, uint32_t first_undone,
          std::vector<std::vector<uint32_t>> undone) {
  std::vector<bpe::Merge> merges(left.size());
  for (size_t i = 0; i < merges.size(); ++i) merges[i] = {left.data()[i], right.data()[i], merged_ids.data()[i]};
  bpe::TextStages stages(to_tokens(tokens), static_cast<bpe::PrefixSpace>(prefix), to_string(space_mark), normalizer);
  new (self)
      Encoder(alphabet, merges, std::move(stages), to_words(whole_words), bpe::Undone(first_undone, std::move(undone)));
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

// (pre-token, None) and (bytes of a special or added token, id), in the order of the text.
nb::list pretokens(const Encoder& self, const bpe::Pattern& pattern, nb::handle object, const nb::bytes& policies) {
  nb::list found;
  const bpe::Text text = text_of(object);
  const auto plain = [&](bpe::Text segment, const bpe::TextStages::Source&) {
    const uint8_t* const end = segment.data + segment.size;
    bpe::each_pretoken(pattern, segment.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
      const PatternsGil held(pattern);
      found.append(nb::make_tuple(nb::bytes(from, static_cast<size_t>(to - from)), nb::none()));
    });
  };
  self.stages().for_each_segment(text, to_policies(policies), false, plain, [&](uint32_t id, size_t start, size_t end) {
    found.append(nb::make_tuple(nb::bytes(text.data + start, end - start), id));
  });
  return found;
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
      .def("__init__", &init, "alphabet"_a, "left"_a, "right"_a, "merged_ids"_a, "tokens"_a, "whole_words"_a,
           "prefix"_a, "space_mark"_a, "normalizer"_a.none(), "first_undone"_a, "undone"_a, nb::keep_alive<1, 10>())
      .def_prop_rw("cache_bytes", &Encoder::cache_bytes, &Encoder::set_cache_bytes)
      .def("encode", &encode, "pattern"_a, "text"_a, "policies"_a)
      .def("pretokens", &pretokens, "pattern"_a, "text"_a, "policies"_a)
      .def("encode_pretokens", &encode_pretokens, "pretokens"_a)
      .def("encode_batch", &encode_batch, "pattern"_a, "texts"_a, "policies"_a, "num_threads"_a)
      .def("encode_rows", &encode_rows, "pattern"_a, "chunks"_a, "policies"_a, "num_threads"_a)
      .def("token_usage", &token_usage, "words"_a, "extents"_a, "num_threads"_a);
  bind_spans(encoder);
  bind_dropout(encoder);
}
