// The texts in rows of a table, and the rows of .csv and .tsv files. Lines of JSON are read by json_lines.hpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "text/text.hpp"

namespace bpe {

// Texts that a reader writes one after another into memory that it is given: they take no more than what they are read
// from.
struct RowTexts {
  using value_type = uint8_t;

  explicit RowTexts(uint8_t* memory) : end(memory) {}

  uint8_t* end;  // of what was written
  std::vector<Text> texts;
  std::vector<int64_t> missing;  // the line, from 0 on, of each value that is missing or null
  std::vector<uint8_t> found;    // of each wanted column, whether a row has it
  int64_t lines = 0;

  void append(const char* from, const char* to) {
    std::memcpy(end, from, static_cast<size_t>(to - from));
    end += to - from;
  }
  void push_back(uint8_t byte) { *end++ = byte; }
  uint8_t** end_for_copies() { return &end; }  // see end_of_plain
};

// How the rows of a file are written, and which of their fields are wanted.
struct CsvFormat {
  char separator;
  bool is_quoted;                 // as in RFC 4180, with fields that may hold separators and ends of lines
  size_t num_fields;              // of every row
  std::vector<size_t> positions;  // of the wanted fields, all different
};

struct CsvTaken {
  size_t bytes;   // whole rows
  bool is_plain;  // false if the next row is not; otherwise `data` ends before it does
};

// Reads the wanted fields of rows, one row after another; empty lines are none. Stops before a row that ends after
// `data`, and before one that is anything but plain, such as with other fields than `num_fields` or with a wrong quote;
// a slower reader then says what is wrong. `is_last`: after `data` the file ends.
CsvTaken read_csv_texts(std::string_view data, bool is_last, const CsvFormat& format, RowTexts& texts);

}  // namespace bpe
