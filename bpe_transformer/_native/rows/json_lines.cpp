#include "rows/json_lines.hpp"

#include <algorithm>

#include "rows/json_reader.hpp"

namespace bpe {

namespace {

// Reads one line after another.
class LineReader : private BasicJsonReader<true> {
 public:
  LineReader(std::string_view lines, const std::vector<std::string>& columns, RowTexts& texts)
      : BasicJsonReader(lines), columns_(columns), texts_(texts), found_(columns.size()) {}

  bool read() {
    for (; p_ < end_; ++texts_.lines) {
      if (!line()) return false;
      p_ += p_ < end_;
    }
    return true;
  }

 private:
  bool at_end_of_line() {
    skip_space();
    return p_ == end_ || *p_ == '\n';
  }
  bool line() {
    if (at_end_of_line()) return true;
    std::fill(found_.begin(), found_.end(), Text{nullptr, 0});
    if (!object([&](std::string_view key) { return member(key); }) || !at_end_of_line()) return false;
    for (const Text& text : found_) {
      if (text.data) texts_.texts.push_back(text);
      else texts_.missing.push_back(texts_.lines);
    }
    return true;
  }
  // The value of a key, kept if it is a wanted text.
  bool member(std::string_view key) {
    if (columns_.empty()) {
      if (!next_is('"')) return value(0);
      Text text{};
      if (!read_text(text)) return false;
      texts_.texts.push_back(text);
      return true;
    }
    const auto column = static_cast<size_t>(std::find(columns_.begin(), columns_.end(), key) - columns_.begin());
    if (column == columns_.size()) return value(0);
    texts_.found[column] = true;
    return next_is('"') ? read_text(found_[column]) : next_is('n') && value(0);
  }
  bool read_text(Text& text) {
    const uint8_t* const start = texts_.end;
    if (!string(&texts_)) return false;
    text = {start, static_cast<size_t>(texts_.end - start)};
    return true;
  }

  const std::vector<std::string>& columns_;
  RowTexts& texts_;
  std::vector<Text> found_;  // of each column
};

}  // namespace

bool read_json_texts(std::string_view lines, const std::vector<std::string>& columns, RowTexts& texts) {
  texts.found.resize(columns.size());
  return LineReader(lines, columns, texts).read();
}

}  // namespace bpe
