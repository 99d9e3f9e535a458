#include "text/json_lines.hpp"

#include <algorithm>

#include "text/json_reader.hpp"

namespace bpe {

namespace {

// Reads one line.
class LineReader : private JsonReader {
 public:
  LineReader(std::string_view line, const std::vector<std::string>& columns, JsonTexts& texts)
      : JsonReader(line), columns_(columns), texts_(texts) {}

  bool read() {
    skip_space();
    if (p_ == end_) return true;
    const size_t first = texts_.starts.size(), size = texts_.bytes.size();
    found_.assign(columns_.size(), {-1, -1});
    if (object([&](std::string_view key) { return member(key); }) && (skip_space(), p_ == end_) && add_columns())
      return true;
    texts_.starts.resize(first);
    texts_.stops.resize(first);
    texts_.bytes.resize(size);
    return false;
  }

 private:
  struct Span {
    int64_t start, stop;
  };

  // The value of a key, kept if it is a wanted text.
  bool member(std::string_view key) {
    const auto column = std::find(columns_.begin(), columns_.end(), key);
    const bool wanted = columns_.empty() || column != columns_.end();
    if (!wanted || !next_is('"')) return column == columns_.end() && value(0);
    const auto start = static_cast<int64_t>(texts_.bytes.size());
    if (!string(&texts_.bytes)) return false;
    const auto stop = static_cast<int64_t>(texts_.bytes.size());
    if (columns_.empty()) add({start, stop});
    else found_[static_cast<size_t>(column - columns_.begin())] = {start, stop};
    return true;
  }

  void add(Span span) {
    texts_.starts.push_back(span.start);
    texts_.stops.push_back(span.stop);
  }
  bool add_columns() {
    for (const Span span : found_)
      if (span.start < 0) return false;
    for (const Span span : found_) add(span);
    return true;
  }

  const std::vector<std::string>& columns_;
  JsonTexts& texts_;
  std::vector<Span> found_;  // of each column
};

}  // namespace

bool read_json_texts(std::string_view lines, const std::vector<std::string>& columns, JsonTexts& texts) {
  texts.bytes.reserve(texts.bytes.size() + lines.size());
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (!LineReader(lines.substr(0, end), columns, texts).read()) return false;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return true;
}

}  // namespace bpe
