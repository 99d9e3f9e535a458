#include "rows/json_lines.hpp"

#include <algorithm>

#include "rows/json_reader.hpp"

namespace bpe {

namespace {

// Reads one line after another.
class LineReader : private JsonReader {
 public:
  LineReader(const std::vector<std::string>& columns, RowTexts& texts)
      : JsonReader({}), columns_(columns), texts_(texts), found_(columns.size()) {}

  bool read(std::string_view line) {
    begin(line);
    skip_space();
    if (p_ == end_) return true;
    std::fill(found_.begin(), found_.end(), Text{nullptr, 0});
    if (!object([&](std::string_view key) { return member(key); })) return false;
    skip_space();
    if (p_ != end_) return false;
    for (const Text& text : found_) {
      if (text.data) texts_.texts.push_back(text);
      else texts_.missing.push_back(texts_.lines);
    }
    return true;
  }

 private:
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
  LineReader reader(columns, texts);
  for (; !lines.empty(); ++texts.lines) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (!reader.read(lines.substr(0, end))) return false;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return true;
}

}  // namespace bpe
