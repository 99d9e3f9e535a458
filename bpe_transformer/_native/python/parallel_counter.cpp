// Counting the pre-tokens of texts for Python.
#include "counting/parallel_counter.hpp"

#include "counting/sorted_runs.hpp"
#include "python/conversions.hpp"

namespace {

using bpe::DocumentStream;
using bpe::ParallelCounter;

void add_documents(ParallelCounter& counter, const bpe::Pattern& pattern, const std::vector<bpe::Text>& texts) {
  counter.add_texts(pattern, texts);
  counter.documents += texts.size();
  for (const bpe::Text& text : texts) counter.bytes += text.size;
}

// Each text is a document.
void add_texts(ParallelCounter& self, const bpe::Pattern& pattern, const nb::tuple& objects) {
  const std::vector<bpe::Text> texts = texts_of(objects);
  const nb::gil_scoped_release released;  // not interrupted: what is counted has to be what `bytes` says
  add_documents(self, pattern, texts);
}

// The same for texts that lie in buffers, see Rows.
void add_rows(ParallelCounter& self, const bpe::Pattern& pattern, const nb::list& chunks) {
  const Rows rows(chunks);
  const nb::gil_scoped_release released;
  add_documents(self, pattern, rows.texts);
}

// Pre-tokens that Python has split; counts no document.
void add_pretokens(ParallelCounter& self, const nb::list& pretokens) {
  for (const nb::handle pretoken : pretokens) {
    const std::string_view word = view_of(pretoken);
    if (!word.empty()) self.add_word(word, 1);
    self.bytes += word.size();
  }
}

void add_words(ParallelCounter& self, const nb::list& chunks, const Input<uint64_t>& counts) {
  const Rows words(chunks);
  check_counts(words, counts);
  const nb::gil_scoped_release release;
  self.add_words(words.texts, counts.data());
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
          [](ParallelCounter* self, int num_threads, bpe::SortedRuns* runs, size_t table_bytes, size_t longest_word) {
            new (self) ParallelCounter(num_threads, runs, table_bytes, longest_word);
          },
          "num_threads"_a, "runs"_a.none(), "table_bytes"_a, "longest_word"_a, nb::keep_alive<1, 3>())
      .def_rw("documents", &ParallelCounter::documents)
      .def_rw("bytes", &ParallelCounter::bytes)
      .def("add_texts", &add_texts, "pattern"_a, "texts"_a)
      .def("add_rows", &add_rows, "pattern"_a, "chunks"_a)
      .def("add_pretokens", &add_pretokens, "pretokens"_a)
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
}
