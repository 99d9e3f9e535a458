// Where the bytes of normalised text come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace bpe {

// For each byte of a changed text, the start and the end of its source: bytes of the original.
struct Alignment {
  std::vector<int64_t> starts, ends;

  // The bytes [from, to) of the original, as they are.
  void same(size_t from, size_t to) {
    const auto first = static_cast<ptrdiff_t>(starts.size());
    starts.resize(starts.size() + (to - from));
    ends.resize(ends.size() + (to - from));
    std::iota(starts.begin() + first, starts.end(), static_cast<int64_t>(from));
    std::iota(ends.begin() + first, ends.end(), static_cast<int64_t>(from + 1));
  }
  // `bytes` bytes that stand for the bytes [from, to) of the original.
  void changed(size_t from, size_t to, size_t bytes) {
    starts.insert(starts.end(), bytes, static_cast<int64_t>(from));
    ends.insert(ends.end(), bytes, static_cast<int64_t>(to));
  }
  void resize(size_t bytes) { starts.resize(bytes), ends.resize(bytes); }
};

}  // namespace bpe
