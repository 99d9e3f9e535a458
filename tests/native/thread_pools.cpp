// Uses everything in the core that several threads share, at once and from many threads, and compares the results with
// those of a single thread. `make sanitize` builds it with ThreadSanitizer (see tests/sanitize.py).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "counting/parallel_counter.hpp"
#include "counting/sorted_runs.hpp"
#include "encoding/batch.hpp"
#include "encoding/dropout.hpp"
#include "encoding/encoder.hpp"
#include "encoding/spans.hpp"
#include "encoding/token_usage.hpp"
#include "learning/learner.hpp"
#include "simd/simd.hpp"

namespace {

constexpr int kThreads = 4;
constexpr bpe::Pattern kPattern{bpe::Pattern::kCl100k};
const std::vector<bpe::SpecialPolicy> kPolicies{bpe::SpecialPolicy::kAllow};

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "thread_pools: %s\n", what);
  std::exit(1);
}

// Words of a few letters, the common ones much more often; now and then Hangul, a special token or a very long word.
std::string random_text(uint64_t seed, size_t words) {
  std::string text;
  const auto next = [&] { return (seed = seed * 6364136223846793005ull + 1442695040888963407ull) >> 33; };
  for (size_t i = 0; i < words; ++i) {
    const uint64_t kind = next() % 500;
    if (kind == 0) text += std::string(3000, static_cast<char>('a' + next() % 4)) + "xyz";
    else if (kind == 1) text += "<s>";
    else if (kind < 50) text += "한국어 ";
    for (uint64_t size = 1 + next() % 8; size; --size) text += static_cast<char>('a' + next() % (1 + next() % 9));
    text += ' ';
  }
  return text;
}

bpe::Text to_text(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::vector<bpe::Text> to_texts(const std::vector<std::string>& strings) {
  std::vector<bpe::Text> texts;
  for (const std::string& string : strings) texts.push_back(to_text(string));
  return texts;
}

bpe::Alphabet byte_alphabet() {
  bpe::Alphabet alphabet;
  for (uint32_t byte = 0; byte < 256; ++byte) alphabet.id_of_byte[byte] = byte;
  return alphabet;
}

std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  return tokens;
}

// Learns from `tokens` on, which `base` knows if it is not null, and adds the new tokens to them.
std::vector<bpe::Merge> learn(const bpe::WordCounts& words, const bpe::Encoder* base, std::vector<std::string>& tokens,
                              uint32_t max_merges) {
  bpe::LearnerOptions options;
  options.max_merges = max_merges;
  bpe::Learner learner(words, byte_alphabet(), base, tokens, options);
  std::vector<bpe::Merge> merges;
  for (bpe::MergeRecord record{}; merges.size() < max_merges && learner.step(record);) {
    merges.push_back({record.left, record.right, static_cast<uint32_t>(tokens.size())});
    tokens.push_back(tokens[record.left] + tokens[record.right]);
  }
  return merges;
}

std::vector<uint32_t> to_vector(const bpe::IdBuffer& ids) { return {ids.data(), ids.data() + ids.size()}; }

// Runs every job on a thread of its own.
void at_once(const std::vector<std::function<void()>>& jobs) {
  std::vector<std::thread> threads;
  for (const auto& job : jobs) threads.emplace_back(job);
  for (std::thread& thread : threads) thread.join();
}

void count(const std::vector<bpe::Text>& texts, const bpe::WordCounts& expected) {
  bpe::ParallelCounter in_memory(kThreads, nullptr, 0);
  in_memory.add_texts(kPattern, texts);
  check(in_memory.take().total() == expected.total(), "counts differ");

  std::FILE* const file = std::tmpfile();
  check(file != nullptr, "no temporary file");
  bpe::SortedRuns runs(fileno(file));
  bpe::ParallelCounter spilling(kThreads, &runs, 1 << 19);
  bpe::DocumentStream stream(spilling, kPattern, "\n");
  spilling.add_texts(kPattern, texts);
  stream.add(texts[0]);
  stream.finish();
  spilling.spill();
  check(runs.size() > kThreads, "nothing was spilled");
  check(runs.total({0, runs.size(), {}}) > expected.total(), "spilled counts differ");
  std::fclose(file);

  const std::string invalid = random_text(7, 200000) + "\xFF";
  try {
    in_memory.add_texts(kPattern, {texts[0], to_text(invalid)});
    check(false, "invalid UTF-8 was counted");
  } catch (const bpe::InvalidUtf8& problem) {
    check(problem.text == 1 && problem.position == invalid.size() - 1, "invalid UTF-8 is elsewhere");
  }
}

// Everything that reads one encoder, at once.
void encode(const bpe::Encoder& encoder, const std::vector<bpe::Text>& texts, const bpe::WordCounts& words,
            std::vector<std::string> tokens) {
  const std::vector<uint32_t> ids = to_vector(bpe::encode_batch(encoder, kPattern, texts, kPolicies, 1).ids);
  const std::vector<uint32_t> dropped =
      to_vector(bpe::sample_batch(encoder, kPattern, texts, kPolicies, 0.1, 1, 1).ids);
  const std::vector<uint32_t> widths(4096, 1), extents(4096, bpe::kBytes | 1);
  const bpe::SpanForm form{widths.data(), true, bpe::Trimming({}, nullptr)};
  const auto encode_all = [&] {
    check(to_vector(bpe::encode_batch(encoder, kPattern, texts, kPolicies, kThreads).ids) == ids, "ids differ");
  };
  const auto encode_one_by_one = [&] {
    bpe::IdBuffer out;
    for (const bpe::Text& text : texts) {
      bpe::Encoder::BorrowedCache cache(encoder);
      encoder.encode(kPattern, text, kPolicies, *cache, out);
    }
    check(to_vector(out) == ids, "ids one by one differ");
  };
  at_once({
      encode_all,
      encode_all,
      encode_one_by_one,
      [&] {
        const auto batch = bpe::sample_batch(encoder, kPattern, texts, kPolicies, 0.1, 1, kThreads);
        check(to_vector(batch.ids) == dropped, "ids with dropout differ");
      },
      [&] {
        const auto batch = bpe::encode_spans_batch(encoder, kPattern, texts, kPolicies, form, kThreads);
        check(to_vector(batch.ids) == ids && batch.lengths.size() == texts.size(), "ids with spans differ");
      },
      [&] { check(bpe::token_usage(encoder, words, extents, kThreads).occurrences.size() == 4096, "usage differs"); },
      [&] { check(learn(words, &encoder, tokens, 20).size() == 20, "learning on top of an encoder failed"); },
      [&] {
        for (const bpe::simd::Level level : bpe::simd::supported_levels()) bpe::simd::set_level(bpe::simd::name(level));
      },
  });
}

bpe::TextStages stages() {
  const std::vector<bpe::SoughtToken> tokens{{.bytes = "<s>", .sought = "", .id = 4000}};
  return {tokens, bpe::PrefixSpace::kNever, " ", nullptr};
}

}  // namespace

int main() {
  std::vector<std::string> strings;
  for (uint64_t seed = 1; seed <= 8; ++seed) strings.push_back(random_text(seed, 20000));
  const std::vector<bpe::Text> texts = to_texts(strings);
  bpe::ParallelCounter counter(1, nullptr, 0);
  counter.add_texts(kPattern, texts);
  const bpe::WordCounts words = counter.take();
  count(texts, words);
  std::vector<std::string> tokens = byte_tokens();
  const std::vector<bpe::Merge> merges = learn(words, nullptr, tokens, 500);
  const bpe::Encoder learned(byte_alphabet(), merges, stages(), {});
  encode(learned, texts, words, tokens);
  // a new encoder has neither caches nor claims; the first calls come from several threads
  bpe::Encoder fresh(byte_alphabet(), merges, stages(), {});
  fresh.set_cache_bytes(size_t{1} << 20);
  at_once({[&] { bpe::encode_batch(fresh, kPattern, texts, kPolicies, kThreads); },
           [&] { bpe::encode_batch(fresh, kPattern, texts, kPolicies, kThreads); },
           [&] { fresh.set_cache_bytes(size_t{2} << 20); }});
  std::puts("thread_pools: every result is that of one thread");
}
