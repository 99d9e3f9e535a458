// Counting texts, and words in sorted order, for Python.
#include <memory>
#include <optional>

#include "counting/parallel_counter.hpp"
#include "python/conversions.hpp"

namespace {

using bpe::Counting;
using bpe::DocumentStream;
using bpe::Runs;
using bpe::WordCounts;

// Words in the order of their bytes, taken in portions.
struct Words {
  bpe::Dropped dropped;
  std::unique_ptr<bpe::Stream> stream;

  // (offsets, bytes, counts, whether nothing comes after)
  nb::tuple take(size_t bytes, uint64_t min_count) {
    bpe::Columns columns;
    {
      const nb::gil_scoped_release release;
      columns = stream->take(bytes, min_count, dropped);
    }
    return nb::make_tuple(to_array(std::move(columns.offsets)), to_array(std::move(columns.data)),
                          to_array(std::move(columns.counts)), columns.last);
  }
};

std::vector<Runs::Group> to_groups(const nb::list& groups) {
  std::vector<Runs::Group> out;
  for (const nb::handle group : groups)
    out.push_back({nb::cast<size_t>(group[0]),
                   nb::cast<size_t>(group[1]),
                   {nb::cast<uint64_t>(group[2]), nb::cast<uint64_t>(group[3])}});
  return out;
}

void add_documents(Counting& counting, int pattern, const std::vector<bpe::Text>& texts) {
  counting.add_texts(static_cast<bpe::Pattern>(pattern), texts);
  counting.documents += texts.size();
  for (const bpe::Text& text : texts) counting.bytes += text.size;
}

void bind_sorted(nb::module_& m) {
  nb::class_<Words>(m, "SortedWords")
      .def(
          "__init__",
          [](Words* self, const WordCounts& words) {
            new (self) Words();
            const nb::gil_scoped_release release;
            self->stream = std::make_unique<bpe::SortedWords>(words);
          },
          nb::keep_alive<1, 2>())
      .def("take", &Words::take)
      .def_prop_ro("dropped",
                   [](const Words& self) { return nb::make_tuple(self.dropped.words, self.dropped.occurrences); });
  // Sorted runs in an open file. A group is (first run, last run, numerator and denominator of its weight).
  nb::class_<Runs>(m, "Runs")
      .def(nb::init<int>())
      .def("__len__", &Runs::size)
      .def_prop_ro("bytes", &Runs::bytes)
      .def("write", &Runs::write, nb::call_guard<nb::gil_scoped_release>())
      .def("total", [](const Runs& self, size_t first, size_t last) { return self.total({first, last, {}}); })
      .def(
          "merged",
          [](const Runs& self, const nb::list& groups, size_t memory) {
            auto words = std::make_unique<Words>();
            const std::vector<Runs::Group> chosen = to_groups(groups);
            {
              const nb::gil_scoped_release release;
              words->stream = self.merged(chosen, memory, words->dropped);
            }
            return words.release();
          },
          nb::rv_policy::take_ownership, nb::keep_alive<0, 1>());
}

}  // namespace

void bind_counting(nb::module_& m) {
  bind_sorted(m);
  nb::class_<Counting>(m, "Counting")
      .def(
          "__init__",
          [](Counting* self, int num_threads, Runs* runs, size_t table_bytes) {
            new (self) Counting(num_threads, runs, table_bytes);
          },
          "num_threads"_a, "runs"_a.none(), "table_bytes"_a, nb::keep_alive<1, 3>())
      .def_rw("documents", &Counting::documents)
      .def_rw("bytes", &Counting::bytes)
      // Each text is a document.
      .def("add_texts",
           [](Counting& self, int pattern, const nb::tuple& objects) {
             const std::vector<bpe::Text> texts = texts_of(objects);
             const nb::gil_scoped_release release;
             add_documents(self, pattern, texts);
           })
      // The same for texts that lie in buffers, see Rows.
      .def("add_rows",
           [](Counting& self, int pattern, const nb::list& chunks) {
             const Rows rows(chunks);
             const nb::gil_scoped_release release;
             add_documents(self, pattern, rows.texts);
           })
      // Pre-tokens as they are; counts no document.
      .def("add_pieces",
           [](Counting& self, const nb::list& pieces) {
             for (const nb::handle piece : pieces) {
               const std::string_view word = view_of(piece);
               if (!word.empty()) self.add_word(word, 1);
               self.bytes += word.size();
             }
           })
      .def("add_words",
           [](Counting& self, const nb::list& chunks, const Input<uint64_t>& counts) {
             const Rows words(chunks);
             check_counts(words, counts);
             const nb::gil_scoped_release release;
             self.add_words(words.texts, counts.data());
           })
      // All that was counted since the last call, in one table; what is in runs stays there.
      .def(
          "gather",
          [](Counting& self) {
            const nb::gil_scoped_release release;
            return new WordCounts(self.take());
          },
          nb::rv_policy::take_ownership)
      .def("spill", &Counting::spill, nb::call_guard<nb::gil_scoped_release>());
  nb::class_<DocumentStream>(m, "DocumentStream")
      .def(
          "__init__",
          [](DocumentStream* self, Counting& counting, int pattern, const nb::bytes& separator) {
            new (self) DocumentStream(counting, static_cast<bpe::Pattern>(pattern), to_string(separator));
          },
          nb::keep_alive<1, 2>())
      .def("add",
           [](DocumentStream& self, nb::handle block) {
             const Buffer buffer(block);
             const nb::gil_scoped_release release;
             self.add({buffer.data(), buffer.size()});
           })
      .def("finish", &DocumentStream::finish, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("counted", &DocumentStream::counted);
}
