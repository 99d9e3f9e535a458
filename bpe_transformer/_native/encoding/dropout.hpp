// Random choices for BPE-dropout (Provilkov, Emelianenko and Voita 2020, "BPE-Dropout: Simple and Effective Subword
// Regularization").
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace bpe {

struct PieceCache;

// Says for one text which merges are left out. Equal seeds and streams (the number of a text in its batch) say the
// same, whatever else is encoded and by how many threads.
class Dropout {
 public:
  // A merge that could happen. The order is that of a heap whose first is the best.
  struct Wait {
    uint32_t rank, place, left, right;
    bool operator<(const Wait& other) const { return rank != other.rank ? rank > other.rank : place > other.place; }
  };
  // What one pre-token after another works with; more than one text may.
  struct Memory {
    PieceCache* words = nullptr;  // what words become if nothing is dropped
    std::vector<Wait> queue, dropped;
    std::vector<uint32_t> next, previous;
  };

  Dropout(double probability, uint64_t seed, uint64_t stream)
      : below_(static_cast<uint64_t>(std::ceil(probability * 0x1p53))), state_(mix(seed ^ mix(stream))) {}

  // Whether the next merge is dropped.
  bool drops() {
    if (kept_ahead_) {
      --kept_ahead_;
      return false;
    }
    return std::exchange(drop_ahead_, false) || draw();
  }
  // The same, without taking it as said.
  bool drops_next() {
    if (!kept_ahead_ && !drop_ahead_) {
      drop_ahead_ = draw();
      kept_ahead_ = !drop_ahead_;
    }
    return !kept_ahead_;
  }
  // Whether the next `count` merges are all kept. If so they are taken as said; if not, `drops` says it of each.
  bool keeps(uint32_t count) {
    for (; kept_ahead_ < count && !drop_ahead_; kept_ahead_ += !drop_ahead_) drop_ahead_ = draw();
    if (kept_ahead_ < count) return false;
    kept_ahead_ -= count;
    return true;
  }

  Memory memory;

 private:
  bool draw() {  // splitmix64 (Steele, Lea and Flood 2014); of the high 53 bits so many numbers are dropped
    state_ += 0x9E3779B97F4A7C15u;
    return mix(state_) >> 11 < below_;
  }
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t below_, state_;
  uint32_t kept_ahead_ = 0;  // drawn, and not said yet: so many are kept,
  bool drop_ahead_ = false;  // and whether one is dropped after them
};

}  // namespace bpe
