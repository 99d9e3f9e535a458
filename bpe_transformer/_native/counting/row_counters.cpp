#include "counting/row_counters.hpp"

#include <algorithm>
#include <atomic>

#include "base/parallel.hpp"
#include "rows/json_lines.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

constexpr size_t kStretchBytes = size_t{1} << 18;  // that one thread reads at a time
constexpr size_t kSlack = 64;                      // after the texts, which readers may write past
constexpr size_t kMostIncomplete = 3;              // bytes of a character that ends in the next block

std::vector<std::string_view> stretches_of(std::string_view lines) {
  std::vector<std::string_view> stretches;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n', std::min(kStretchBytes, lines.size())), lines.size() - 1) + 1;
    stretches.push_back(lines.substr(0, end));
    lines.remove_prefix(end);
  }
  return stretches;
}

}  // namespace

void RowTextCounter::make_room(size_t bytes) {
  if (memory_.size() < bytes + kSlack) memory_.resize(bytes + kSlack);
  texts_.clear();
}

void RowTextCounter::count() {
  counting_.bytes += counting_.add_texts(pattern_, texts_, {memory_.data() + memory_.size(), true});
  counting_.documents += texts_.size();
  texts_.clear();
}

bool JsonLineCounter::read(std::string_view lines) {
  make_room(lines.size());
  const std::vector<std::string_view> stretches = stretches_of(lines);
  std::vector<RowTexts> found;
  found.reserve(stretches.size());
  for (const std::string_view stretch : stretches) found.emplace_back(memory_.data() + (stretch.data() - lines.data()));
  std::atomic<size_t> next{0};
  std::atomic<bool> all_read{true};
  run_threads(std::min(counting_.num_threads(), static_cast<int>(stretches.size())), [&](int) {
    for (size_t i; all_read && (i = next.fetch_add(1)) < stretches.size();) {
      const std::string_view stretch = stretches[i];
      const auto* const data = reinterpret_cast<const uint8_t*>(stretch.data());
      if (unicode::valid_prefix(data, stretch.size()) < stretch.size() || !read_json_texts(stretch, columns_, found[i]))
        all_read = false;
    }
  });
  missing_.clear();
  found_.assign(columns_.size(), 0);
  if (!all_read) return false;
  int64_t before = 0;
  for (const RowTexts& some : found) {
    texts_.insert(texts_.end(), some.texts.begin(), some.texts.end());
    for (const int64_t line : some.missing) missing_.push_back(before + line);
    for (size_t i = 0; i < columns_.size(); ++i) found_[i] |= some.found[i];
    before += some.lines;
  }
  return true;
}

CsvTaken CsvCounter::read(std::string_view data, bool is_last) {
  make_room(data.size());
  const auto* const bytes = reinterpret_cast<const uint8_t*>(data.data());
  const size_t valid = unicode::valid_prefix(bytes, data.size());  // a block may end within a character
  RowTexts found(memory_.data());
  CsvTaken taken = read_csv_texts(data.substr(0, valid), is_last && valid == data.size(), format_, found);
  if (data.size() - valid > kMostIncomplete || (is_last && valid < data.size())) taken.is_plain = false;
  texts_ = std::move(found.texts);
  return taken;
}

}  // namespace bpe
