// Counts the texts in rows of tables, with several threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "counting/parallel_counter.hpp"
#include "rows/row_texts.hpp"

namespace bpe {

// Counts the texts that were read into its memory.
class RowTextCounter {
 public:
  void count();  // what was read last

 protected:
  RowTextCounter(ParallelCounter& counting, const Pattern& pattern) : counting_(counting), pattern_(pattern) {}
  void make_room(size_t bytes);

  ParallelCounter& counting_;
  std::vector<uint8_t> memory_;
  std::vector<Text> texts_;  // in the memory, of UTF-8

 private:
  const Pattern pattern_;
};

// Counts the texts in lines of JSON.
class JsonLineCounter : public RowTextCounter {
 public:
  // `columns`: see read_json_texts.
  JsonLineCounter(ParallelCounter& counting, const Pattern& pattern, std::vector<std::string> columns)
      : RowTextCounter(counting, pattern), columns_(std::move(columns)) {}

  // Reads whole lines, none of which is counted yet. False if some of them are not what read_json_texts takes.
  bool read(std::string_view lines);

  // Of what was read last:
  const std::vector<int64_t>& missing() const { return missing_; }  // see RowTexts
  const std::vector<uint8_t>& found() const { return found_; }

 private:
  const std::vector<std::string> columns_;
  std::vector<int64_t> missing_;
  std::vector<uint8_t> found_;
};

// Counts the texts in rows of a .csv or .tsv file.
class CsvCounter : public RowTextCounter {
 public:
  CsvCounter(ParallelCounter& counting, const Pattern& pattern, CsvFormat format)
      : RowTextCounter(counting, pattern), format_(std::move(format)) {}

  // Reads rows as read_csv_texts does, none of which is counted yet; bytes that are not UTF-8 are not plain.
  CsvTaken read(std::string_view data, bool is_last);

 private:
  const CsvFormat format_;
};

}  // namespace bpe
