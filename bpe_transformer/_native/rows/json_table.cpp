#include "rows/json_table.hpp"

#include <algorithm>

#include "rows/json_reader.hpp"

namespace bpe {

namespace {

constexpr size_t kMostWhole = 18, kMostFraction = 17;

class RowReader : private JsonReader {
 public:
  RowReader(std::string_view line, const std::vector<JsonTableColumn>& columns, bool pass_over_others, JsonTable& table)
      : JsonReader(line), columns_(columns), pass_over_others_(pass_over_others), table_(table) {}

  bool read() {
    skip_space();
    if (p_ == end_) return true;
    values_.assign(columns_.size(), nullptr);
    if (!object([&](std::string_view key) { return member(key); }) || (skip_space(), p_ != end_)) return false;
    for (size_t i = 0; i < columns_.size(); ++i) {
      p_ = values_[i];
      if (p_ && !cell(columns_[i].kinds)) return false;
      table_.present.push_back(p_ != nullptr);
      table_.ends.push_back(static_cast<int64_t>(table_.bytes.size()));
    }
    return true;
  }

 private:
  // Finds the value of a column; one that is null stays away.
  bool member(std::string_view key) {
    skip_space();
    const char* const begin = p_;
    if (!value(0)) return false;
    const auto column =
        std::find_if(columns_.begin(), columns_.end(), [&](const auto& one) { return one.name == key; });
    if (column == columns_.end()) return pass_over_others_;
    if (*begin != 'n') values_[static_cast<size_t>(column - columns_.begin())] = begin;
    return true;
  }

  bool cell(uint8_t kinds) {
    if (*p_ == '"') return (kinds & JsonTableColumn::kText) && string(&table_.bytes);
    const char* const begin = p_;
    if (*p_ == '{' || *p_ == '[' || !value(0)) return false;
    const std::string_view written(begin, static_cast<size_t>(p_ - begin));
    table_.bytes.append(written);
    if (written[0] == 't' || written[0] == 'f') return kinds & JsonTableColumn::kBoolean;
    const bool is_whole = written.find_first_of(".eE") == written.npos;
    const auto digits =
        static_cast<size_t>(std::count_if(written.begin(), written.end(), [](char c) { return c >= '0' && c <= '9'; }));
    if (is_whole) return (kinds & JsonTableColumn::kWhole) && digits <= kMostWhole && written != "-0";
    return (kinds & JsonTableColumn::kFraction) && digits <= kMostFraction &&
           written.find_first_of("eE") == written.npos;
  }

  const std::vector<JsonTableColumn>& columns_;
  const bool pass_over_others_;
  JsonTable& table_;
  std::vector<const char*> values_;  // where the value of each column begins, null if it has none
};

}  // namespace

bool read_json_table(std::string_view lines, const std::vector<JsonTableColumn>& columns, bool pass_over_others,
                     JsonTable& table) {
  table.bytes.reserve(lines.size());
  table.ends.push_back(0);
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (!RowReader(lines.substr(0, end), columns, pass_over_others, table).read()) return false;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return true;
}

}  // namespace bpe
