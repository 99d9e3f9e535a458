// The encoder for Python.
#include <algorithm>
#include <memory>

#include "encoding/encoder.hpp"
#include "encoding/spans.hpp"
#include "encoding/token_usage.hpp"
#include "python/conversions.hpp"
#include "splitting/cuts.hpp"
#include "text/utf32_to_utf8.hpp"

namespace {

// Calls encode(piece, start) for pre-tokens that follow each other, with the byte where each starts.
template <class Encode>
void each_piece(const nb::list& pieces, Encode&& encode) {
  size_t position = 0;
  for (const nb::handle piece : pieces) {
    const std::string_view bytes = view_of(piece);
    try {
      encode(bytes, position);
    } catch (const bpe::UnknownCharacter& cause) {
      throw bpe::UnknownInText(cause, 0, position + cause.position);
    }
    position += bytes.size();
  }
}

// Encodes without the GIL; encode(policies) gives a batch.
template <class Encode>
nb::object to_ids_and_offsets(const nb::bytes& policy, Encode&& encode) {
  const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
  bpe::Encoder::Batch batch;
  {
    const nb::gil_scoped_release release;
    batch = encode(policies);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.offsets)));
}

nb::object encode_texts(const bpe::Encoder& encoder, int pattern, const std::vector<bpe::Text>& texts,
                        const nb::bytes& policy, int num_threads) {
  return to_ids_and_offsets(policy, [&](const auto& policies) {
    return encoder.encode_batch(static_cast<bpe::Pattern>(pattern), texts, policies, num_threads);
  });
}

// (ids, offsets, spans, lengths)
nb::object spans_of_texts(const bpe::Encoder& encoder, int pattern, const std::vector<bpe::Text>& texts,
                          const nb::bytes& policy, const Input<uint32_t>& widths, bool characters, int num_threads) {
  const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
  bpe::SpanBatch batch;
  {
    const nb::gil_scoped_release release;
    batch = bpe::encode_spans_batch(encoder, static_cast<bpe::Pattern>(pattern), texts, policies, widths.data(),
                                    characters, num_threads);
  }
  return nb::make_tuple(to_array(std::move(batch.ids)), to_array(std::move(batch.offsets)),
                        to_array(std::move(batch.spans)), to_array(std::move(batch.lengths)));
}

nb::object sample_texts(const bpe::Encoder& encoder, int pattern, const std::vector<bpe::Text>& texts,
                        const nb::bytes& policy, double dropout, uint64_t seed, int num_threads) {
  return to_ids_and_offsets(policy, [&](const auto& policies) {
    return encoder.sample_batch(static_cast<bpe::Pattern>(pattern), texts, policies, dropout, seed, num_threads);
  });
}

}  // namespace

void bind_encoder(nb::module_& m) {
  using bpe::Encoder;
  nb::class_<bpe::Dropout>(m, "Dropout").def(nb::init<double, uint64_t, uint64_t>());
  nb::class_<Encoder>(m, "Encoder")
      .def("__init__",
           [](Encoder* self, const bpe::Alphabet& alphabet, const Input<uint32_t>& left, const Input<uint32_t>& right,
              const Input<uint32_t>& made, const nb::list& specials, const nb::list& whole, int prefix) {
             std::vector<bpe::Merge> merges(left.size());
             for (size_t i = 0; i < merges.size(); ++i) merges[i] = {left.data()[i], right.data()[i], made.data()[i]};
             const auto named = [](const nb::list& list) {
               std::vector<bpe::SpecialToken> tokens;
               tokens.reserve(list.size());
               for (const nb::handle token : list)
                 tokens.push_back({to_string(token[0]), nb::cast<uint32_t>(token[1])});
               return tokens;
             };
             new (self) Encoder(alphabet, merges, named(specials), named(whole), static_cast<bpe::PrefixSpace>(prefix));
           })
      .def_prop_rw("cache_bytes", &Encoder::cache_bytes, &Encoder::set_cache_bytes)
      .def("encode",
           [](const Encoder& self, int pattern, nb::handle object, const nb::bytes& policy) {
             const bpe::Text text = text_of(object);
             const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
             bpe::IdBuffer ids;
             const auto work = [&] {
               Encoder::Borrowed cache(self);
               self.encode(static_cast<bpe::Pattern>(pattern), text, policies, *cache, ids);
             };
             if (text.size < 4096) {
               work();
             } else {
               const nb::gil_scoped_release release;
               work();
             }
             return to_list(ids);
           })
      .def("encode_plain",
           [](const Encoder& self, int pattern, const nb::bytes& object) {
             bpe::IdBuffer ids;
             {
               const bpe::Text text = text_of(object);
               const nb::gil_scoped_release release;
               Encoder::Borrowed cache(self);
               self.encode_plain(static_cast<bpe::Pattern>(pattern), text, *cache, ids);
             }
             return to_list(ids);
           })
      .def("encode_pieces",
           [](const Encoder& self, const nb::list& pieces) {
             Encoder::Borrowed cache(self);
             bpe::IdBuffer ids;
             each_piece(pieces, [&](std::string_view piece, size_t) { self.encode_piece(piece, *cache, ids); });
             return to_list(ids);
           })
      // (ids, [start, end, start, end, …]) in bytes of the text, or characters; `widths` has the base symbols of every
      // id.
      .def("encode_spans",
           [](const Encoder& self, int pattern, nb::handle object, const nb::bytes& policy,
              const Input<uint32_t>& widths, bool characters) {
             const bpe::Text text = text_of(object);
             const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
             bpe::IdBuffer ids;
             std::vector<int64_t> spans;
             int64_t length = static_cast<int64_t>(text.size);
             const auto work = [&] {
               Encoder::Borrowed cache(self);
               self.encode_spans(static_cast<bpe::Pattern>(pattern), text, policies, widths.data(), *cache, ids, spans);
               if (characters) length = bpe::to_characters(text, spans.data(), spans.size() / 2);
             };
             if (text.size < 4096) {
               work();
             } else {
               const nb::gil_scoped_release release;
               work();
             }
             return nb::make_tuple(to_list(ids), to_array(std::move(spans)), length);
           })
      .def("spans_batch",
           [](const Encoder& self, int pattern, const nb::tuple& objects, const nb::bytes& policy,
              const Input<uint32_t>& widths, bool characters, int num_threads) {
             return spans_of_texts(self, pattern, texts_of(objects), policy, widths, characters, num_threads);
           })
      .def("spans_rows",
           [](const Encoder& self, int pattern, const nb::list& chunks, const nb::bytes& policy,
              const Input<uint32_t>& widths, bool characters, int num_threads) {
             const Rows rows(chunks);
             return spans_of_texts(self, pattern, rows.texts, policy, widths, characters, num_threads);
           })
      .def("plain_spans",
           [](const Encoder& self, int pattern, const nb::bytes& object, const Input<uint32_t>& widths) {
             bpe::IdBuffer ids;
             std::vector<int64_t> spans;
             {
               const bpe::Text text = text_of(object);
               const nb::gil_scoped_release release;
               Encoder::Borrowed cache(self);
               self.plain_spans(static_cast<bpe::Pattern>(pattern), text, widths.data(), *cache, ids, spans);
             }
             return nb::make_tuple(to_list(ids), to_array(std::move(spans)));
           })
      .def("pieces_spans",
           [](const Encoder& self, const nb::list& pieces, const Input<uint32_t>& widths) {
             Encoder::Borrowed cache(self);
             bpe::IdBuffer ids;
             std::vector<int64_t> spans;
             each_piece(pieces, [&](std::string_view piece, size_t position) {
               self.piece_spans(piece, static_cast<int64_t>(position), widths.data(), *cache, ids, spans);
             });
             return nb::make_tuple(to_list(ids), to_array(std::move(spans)));
           })
      .def("tally",
           [](const Encoder& self, const bpe::Alphabet& alphabet, const bpe::WordCounts& words,
              const Input<uint32_t>& extents, int num_threads) {
             const std::vector<uint32_t> by_id(extents.data(), extents.data() + extents.size());
             bpe::Tally sums;
             {
               const nb::gil_scoped_release release;
               sums = bpe::tally(self, alphabet, words, by_id, num_threads);
             }
             return std::make_pair(to_array(std::move(sums.used)), sums.in_words);
           })
      .def("encode_batch",
           [](const Encoder& self, int pattern, const nb::tuple& objects, const nb::bytes& policy, int num_threads) {
             return encode_texts(self, pattern, texts_of(objects), policy, num_threads);
           })
      .def("sample_batch",
           [](const Encoder& self, int pattern, const nb::tuple& objects, const nb::bytes& policy, double dropout,
              uint64_t seed, int num_threads) {
             return sample_texts(self, pattern, texts_of(objects), policy, dropout, seed, num_threads);
           })
      .def("sample_rows",
           [](const Encoder& self, int pattern, const nb::list& chunks, const nb::bytes& policy, double dropout,
              uint64_t seed, int num_threads) {
             const Rows rows(chunks);
             return sample_texts(self, pattern, rows.texts, policy, dropout, seed, num_threads);
           })
      // The ids of one text, which has stream 0.
      .def("sample",
           [](const Encoder& self, int pattern, nb::handle object, const nb::bytes& policy, double dropout,
              uint64_t seed) {
             const std::vector<bpe::Text> texts{text_of(object)};
             const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
             bpe::Encoder::Batch batch;
             const auto work = [&] {
               batch = self.sample_batch(static_cast<bpe::Pattern>(pattern), texts, policies, dropout, seed, 1);
             };
             if (texts[0].size < 1024) {
               work();
             } else {
               const nb::gil_scoped_release release;
               work();
             }
             return to_list(batch.ids);
           })
      .def("sample_plain",
           [](const Encoder& self, int pattern, const nb::bytes& object, bpe::Dropout& dropout) {
             Encoder::Borrowed cache(self);
             dropout.memory.words = &*cache;
             bpe::IdBuffer ids;
             self.sample_plain(static_cast<bpe::Pattern>(pattern), text_of(object), dropout, ids);
             return to_list(ids);
           })
      .def("sample_pieces",
           [](const Encoder& self, const nb::list& pieces, bpe::Dropout& dropout) {
             Encoder::Borrowed cache(self);
             dropout.memory.words = &*cache;
             bpe::IdBuffer ids;
             each_piece(pieces, [&](std::string_view piece, size_t) { self.sample_piece(piece, dropout, ids); });
             return to_list(ids);
           })
      .def("encode_rows",
           [](const Encoder& self, int pattern, const nb::list& chunks, const nb::bytes& policy, int num_threads) {
             const Rows rows(chunks);
             return encode_texts(self, pattern, rows.texts, policy, num_threads);
           });

  // Spans in bytes of a text, made spans in characters; and how many characters it has.
  m.def("characters",
        [](const nb::bytes& object, nb::ndarray<int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> spans) {
          const bpe::Text text = text_of(object);
          if (spans.shape(1) != 2) throw nb::value_error("a start and an end for every span");
          for (size_t i = 0; i < spans.size(); ++i)
            if (spans.data()[i] < 0 || static_cast<size_t>(spans.data()[i]) > text.size)
              throw nb::value_error("a span is not in the text");
          const nb::gil_scoped_release release;
          return bpe::to_characters(text, spans.data(), spans.shape(0));
        });
  // (bytes, offsets) of rows of UTF-32, or None if one is not Unicode.
  m.def("utf8_rows",
        [](const nb::ndarray<const uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>& rows) -> nb::object {
          std::optional<bpe::Column> column;
          {
            const nb::gil_scoped_release release;
            column = bpe::utf8_of_rows(rows.data(), rows.shape(0), rows.shape(1));
          }
          if (!column) return nb::none();
          return nb::make_tuple(to_array(std::move(column->bytes)), to_array(std::move(column->offsets)));
        });

  // The first place behind `start`, and the last before `end`, where the text may be cut without changing how it
  // splits; the text's size, and 0, if there is none. A symbol that ends at `end` may be half of one.
  m.def("next_cut", [](int pattern, const nb::bytes& object, size_t start) {
    const bpe::Text text = text_of(object);
    const nb::gil_scoped_release release;
    const uint8_t* const end = text.data + text.size;
    const uint8_t* const cut =
        bpe::next_cut(static_cast<bpe::Pattern>(pattern), text.data + std::min(start, text.size), end);
    return static_cast<size_t>(cut - text.data);
  });
  m.def("last_cut", [](int pattern, const nb::bytes& object, size_t end) {
    const bpe::Text text = text_of(object);
    const nb::gil_scoped_release release;
    const uint8_t* stop = text.data + std::min(end, text.size);
    while (stop > text.data && bpe::unicode::continues(stop[-1])) --stop;
    if (stop > text.data) --stop;
    const uint8_t* const cut = bpe::last_cut(static_cast<bpe::Pattern>(pattern), text.data, stop);
    return cut ? static_cast<size_t>(cut - text.data) : size_t{0};
  });
}
