// The learner for Python.
#include "learning/learner.hpp"

#include <nanobind/stl/vector.h>

#include <chrono>
#include <ctime>

#include "python/conversions.hpp"

namespace {

using bpe::Learner;

std::vector<std::string> to_strings(const nb::list& objects) {
  std::vector<std::string> strings;
  strings.reserve(objects.size());
  for (const nb::handle object : objects) strings.push_back(to_string(object));
  return strings;
}

void init(Learner* self, const bpe::WordCounts& words, const bpe::Alphabet& alphabet, const bpe::Encoder* base,
          const nb::list& tokens, uint32_t max_merges, uint64_t min_frequency, size_t max_token_bytes,
          const nb::list& forbidden_tokens, std::vector<uint32_t> unmergeable_ids, bool record) {
  std::vector<std::string> token_bytes = to_strings(tokens);
  const bpe::LearnerOptions options{
      max_merges, min_frequency, max_token_bytes, to_strings(forbidden_tokens), std::move(unmergeable_ids), record};
  const LongCall call(words.memory());
  new (self) Learner(words, alphabet, base, std::move(token_bytes), options);
}

// A quarter of a second of work; the wait for a processor that is busy with others does not count.
class TimeLimit {
 public:
  bool is_over() const {
    return Clock::now() - start_ > std::chrono::milliseconds(250) && std::clock() - used_ > CLOCKS_PER_SEC / 4;
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start_ = Clock::now();
  const std::clock_t used_ = std::clock();
};

// Up to n merges, as columns: left, right, count, runner-up's left, right and count, words touched, tokens left. Fewer
// after a quarter of a second; none when no pair is left.
nb::tuple run(Learner& self, size_t n) {
  std::vector<uint32_t> left, right, runner_left, runner_right;
  std::vector<uint64_t> count, runner_count, words_touched, tokens_left;
  {
    const LongCall call(SIZE_MAX);
    const TimeLimit limit;
    bpe::MergeRecord record{};
    while (left.size() < n && (left.empty() || !limit.is_over()) && self.step(record)) {
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
}

}  // namespace

void bind_learner(nb::module_& m) {
  nb::class_<Learner>(m, "Learner")
      .def("__init__", &init, "words"_a, "alphabet"_a, "base"_a.none(), "tokens"_a, "max_merges"_a, "min_frequency"_a,
           "max_token_bytes"_a, "forbidden_tokens"_a, "unmergeable_ids"_a, "record"_a)
      .def_prop_ro("tokens", &Learner::tokens)
      .def("run", &run, "n"_a);
}
