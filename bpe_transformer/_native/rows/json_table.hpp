// Lines of JSON objects as a table: the values under known keys, each of a known kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

struct JsonTable {
  std::string bytes;             // of all cells, row by row: texts, and what stands for the other values
  std::vector<int64_t> ends;     // a 0, then where each cell ends
  std::vector<uint8_t> present;  // whether a cell has a value, which is neither missing nor null
};

struct JsonTableColumn {
  enum Kind : uint8_t { kText = 1, kWhole = 2, kFraction = 4, kBoolean = 8 };
  std::string name;
  uint8_t kinds;  // those that its values may have
};

// Reads whole lines of UTF-8, each an object of JSON or blank. False for anything but that: a value of another kind, a
// key that occurs twice or that no column has, unless these are passed over, a number of more digits than every type
// holds. A slower reader then reads the lines.
bool read_json_table(std::string_view lines, const std::vector<JsonTableColumn>& columns, bool pass_over_others,
                     JsonTable& table);

}  // namespace bpe
