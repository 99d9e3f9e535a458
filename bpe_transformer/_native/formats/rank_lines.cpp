#include "formats/rank_lines.hpp"

#include <algorithm>
#include <array>

namespace bpe {

namespace {

constexpr uint8_t kNone = 0xFF;

constexpr std::array<uint8_t, 256> base64_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < letters.size(); ++i) values[static_cast<uint8_t>(letters[i])] = static_cast<uint8_t>(i);
  return values;
}

constexpr std::array<uint8_t, 256> kValues = base64_values();

// Appends the bytes of a text in base64, with padding; false if it is not that.
bool decode(std::string_view text, std::string& out) {
  if (text.empty() || text.size() % 4) return false;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  for (size_t at = 0; at < text.size(); at += 4) {
    const size_t digits = at + 4 < text.size() ? 4 : 4 - padding;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      const uint8_t value = i < digits ? kValues[static_cast<uint8_t>(text[at + i])] : uint8_t{0};
      if (value == kNone) return false;
      bits = bits << 6 | value;
    }
    for (size_t i = 0; i + 1 < digits; ++i) out.push_back(static_cast<char>(bits >> (16 - 8 * i)));
  }
  return true;
}

}  // namespace

std::optional<RankLines> read_rank_lines(std::string_view data) {
  if (data.starts_with("\xEF\xBB\xBF")) data.remove_prefix(3);
  RankLines found;
  found.bytes.reserve(data.size() / 2);
  while (!data.empty()) {
    const size_t end = std::min(data.find('\n'), data.size());
    std::string_view line = data.substr(0, end);
    data.remove_prefix(std::min(end + 1, data.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    if (space == line.npos || line.size() - space < 2 || line.size() - space > 10) return std::nullopt;
    uint32_t rank = 0;
    for (const char digit : line.substr(space + 1)) {
      if (digit < '0' || digit > '9') return std::nullopt;
      rank = 10 * rank + static_cast<uint32_t>(digit - '0');
    }
    if (line.substr(0, space) == "=") continue;
    if (!decode(line.substr(0, space), found.bytes)) return std::nullopt;
    found.ends.push_back(found.bytes.size());
    found.ranks.push_back(rank);
  }
  return found;
}

}  // namespace bpe
