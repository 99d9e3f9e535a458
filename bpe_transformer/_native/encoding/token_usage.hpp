// How often each id occurs in the texts that word counts stand for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/parallel.hpp"
#include "counting/word_counts.hpp"
#include "encoding/encoder.hpp"
#include "merging/alphabet.hpp"

namespace bpe {

struct Tally {
  std::vector<uint64_t> used;  // by id
  uint64_t in_words = 0;       // occurrences of tokens that hold at least one byte of a letter, mark or number
};

// What a token takes of a pre-token: kBytes and a number of bytes, or a number of characters; 0 stands for <unk>.
inline constexpr uint32_t kBytes = 1u << 31;

// Tells which of a word's tokens hold letters, marks or numbers.
class WordBytes {
 public:
  WordBytes(const Alphabet& alphabet, const std::vector<uint32_t>& extents) : alphabet_(alphabet), extents_(extents) {}

  void begin(std::string_view piece) {
    const std::string_view word = alphabet_.word_of(piece);
    at_ = reinterpret_cast<const uint8_t*>(word.data());
    end_ = at_ + word.size();
    inside_.clear();
    for (const uint8_t* p = at_; p < end_;) {
      const unicode::Symbol s = unicode::decode(p, end_);
      const bool counts = s.classes & (unicode::kLetter | unicode::kMark | unicode::kNumber);
      inside_.insert(inside_.end(), s.length, counts);
      p += s.length;
    }
    flag_ = inside_.data();
  }

  // Steps over the next token; true if it holds a byte of a word.
  bool next(uint32_t id) {
    const uint32_t extent = extents_[id];
    if (extent & kBytes) return step(std::min<size_t>(extent & ~kBytes, static_cast<size_t>(end_ - at_)));
    bool found = false;
    for (uint32_t i = 0;
         at_ < end_ && (i < std::max(extent, 1u) || (extent == 0 && alphabet_.fuse_unknown && !known())); ++i)
      found |= step(alphabet_.symbol_at(at_, end_).length);
    return found;
  }

 private:
  bool step(size_t bytes) {
    bool found = false;
    for (size_t i = 0; i < bytes; ++i) found |= *flag_++ != 0;
    at_ += bytes;
    return found;
  }
  bool known() const {
    const unicode::Symbol s = alphabet_.symbol_at(at_, end_);
    return (alphabet_.marks_end && at_ + s.length == end_ ? alphabet_.last : alphabet_.inner).count(s.code_point) > 0;
  }

  const Alphabet& alphabet_;
  const std::vector<uint32_t>& extents_;
  std::vector<uint8_t> inside_;
  const uint8_t *at_ = nullptr, *end_ = nullptr, *flag_ = nullptr;
};

// Each distinct word is encoded once and its ids are counted as often as it occurs. `extents` has an entry for every
// id. Throws UnknownInText, whose text is 0 and whose position is in the word.
inline Tally tally(const Encoder& encoder, const Alphabet& alphabet, const WordCounts& words,
                   const std::vector<uint32_t>& extents, int num_threads) {
  constexpr size_t kStep = 4096;
  std::vector<std::pair<std::string_view, uint64_t>> items;
  items.reserve(words.size());
  words.each([&](std::string_view word, uint64_t count) { items.emplace_back(word, count); });
  std::vector<Tally> sums(static_cast<size_t>(num_threads));
  std::atomic<size_t> next{0};
  run_threads(num_threads, [&](int thread) {
    Tally& sum = sums[static_cast<size_t>(thread)];
    sum.used.resize(extents.size());
    WordBytes bytes(alphabet, extents);
    Encoder::Borrowed cache(encoder);
    IdBuffer ids;
    for (size_t from; (from = next.fetch_add(kStep)) < items.size();) {
      for (size_t i = from; i < std::min(from + kStep, items.size()); ++i) {
        const auto [word, count] = items[i];
        ids.resize(0);
        try {
          encoder.encode_piece(word, *cache, ids);
        } catch (const UnknownCharacter& cause) {
          throw UnknownInText(cause, 0, cause.position);
        }
        bytes.begin(word);
        uint64_t in_words = 0;
        for (size_t n = 0; n < ids.size(); ++n) {
          uint64_t& used = sum.used[ids.data()[n]];
          used = saturating_add(used, count);
          in_words += bytes.next(ids.data()[n]);
        }
        for (; in_words; --in_words) sum.in_words = saturating_add(sum.in_words, count);
      }
    }
  });
  for (size_t thread = 1; thread < sums.size(); ++thread) {
    for (size_t id = 0; id < extents.size(); ++id)
      sums[0].used[id] = saturating_add(sums[0].used[id], sums[thread].used[id]);
    sums[0].in_words = saturating_add(sums[0].in_words, sums[thread].in_words);
  }
  return std::move(sums[0]);
}

}  // namespace bpe
