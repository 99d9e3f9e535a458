// Random choices for BPE-dropout (Provilkov, Emelianenko and Voita 2020, "BPE-Dropout: Simple and Effective Subword
// Regularization").
#pragma once

#include <cstdint>
#include <vector>

namespace bpe {

// Says for one text which merges are left out. Equal seeds and streams (the number of a text in its batch) say the same,
// whatever else is encoded and by how many threads.
class Dropout {
 public:
  Dropout(double probability, uint64_t seed, uint64_t stream) : probability_(probability), state_(mix(seed ^ mix(stream))) {}

  // A merge that could happen. The order is that of a heap whose first is the best.
  struct Wait {
    uint32_t rank, place, left, right;
    bool operator<(const Wait& other) const { return rank != other.rank ? rank > other.rank : place > other.place; }
  };
  // What one pre-token after another works with.
  struct Memory {
    std::vector<Wait> queue, dropped;
    std::vector<uint32_t> next, previous;
  } memory;

  bool drops() {  // splitmix64 (Steele, Lea and Flood 2014); the high 53 bits as a number from 0 up to 1
    state_ += 0x9E3779B97F4A7C15u;
    return static_cast<double>(mix(state_) >> 11) * 0x1p-53 < probability_;
  }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double probability_;
  uint64_t state_;
};

}  // namespace bpe
