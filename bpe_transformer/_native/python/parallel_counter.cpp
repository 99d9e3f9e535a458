// Counting the pre-tokens of texts for Python.
#include "counting/parallel_counter.hpp"

#include "counting/row_counters.hpp"
#include "counting/sorted_runs.hpp"
#include "python/conversions.hpp"

namespace {

using bpe::CsvCounter;
using bpe::DocumentStream;
using bpe::JsonLineCounter;
using bpe::ParallelCounter;

void add_documents(ParallelCounter& counter, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts,
                   bpe::TextMemory memory = {}) {
  counter.bytes += counter.add_texts(pattern, texts, memory);
  counter.documents += texts.size();
}

// Each text is a document.
void add_texts(ParallelCounter& self, const bpe::Pattern& pattern, const nb::tuple& objects) {
  const std::vector<bpe::Text> texts = texts_of(objects);
  const nb::gil_scoped_release released;  // not interrupted: what is counted has to be what `bytes` says
  add_documents(self, pattern, texts);
}

// The same for texts that lie in buffers, see Rows. `are_utf8`: that was looked at before.
void add_rows(ParallelCounter& self, const bpe::Pattern& pattern, const nb::list& chunks, bool are_utf8) {
  const Rows rows(chunks);
  const nb::gil_scoped_release released;
  add_documents(self, pattern, rows.texts, {rows.memory_end(), are_utf8});
}

void add_words(ParallelCounter& self, const nb::list& chunks, const Input<uint64_t>& counts) {
  const Rows words(chunks);
  check_counts(words, counts);
  const nb::gil_scoped_release release;
  self.add_words(words.texts, counts.data());
}

void bind_row_counters(nb::module_& m) {
  nb::class_<JsonLineCounter>(m, "JsonLineCounter")
      .def(
          "__init__",
          [](JsonLineCounter* self, ParallelCounter& counter, const bpe::Pattern& pattern, const nb::list& columns) {
            std::vector<std::string> names;
            for (const std::string_view name : views_of(columns)) names.emplace_back(name);
            new (self) JsonLineCounter(counter, pattern, std::move(names));
          },
          nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), "counter"_a, "pattern"_a, "columns"_a)
      .def(
          "read",
          [](JsonLineCounter& self, nb::handle lines) {
            const Buffer buffer(lines);
            const nb::gil_scoped_release released;
            return self.read({reinterpret_cast<const char*>(buffer.data()), buffer.size()});
          },
          "lines"_a)
      .def("count", &JsonLineCounter::count, nb::call_guard<nb::gil_scoped_release>())
      // The lines of missing values, and whether a row has each column.
      .def_prop_ro(
          "missing", [](const JsonLineCounter& self) { return to_array(std::vector(self.missing())); },
          nb::rv_policy::move)
      .def_prop_ro(
          "found", [](const JsonLineCounter& self) { return to_array(std::vector(self.found())); },
          nb::rv_policy::move);
  nb::class_<CsvCounter>(m, "CsvCounter")
      .def(
          "__init__",
          [](CsvCounter* self, ParallelCounter& counter, const bpe::Pattern& pattern, bool is_tsv, size_t num_fields,
             const nb::list& positions) {
            std::vector<size_t> wanted;
            for (const nb::handle position : positions) {
              wanted.push_back(nb::cast<size_t>(position));
              if (wanted.back() >= num_fields) throw nb::value_error("a position is not in the row");
            }
            new (self) CsvCounter(counter, pattern, {is_tsv ? '\t' : ',', !is_tsv, num_fields, std::move(wanted)});
          },
          nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), "counter"_a, "pattern"_a, "is_tsv"_a, "num_fields"_a,
          "positions"_a)
      // (bytes of the rows that were read, whether no row that is not plain comes next)
      .def(
          "read",
          [](CsvCounter& self, nb::handle data, bool is_last) {
            const Buffer buffer(data);
            bpe::CsvTaken taken{};
            {
              const nb::gil_scoped_release released;
              taken = self.read({reinterpret_cast<const char*>(buffer.data()), buffer.size()}, is_last);
            }
            return nb::make_tuple(taken.bytes, taken.is_plain);
          },
          "data"_a, "is_last"_a)
      .def("count", &CsvCounter::count, nb::call_guard<nb::gil_scoped_release>());
}

void bind_document_stream(nb::module_& m) {
  nb::class_<DocumentStream>(m, "DocumentStream")
      .def(
          "__init__",
          [](DocumentStream* self, ParallelCounter& counter, const bpe::Pattern& pattern, const nb::bytes& separator) {
            new (self) DocumentStream(counter, pattern, to_string(separator));
          },
          nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), "counter"_a, "pattern"_a, "separator"_a)
      .def(
          "add",
          [](DocumentStream& self, nb::handle block) {
            const Buffer buffer(block);
            const nb::gil_scoped_release released;
            self.add({buffer.data(), buffer.size()});
          },
          "block"_a)
      .def("finish", &DocumentStream::finish, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("counted", &DocumentStream::counted);
}

}  // namespace

void bind_parallel_counter(nb::module_& m) {
  nb::class_<ParallelCounter>(m, "ParallelCounter")
      .def(
          "__init__",
          [](ParallelCounter* self, int num_threads, bpe::SortedRuns* runs, size_t table_bytes, size_t longest_word,
             const bpe::Normalizer* normalizer) {
            new (self) ParallelCounter(num_threads, runs, table_bytes, longest_word, normalizer);
          },
          "num_threads"_a, "runs"_a.none(), "table_bytes"_a, "longest_word"_a, "normalizer"_a.none(),
          nb::keep_alive<1, 3>(), nb::keep_alive<1, 6>())
      .def_rw("documents", &ParallelCounter::documents)
      .def_rw("bytes", &ParallelCounter::bytes)
      .def("add_texts", &add_texts, "pattern"_a, "texts"_a)
      .def("add_rows", &add_rows, "pattern"_a, "chunks"_a, "are_utf8"_a)
      .def("add_words", &add_words, "chunks"_a, "counts"_a)
      // The counts since the last call, in one table; words that were written to runs stay there.
      .def(
          "take",
          [](ParallelCounter& self) {
            const nb::gil_scoped_release release;
            return new bpe::WordCounts(self.take());
          },
          nb::rv_policy::take_ownership)
      .def("spill", &ParallelCounter::spill, nb::call_guard<nb::gil_scoped_release>());
  bind_document_stream(m);
  bind_row_counters(m);
}
