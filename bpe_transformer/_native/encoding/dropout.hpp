// Encoding with BPE-dropout (Provilkov, Emelianenko and Voita 2020, "BPE-Dropout: Simple and Effective Subword
// Regularization"): each merge is left out at random.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "encoding/batch.hpp"

namespace bpe {

// The random choices for one text: which merges are dropped. They depend on the seed and the stream (the number of the
// text in its batch) alone, not on other texts or on the number of threads.
class Dropout {
 public:
  // A possible merge; ordered for a heap with the best merge on top.
  struct Candidate {
    uint32_t rank, place, left, right;
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  // Buffers that are reused for the next pre-token; the texts of one thread share them.
  struct Workspace {
    WordCache* words = nullptr;  // ids of words without dropout
    std::vector<Candidate> queue, dropped;
    std::vector<uint32_t> next, previous;
  };

  Dropout(double probability, uint64_t seed, uint64_t stream)
      : below_(static_cast<uint64_t>(std::ceil(probability * 0x1p53))), state_(mix(seed ^ mix(stream))) {}

  // Whether the next merge is dropped.
  bool next() {
    if (kept_ahead_) {
      --kept_ahead_;
      return false;
    }
    return std::exchange(drop_ahead_, false) || draw();
  }
  // The same, without moving on to the next choice.
  bool peek() {
    if (!kept_ahead_ && !drop_ahead_) {
      drop_ahead_ = draw();
      kept_ahead_ = !drop_ahead_;
    }
    return !kept_ahead_;
  }
  // Whether the next `count` merges are all kept. Moves on past them if they are, and does not if one is dropped.
  bool keep_next(uint32_t count) {
    for (; kept_ahead_ < count && !drop_ahead_; kept_ahead_ += !drop_ahead_) drop_ahead_ = draw();
    if (kept_ahead_ < count) return false;
    kept_ahead_ -= count;
    return true;
  }

  Workspace workspace;

 private:
  // splitmix64 (Steele, Lea and Flood 2014); the probability is compared with its high 53 bits.
  bool draw() {
    state_ += 0x9E3779B97F4A7C15u;
    return mix(state_) >> 11 < below_;
  }
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t below_, state_;
  uint32_t kept_ahead_ = 0;  // choices drawn ahead of their use: so many merges are kept,
  bool drop_ahead_ = false;  // and whether one is dropped after them
};

// The ids of texts; text number i has stream i of the seed. Words that are a token as a whole are merged like others.
EncodedBatch sample_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                          const std::vector<SpecialPolicy>& policies, double probability, uint64_t seed,
                          int num_threads);

}  // namespace bpe
