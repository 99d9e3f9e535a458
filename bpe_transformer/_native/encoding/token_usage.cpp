#include "encoding/token_usage.hpp"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>

#include "base/parallel.hpp"
#include "counting/weight.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

// Walks along the tokens of a pre-token and says which of them hold letters, marks or numbers.
class TokenWalk {
 public:
  TokenWalk(const Alphabet& alphabet, const std::vector<uint32_t>& extents) : alphabet_(alphabet), extents_(extents) {}

  void begin(std::string_view pretoken) {
    const std::string_view word = alphabet_.word_of(pretoken);
    at_ = reinterpret_cast<const uint8_t*>(word.data());
    end_ = at_ + word.size();
    in_word_.clear();
    for (const uint8_t* p = at_; p < end_;) {
      const unicode::Symbol s = unicode::decode(p, end_);
      const bool counts = s.classes & (unicode::kLetter | unicode::kMark | unicode::kNumber);
      in_word_.insert(in_word_.end(), s.length, counts);
      p += s.length;
    }
    flag_ = in_word_.data();
  }

  // Moves past the next token; true if it holds a byte of a letter, mark or number.
  bool next(uint32_t id) {
    const uint32_t extent = extents_[id];
    if (extent & kBytes) return move(std::min<size_t>(extent & ~kBytes, static_cast<size_t>(end_ - at_)));
    bool found = false;
    for (uint32_t i = 0;
         at_ < end_ && (i < std::max(extent, 1u) || (extent == 0 && alphabet_.fuse_unknown && !in_alphabet())); ++i)
      found |= move(alphabet_.symbol_at(at_, end_).length);
    return found;
  }

 private:
  bool move(size_t bytes) {
    bool found = false;
    for (size_t i = 0; i < bytes; ++i) found |= *flag_++ != 0;
    at_ += bytes;
    return found;
  }
  bool in_alphabet() const {
    const unicode::Symbol s = alphabet_.symbol_at(at_, end_);
    const auto& ids = alphabet_.marks_end && at_ + s.length == end_ ? alphabet_.last : alphabet_.inner;
    return ids.of(s.code_point) != kNoId;
  }

  const Alphabet& alphabet_;
  const std::vector<uint32_t>& extents_;
  std::vector<uint8_t> in_word_;  // for each byte, whether it is of a letter, mark or number
  const uint8_t *at_ = nullptr, *end_ = nullptr, *flag_ = nullptr;
};

// One thread's share of the work.
class UsageCounter {
 public:
  UsageCounter(const Encoder& encoder, const std::vector<uint32_t>& extents)
      : encoder_(encoder), cache_(encoder), walk_(encoder.alphabet(), extents) {
    usage.occurrences.resize(extents.size());
  }

  void add(std::string_view word, uint64_t count) {
    ids_.resize(0);
    try {
      encoder_.encode_pretoken(word, *cache_, ids_);
    } catch (const UnknownCharacter& cause) {
      throw UnknownInText(cause, 0, cause.position);
    }
    walk_.begin(word);
    uint64_t in_words = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      uint64_t& occurrences = usage.occurrences[ids_.data()[i]];
      occurrences = saturating_add(occurrences, count);
      in_words += walk_.next(ids_.data()[i]);
    }
    for (; in_words; --in_words) usage.in_words = saturating_add(usage.in_words, count);
  }

  TokenUsage usage;

 private:
  const Encoder& encoder_;
  Encoder::BorrowedCache cache_;
  TokenWalk walk_;
  IdBuffer ids_;
};

}  // namespace

TokenUsage token_usage(const Encoder& encoder, const WordCounts& words, const std::vector<uint32_t>& extents,
                       int num_threads) {
  constexpr size_t kStep = 4096;  // words that a thread takes at a time
  std::vector<std::pair<std::string_view, uint64_t>> items;
  items.reserve(words.size());
  words.each([&](std::string_view word, uint64_t count) { items.emplace_back(word, count); });
  std::vector<TokenUsage> sums(static_cast<size_t>(std::max(num_threads, 1)));
  std::atomic<size_t> next{0};
  run_threads(num_threads, [&](int thread) {
    UsageCounter counter(encoder, extents);
    for (size_t from; (from = next.fetch_add(kStep)) < items.size();) {
      for (size_t i = from; i < std::min(from + kStep, items.size()); ++i) {
        pass_checkpoint();
        counter.add(items[i].first, items[i].second);
      }
    }
    sums[static_cast<size_t>(thread)] = std::move(counter.usage);
  });
  for (size_t thread = 1; thread < sums.size(); ++thread) {
    for (size_t id = 0; id < extents.size(); ++id)
      sums[0].occurrences[id] = saturating_add(sums[0].occurrences[id], sums[thread].occurrences[id]);
    sums[0].in_words = saturating_add(sums[0].in_words, sums[thread].in_words);
  }
  return std::move(sums[0]);
}

}  // namespace bpe
