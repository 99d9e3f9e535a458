// Pre-token counts for Python.
#include <algorithm>
#include <memory>

#include "counting/word_counts.hpp"
#include "python/conversions.hpp"

void bind_counter(nb::module_& m) {
  using bpe::WordCounts;
  nb::class_<WordCounts>(m, "WordCounts")
      .def(nb::init<>())
      .def("__len__", &WordCounts::size)
      .def_prop_ro("total", &WordCounts::total)
      .def_prop_ro("saturated", &WordCounts::saturated)
      .def("add",
           [](WordCounts& self, const nb::bytes& word, uint64_t count) {
             if (word.size() && count) self.add(view_of(word), count);
           })
      .def("merge", &WordCounts::merge, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("memory", &WordCounts::memory)
      .def_prop_ro("word_bytes", &WordCounts::word_bytes)
      .def("reserve", &WordCounts::reserve)
      // Words that lie in buffers, see Rows, but for those rarer than min_count: (how many, their occurrences).
      .def("add_words",
           [](WordCounts& self, const nb::list& chunks, const Input<uint64_t>& counts, uint64_t min_count) {
             const Rows words(chunks);
             check_counts(words, counts);
             bpe::Dropped dropped;
             {
               const nb::gil_scoped_release release;
               self.add_words(words.texts, counts.data(), min_count, dropped);
             }
             return std::make_pair(dropped.words, dropped.occurrences);
           })
      // (the counts times a fraction, without words below min_count; how many words and occurrences were left out)
      .def("weighted",
           [](const WordCounts& self, uint64_t numerator, uint64_t denominator, uint64_t min_count) {
             bpe::Dropped dropped;
             auto kept = std::make_unique<WordCounts>();
             {
               const nb::gil_scoped_release release;
               *kept = self.weighted({numerator, denominator}, min_count, dropped);
             }
             nb::object words = nb::cast(kept.release(), nb::rv_policy::take_ownership);
             return nb::make_tuple(words, dropped.words, dropped.occurrences);
           })
      .def(
          "words",
          [](const WordCounts& self) {  // of bpe::Alphabet::word_of: white space at the ends dropped
            auto words = std::make_unique<WordCounts>();
            bpe::Alphabet alphabet;
            alphabet.marks_end = true;
            self.each([&](std::string_view piece, uint64_t count) {
              if (const std::string_view word = alphabet.word_of(piece); !word.empty()) words->add(word, count);
            });
            return words.release();
          },
          nb::rv_policy::take_ownership)
      // (code points, how often each occurs inside words, and as the last of one if `marks_end`), by code point
      .def("characters",
           [](const WordCounts& self, bool marks_end) {
             struct Seen {
               uint64_t inside = 0, last = 0;
             };
             std::vector<Seen> seen(0x110000);
             bool valid = true;
             {
               const nb::gil_scoped_release release;
               self.each([&](std::string_view word, uint64_t count) {
                 const auto* p = reinterpret_cast<const uint8_t*>(word.data());
                 const auto* const end = p + word.size();
                 while (p < end) {
                   const bpe::unicode::Symbol s = bpe::unicode::decode(p, end);
                   p += s.length;
                   if (s.code_point == bpe::unicode::kInvalid) {
                     valid = false;
                   } else {
                     uint64_t& sum = marks_end && p == end ? seen[s.code_point].last : seen[s.code_point].inside;
                     sum = bpe::saturating_add(sum, count);
                   }
                 }
               });
             }
             if (!valid) throw nb::value_error("a word is not UTF-8");
             std::vector<uint32_t> code_points;
             std::vector<uint64_t> inside, last;
             for (uint32_t cp = 0; cp < seen.size(); ++cp) {
               if (seen[cp].inside == 0 && seen[cp].last == 0) continue;
               code_points.push_back(cp);
               inside.push_back(seen[cp].inside);
               last.push_back(seen[cp].last);
             }
             return nb::make_tuple(std::move(code_points), std::move(inside), std::move(last));
           })
      // most frequent first, then by bytes
      .def("items", [](const WordCounts& self) {
        std::vector<std::pair<std::string, uint64_t>> items;
        items.reserve(self.size());
        self.each([&](std::string_view word, uint64_t count) { items.emplace_back(word, count); });
        std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
          return a.second != b.second ? a.second > b.second : a.first < b.first;
        });
        nb::list out;
        for (const auto& [word, count] : items) out.append(nb::make_tuple(to_bytes(word), count));
        return out;
      });
}
