// The base alphabet and the learner for Python.
#include <algorithm>

#include "learning/learner.hpp"
#include "python/conversions.hpp"

void bind_learner(nb::module_& m) {
  using bpe::Alphabet;
  using bpe::Learner;
  nb::class_<Alphabet>(m, "Alphabet")
      .def_static("of_bytes",
                  [](const std::vector<uint32_t>& id_of_byte) {
                    if (id_of_byte.size() != 256) throw nb::value_error("a byte alphabet has 256 ids");
                    Alphabet alphabet;
                    std::copy(id_of_byte.begin(), id_of_byte.end(), alphabet.id_of_byte.begin());
                    return alphabet;
                  })
      .def_static("of_some_bytes",
                  [](std::unordered_map<uint32_t, uint32_t> inner, std::unordered_map<uint32_t, uint32_t> last,
                     bool marks_end, int64_t unknown, bool fuse_unknown) {
                    Alphabet alphabet;
                    alphabet.bytes = false;
                    alphabet.some_bytes = true;
                    alphabet.marks_end = marks_end;
                    alphabet.inner = std::move(inner);
                    alphabet.last = std::move(last);
                    alphabet.unknown = unknown < 0 ? bpe::kNoId : static_cast<uint32_t>(unknown);
                    alphabet.fuse_unknown = fuse_unknown;
                    return alphabet;
                  })
      .def_static("of_characters",
                  [](std::unordered_map<uint32_t, uint32_t> inner, std::unordered_map<uint32_t, uint32_t> last,
                     bool marks_end, int64_t unknown, std::vector<uint32_t> fallback, bool fuse_unknown) {
                    if (!fallback.empty() && fallback.size() != 256)
                      throw nb::value_error("byte fallback takes 256 ids");
                    Alphabet alphabet;
                    alphabet.bytes = false;
                    alphabet.marks_end = marks_end;
                    alphabet.inner = std::move(inner);
                    alphabet.last = std::move(last);
                    alphabet.unknown = unknown < 0 ? bpe::kNoId : static_cast<uint32_t>(unknown);
                    alphabet.fallback = std::move(fallback);
                    alphabet.fuse_unknown = fuse_unknown;
                    return alphabet;
                  });
  nb::class_<Learner>(m, "Learner")
      .def(
          "__init__",
          [](Learner* self, const bpe::WordCounts& words, const Alphabet& alphabet, const bpe::Encoder* base,
             const nb::list& tokens, uint32_t max_merges, uint64_t min_frequency, size_t max_token_bytes,
             const nb::list& never, std::vector<uint32_t> apart, bool record) {
            std::vector<std::string> token_bytes = to_strings(tokens);
            const bpe::LearnerOptions options{max_merges,        min_frequency,    max_token_bytes,
                                              to_strings(never), std::move(apart), record};
            const nb::gil_scoped_release release;
            new (self) Learner(words, alphabet, base, std::move(token_bytes), options);
          },
          "words"_a, "alphabet"_a, "base"_a.none(), "tokens"_a, "max_merges"_a, "min_frequency"_a, "max_token_bytes"_a,
          "never"_a, "apart"_a, "record"_a)
      .def_prop_ro("tokens", &Learner::tokens)
      // Up to n merges, as columns; fewer when no pair is left.
      .def("run", [](Learner& self, size_t n) {
        std::vector<uint32_t> left, right, runner_left, runner_right;
        std::vector<uint64_t> count, runner_count, words_touched, tokens_left;
        {
          const nb::gil_scoped_release release;
          bpe::MergeRecord record{};
          while (left.size() < n && self.step(record)) {
            left.push_back(record.left);
            right.push_back(record.right);
            count.push_back(record.count);
            runner_left.push_back(record.runner_left);
            runner_right.push_back(record.runner_right);
            runner_count.push_back(record.runner_count);
            words_touched.push_back(record.words_touched);
            tokens_left.push_back(record.tokens_left);
          }
        }
        return nb::make_tuple(to_array(std::move(left)), to_array(std::move(right)), to_array(std::move(count)),
                              to_array(std::move(runner_left)), to_array(std::move(runner_right)),
                              to_array(std::move(runner_count)), to_array(std::move(words_touched)),
                              to_array(std::move(tokens_left)));
      });
}
