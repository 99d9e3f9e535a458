// Ids as people and programs write them: a line a text, between spaces or as JSON lists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "texts.hpp"

namespace bpe {

// Row i is ids[offsets[i]] to ids[offsets[i + 1]].
struct IdRows {
  std::vector<int64_t> ids;
  std::vector<int64_t> offsets{0};
};

// Rows of ids as lines: "1 2\n", or "[1, 2]\n" with `json`.
inline std::string lines_of_ids(const uint32_t* ids, const int64_t* offsets, size_t rows, bool json) {
  std::string out;
  out.reserve(static_cast<size_t>(offsets[rows] - offsets[0]) * 7 + rows * 3);
  char digits[10];
  for (size_t row = 0; row < rows; ++row) {
    if (json) out += '[';
    for (int64_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      if (i > offsets[row]) out.append(json ? ", " : " ");
      size_t at = sizeof digits;
      for (uint32_t id = ids[i];; id /= 10) {
        digits[--at] = static_cast<char>('0' + id % 10);
        if (id < 10) break;
      }
      out.append(digits + at, sizeof digits - at);
    }
    out.append(json ? "]\n" : "\n");
  }
  return out;
}

// The rows of lines of ids; none if a line is anything but ids below 10^18 between white space, or a JSON list of such.
inline std::optional<IdRows> ids_of_lines(Text text) {
  const auto is_space = [](uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n'); };
  IdRows rows;
  rows.ids.reserve(text.size / 4);
  const uint8_t* p = text.data;
  const uint8_t* const end = p + text.size;
  const auto skip = [&] { while (p < end && is_space(*p)) ++p; };
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
    rows.offsets.push_back(static_cast<int64_t>(rows.ids.size()));
  }
  return rows;
}

}  // namespace bpe
