// Words in sorted order, out of a table or out of runs in a file, for Python.
#include "counting/sorted_runs.hpp"

#include <memory>

#include "python/conversions.hpp"

namespace {

using bpe::SortedRuns;

// Python's SortedWords: words in the order of their bytes, read in portions.
struct SortedWordReader {
  bpe::Dropped dropped;
  std::unique_ptr<bpe::WordStream> stream;

  // (row starts, bytes, counts, whether these are the last)
  nb::tuple take(size_t bytes, uint64_t min_count) {
    bpe::WordColumns columns;
    {
      const nb::gil_scoped_release release;
      columns = stream->take(bytes, min_count, dropped);
    }
    return nb::make_tuple(to_array(std::move(columns.row_starts)), to_array(std::move(columns.bytes)),
                          to_array(std::move(columns.counts)), columns.is_last);
  }
};

// A group is (first run, last run, numerator and denominator of its weight).
std::vector<SortedRuns::Group> to_groups(const nb::list& groups) {
  std::vector<SortedRuns::Group> out;
  out.reserve(groups.size());
  for (const nb::handle group : groups)
    out.push_back({nb::cast<size_t>(group[0]),
                   nb::cast<size_t>(group[1]),
                   {nb::cast<uint64_t>(group[2]), nb::cast<uint64_t>(group[3])}});
  return out;
}

SortedWordReader* merged(const SortedRuns& self, const nb::list& groups, size_t memory) {
  auto words = std::make_unique<SortedWordReader>();
  const std::vector<SortedRuns::Group> chosen = to_groups(groups);
  const nb::gil_scoped_release release;
  words->stream = self.merged(chosen, memory, words->dropped);
  return words.release();
}

}  // namespace

void bind_sorted_runs(nb::module_& m) {
  nb::class_<SortedWordReader>(m, "SortedWords")
      .def(
          "__init__",
          [](SortedWordReader* self, const bpe::WordCounts& words) {
            new (self) SortedWordReader();
            const nb::gil_scoped_release release;
            self->stream = std::make_unique<bpe::SortedWords>(words);
          },
          nb::keep_alive<1, 2>(), "words"_a)
      .def("take", &SortedWordReader::take, "bytes"_a, "min_count"_a)
      .def_prop_ro("dropped", [](const SortedWordReader& self) {
        return nb::make_tuple(self.dropped.words, self.dropped.occurrences);
      });
  nb::class_<SortedRuns>(m, "SortedRuns")
      .def(nb::init<int>(), "file"_a)
      .def("__len__", &SortedRuns::size)
      .def_prop_ro("bytes", &SortedRuns::bytes)
      .def("write", &SortedRuns::write, nb::call_guard<nb::gil_scoped_release>(), "words"_a)
      .def(
          "total", [](const SortedRuns& self, size_t first, size_t last) { return self.total({first, last, {}}); },
          "first"_a, "last"_a)
      .def("merged", &merged, nb::rv_policy::take_ownership, nb::keep_alive<0, 1>(), "groups"_a, "memory"_a);
}
