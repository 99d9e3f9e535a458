// Arithmetic on counts: sums that do not wrap, weights, and what is left out.
#pragma once

#include <cstdint>

namespace bpe {

// Adds without wrapping: a count that would pass 2^64 - 1 stays there.
inline uint64_t saturating_add(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum < a ? UINT64_MAX : sum;
}

// A weight as a fraction. A count times it is exact and rounds half up; past 2^64 - 1 it stays there.
struct Weight {
  uint64_t numerator = 1, denominator = 1;

  uint64_t of(uint64_t count) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{count} * numerator;
    const Wide quotient = product / denominator, rest = product % denominator;
    const Wide rounded = quotient + (rest >= denominator - rest);
    return rounded > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(rounded);
  }
};

// Words that a weight or a minimum count left out.
struct Dropped {
  uint64_t words = 0, occurrences = 0;

  void add(uint64_t count) {
    ++words;
    occurrences = saturating_add(occurrences, count);
  }
};

}  // namespace bpe
