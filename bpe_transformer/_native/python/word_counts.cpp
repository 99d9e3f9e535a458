// Word counts, and words in sorted order, out of a table or out of runs in a file, for Python.
#include "counting/word_counts.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>

#include "counting/sorted_runs.hpp"
#include "merging/alphabet.hpp"
#include "python/conversions.hpp"
#include "text/unicode.hpp"

namespace {

using bpe::WordCounts;

// Adds words that lie in buffers (see Rows), without those rarer than min_count: (how many, their occurrences).
std::pair<uint64_t, uint64_t> add_words(WordCounts& self, const nb::list& chunks, const Input<uint64_t>& counts,
                                        uint64_t min_count) {
  const Rows words(chunks);
  check_counts(words, counts);
  bpe::Dropped dropped;
  const nb::gil_scoped_release release;
  self.add_words(words.texts, counts.data(), min_count, dropped);
  return {dropped.words, dropped.occurrences};
}

// (the counts times a fraction, without words below min_count; how many words and occurrences were dropped)
nb::tuple weighted(const WordCounts& self, uint64_t numerator, uint64_t denominator, uint64_t min_count) {
  bpe::Dropped dropped;
  auto kept = std::make_unique<WordCounts>();
  {
    const nb::gil_scoped_release release;
    *kept = self.weighted({numerator, denominator}, min_count, dropped);
  }
  nb::object words = nb::cast(kept.release(), nb::rv_policy::take_ownership);
  return nb::make_tuple(words, dropped.words, dropped.occurrences);
}

// The counts of words without the white space at their ends.
WordCounts* trimmed(const WordCounts& self) {
  auto words = std::make_unique<WordCounts>();
  bpe::Alphabet alphabet;
  alphabet.marks_end = true;
  self.each([&](std::string_view pretoken, uint64_t count) {
    if (const std::string_view word = alphabet.word_of(pretoken); !word.empty()) words->add(word, count);
  });
  return words.release();
}

// How often a character occurs inside words, and as the last of one.
struct CharacterCount {
  uint64_t inside = 0, last = 0;
};

// By code point, for all of Unicode; empty if a word is not UTF-8.
std::vector<CharacterCount> count_characters(const WordCounts& words, bool marks_end) {
  std::vector<CharacterCount> counts(0x110000);
  bool valid = true;
  words.each([&](std::string_view word, uint64_t count) {
    const auto* p = reinterpret_cast<const uint8_t*>(word.data());
    const auto* const end = p + word.size();
    while (p < end) {
      const bpe::unicode::Symbol s = bpe::unicode::decode(p, end);
      p += s.length;
      if (s.code_point == bpe::unicode::kInvalid) {
        valid = false;
        continue;
      }
      uint64_t& sum = marks_end && p == end ? counts[s.code_point].last : counts[s.code_point].inside;
      sum = bpe::saturating_add(sum, count);
    }
  });
  if (!valid) counts.clear();
  return counts;
}

// (code points, how often each occurs inside words, and as the last of one if `marks_end`), by code point
nb::tuple characters(const WordCounts& self, bool marks_end) {
  std::vector<CharacterCount> counts;
  {
    const nb::gil_scoped_release release;
    counts = count_characters(self, marks_end);
  }
  if (counts.empty()) throw nb::value_error("a word is not UTF-8");
  std::vector<uint32_t> code_points;
  std::vector<uint64_t> inside, last;
  for (uint32_t cp = 0; cp < counts.size(); ++cp) {
    if (counts[cp].inside == 0 && counts[cp].last == 0) continue;
    code_points.push_back(cp);
    inside.push_back(counts[cp].inside);
    last.push_back(counts[cp].last);
  }
  return nb::make_tuple(std::move(code_points), std::move(inside), std::move(last));
}

// (word, count), most frequent first, then by bytes
nb::list items(const WordCounts& self) {
  std::vector<std::pair<std::string, uint64_t>> sorted;
  sorted.reserve(self.size());
  self.each([&](std::string_view word, uint64_t count) { sorted.emplace_back(word, count); });
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  nb::list out;
  for (const auto& [word, count] : sorted) out.append(nb::make_tuple(to_bytes(word), count));
  return out;
}

// --- words in sorted order
// --------------------------------------------------------------------------------------------

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

void bind_word_counts(nb::module_& m) {
  nb::class_<WordCounts>(m, "WordCounts")
      .def(nb::init<>())
      .def("__len__", &WordCounts::size)
      .def_prop_ro("total", &WordCounts::total)
      .def_prop_ro("saturated", &WordCounts::saturated)
      .def_prop_ro("memory", &WordCounts::memory)
      .def_prop_ro("word_bytes", &WordCounts::word_bytes)
      .def(
          "add",
          [](WordCounts& self, const nb::bytes& word, uint64_t count) {
            if (word.size() && count) self.add(view_of(word), count);
          },
          "word"_a, "count"_a)
      .def("add_words", &add_words, "chunks"_a, "counts"_a, "min_count"_a)
      .def("merge", &WordCounts::merge, nb::call_guard<nb::gil_scoped_release>(), "other"_a)
      .def("reserve", &WordCounts::reserve, "words"_a)
      .def("weighted", &weighted, "numerator"_a, "denominator"_a, "min_count"_a)
      .def("trimmed", &trimmed, nb::rv_policy::take_ownership)
      .def("characters", &characters, "marks_end"_a)
      .def("items", &items);
}

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
