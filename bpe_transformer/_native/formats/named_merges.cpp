#include "formats/named_merges.hpp"

#include <algorithm>
#include <array>

#include "formats/token_table.hpp"

namespace bpe {

namespace {

constexpr size_t kAhead = 16;  // tokens or merges whose slots are fetched before they are looked at

bool add_all(const std::vector<std::string_view>& tokens, TokenTable& table) {
  std::array<TokenTable::Sought, kAhead> sought;
  for (size_t begin = 0; begin < tokens.size(); begin += kAhead) {
    const size_t n = std::min(kAhead, tokens.size() - begin);
    for (size_t i = 0; i < n; ++i) table.prefetch(sought[i] = TokenTable::sought(tokens[begin + i]));
    for (size_t i = 0; i < n; ++i)
      if (!table.add(sought[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<NumberedMerges> numbered(const NamedMerges& merges, const std::vector<std::string_view>& tokens) {
  TokenTable table(tokens.size());
  if (!add_all(tokens, table)) return std::nullopt;
  const size_t size = merges.ends.size();
  NumberedMerges found;
  for (auto* column : {&found.left, &found.right, &found.merged}) column->reserve(size);
  std::vector<bool> is_made(tokens.size());
  std::array<TokenTable::Sought, kAhead> left, right;
  const std::string_view names = merges.names;
  uint32_t merged = TokenTable::kNone;
  for (size_t begin = 0; begin < size; begin += kAhead) {
    const size_t n = std::min(kAhead, size - begin), start = begin ? merges.ends[begin - 1] : 0;
    for (size_t i = 0, at = start; i < n; at = merges.ends[begin + i++]) {
      const size_t middle = merges.middles[begin + i];
      table.prefetch(left[i] = TokenTable::sought(names.substr(at, middle - at)));
      table.prefetch(right[i] = TokenTable::sought(names.substr(middle, merges.ends[begin + i] - middle)));
    }
    for (size_t i = 0, at = start; i < n; at = merges.ends[begin + i++]) {
      const std::string_view both = names.substr(at, merges.ends[begin + i] - at);
      // mostly what the next merge makes is the next token
      const size_t next = size_t{merged} + 1;
      merged = !both.empty() && table.token(next) == both ? static_cast<uint32_t>(next)
                                                          : table.find(TokenTable::sought(both));
      found.left.push_back(table.find(left[i]));
      found.right.push_back(table.find(right[i]));
      found.merged.push_back(merged);
      if (std::max({found.left.back(), found.right.back(), merged}) == TokenTable::kNone) return std::nullopt;
      found.makes_twice |= is_made[merged];
      is_made[merged] = true;
    }
  }
  return found;
}

std::optional<NamedMerges> read_merge_lines(std::string_view lines, std::string_view header) {
  NamedMerges merges;
  merges.names.reserve(lines.size());
  if (!header.empty() && lines.starts_with(header))
    lines.remove_prefix(std::min(lines.find('\n'), lines.size() - 1) + 1);
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    if (space == line.npos || space == 0 || space + 1 == line.size() || line.find(' ', space + 1) != line.npos)
      return std::nullopt;
    merges.names.append(line.substr(0, space));
    merges.middles.push_back(merges.names.size());
    merges.names.append(line.substr(space + 1));
    merges.ends.push_back(merges.names.size());
  }
  return merges;
}

}  // namespace bpe
