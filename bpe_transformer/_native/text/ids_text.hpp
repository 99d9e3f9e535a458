// Ids as text: a line for each row, separated by spaces or as a JSON list.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "text/text.hpp"

namespace bpe {

// Row i is ids[row_starts[i]] to ids[row_starts[i + 1]].
struct IdRows {
  std::vector<int64_t> ids;
  std::vector<int64_t> row_starts{0};
};

// Bytes in memory that is not zeroed first.
struct ByteBuffer {
  std::unique_ptr<char[]> data;
  size_t size;
};

// Writes a number, two digits at a time; returns its end, at most 10 bytes on.
inline char* write_number(uint32_t number, char* to) {
  static constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (size_t i = 0; i < 100; ++i)
      pairs[2 * i] = static_cast<char>('0' + i / 10), pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    return pairs;
  }();
  size_t size = 1;
  for (uint64_t bound = 10; number >= bound; bound *= 10) ++size;
  char* at = to + size;
  for (; number >= 100; number /= 100) std::memcpy(at -= 2, &kPairs[number % 100 * 2], 2);
  if (number >= 10) std::memcpy(at - 2, &kPairs[number * 2], 2);
  else at[-1] = static_cast<char>('0' + number);
  return to + size;
}

// Rows of ids as lines: "1 2\n", or "[1, 2]\n" with `json`.
inline ByteBuffer lines_of_ids(const uint32_t* ids, const int64_t* row_starts, size_t rows, bool json) {
  const size_t most = static_cast<size_t>(row_starts[rows] - row_starts[0]) * 12 + rows * 3;
  ByteBuffer out{std::make_unique_for_overwrite<char[]>(most), 0};
  char* to = out.data.get();
  for (size_t row = 0; row < rows; ++row) {
    if (json) *to++ = '[';
    for (int64_t i = row_starts[row]; i < row_starts[row + 1]; ++i) {
      if (i > row_starts[row]) {
        if (json) *to++ = ',';
        *to++ = ' ';
      }
      to = write_number(ids[i], to);
    }
    if (json) *to++ = ']';
    *to++ = '\n';
  }
  out.size = static_cast<size_t>(to - out.data.get());
  return out;
}

// Reads such lines. Empty if a line holds anything but ids below 10^18, between white space or in a JSON list.
inline std::optional<IdRows> ids_of_lines(Text text) {
  const auto is_space = [](uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n'); };
  IdRows rows;
  rows.ids.reserve(text.size / 4);
  const uint8_t* p = text.data;
  const uint8_t* const end = p + text.size;
  const auto skip = [&] {
    while (p < end && is_space(*p)) ++p;
  };
  const auto number = [&] {
    const uint8_t* const begin = p;
    int64_t value = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - begin < 18) value = value * 10 + (*p++ - '0');
    rows.ids.push_back(value);
    return p > begin && (*begin != '0' || p - begin == 1) && !(p < end && *p >= '0' && *p <= '9');
  };
  while (p < end) {
    skip();
    if (p < end && *p == '[') {
      ++p, skip();
      if (p < end && *p == ']') {
        ++p;
      } else {
        for (;; ++p) {
          skip();
          if (!number()) return std::nullopt;
          skip();
          if (p == end || (*p != ',' && *p != ']')) return std::nullopt;
          if (*p == ']') break;
        }
        ++p;
      }
      skip();
    } else {
      while (p < end && *p != '\n') {
        if (!number() || (p < end && *p != '\n' && !is_space(*p))) return std::nullopt;
        skip();
      }
    }
    if (p < end && *p++ != '\n') return std::nullopt;
    rows.row_starts.push_back(static_cast<int64_t>(rows.ids.size()));
  }
  return rows;
}

}  // namespace bpe
