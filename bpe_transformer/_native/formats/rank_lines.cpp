#include "formats/rank_lines.hpp"

#include <algorithm>
#include <array>

#include "rows/json_reader.hpp"

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

// The rank that some digits stand for; false for anything else.
bool read_rank(std::string_view digits, uint32_t& rank) {
  if (digits.empty() || digits.size() > 9) return false;
  rank = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return false;
    rank = 10 * rank + static_cast<uint32_t>(digit - '0');
  }
  return true;
}

class TekkenReader : private JsonReader {
 public:
  explicit TekkenReader(std::string_view document) : JsonReader(document), begin_(p_) {}

  bool read(TekkenTokens& found) {
    const char* vocab = nullptr;
    const char* vocab_end = nullptr;
    const bool whole = members([&](std::string_view key) {
      if (key != "vocab") return value(1);
      skip_space();
      if (vocab) return false;
      vocab = p_;
      if (!read_entries(found.tokens)) return false;
      vocab_end = p_;
      return true;
    });
    skip_space();
    if (!whole || !vocab || p_ != end_) return false;
    found.rest.append(begin_, vocab).append("[]").append(vocab_end, end_);
    return true;
  }

 private:
  template <class Member>
  bool members(const Member& member) {
    if (!take('{')) return false;
    do {
      std::string_view key;
      if (!plain_key(key) || !take(':') || !member(key)) return false;
    } while (take(','));
    return take('}');
  }
  bool read_entries(RankLines& tokens) {
    if (!take('[')) return false;
    do {
      if (!read_entry(tokens)) return false;
    } while (take(','));
    return take(']');
  }
  bool read_entry(RankLines& tokens) {
    constexpr unsigned kRank = 1, kBytes = 2, kText = 4;
    unsigned seen = 0;
    const bool whole = members([&](std::string_view key) {
      unsigned which = 0;
      if (key == "rank") which = kRank;
      else if (key == "token_bytes") which = kBytes;
      else if (key == "token_str") which = kText;
      if (!which || (seen & which)) return false;
      seen |= which;
      skip_space();
      const char* const begin = p_;
      if (which == kText) return value(2);
      if (which == kRank) {
        while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
        const std::string_view digits(begin, static_cast<size_t>(p_ - begin));
        return (digits.size() < 2 || digits[0] != '0') && read_rank(digits, tokens.ranks.emplace_back());
      }
      std::string_view text;
      if (!plain_key(text) || !decode(text, tokens.bytes)) return false;  // a string without escapes, as a key is
      tokens.ends.push_back(tokens.bytes.size());
      return true;
    });
    return whole && (seen & kRank) && (seen & kBytes);
  }

  const char* const begin_;
};

}  // namespace

std::optional<RankLines> read_rank_words(std::string_view text) {
  RankLines found;
  found.bytes.reserve(text.size() / 2);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const auto take_word = [&] {
      const std::string_view word = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(word.size() + 1, line.size()));
      return word;
    };
    uint32_t rank = 0;
    if (take_word().empty() || !read_rank(take_word(), rank) || line.empty()) return std::nullopt;
    while (!line.empty()) {
      if (!decode(take_word(), found.bytes)) return std::nullopt;
      found.ends.push_back(found.bytes.size());
      found.ranks.push_back(rank++);
    }
  }
  return found;
}

std::optional<TekkenTokens> read_tekken(std::string_view document) {
  TekkenTokens found;
  if (!TekkenReader(document).read(found)) return std::nullopt;
  return found;
}

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
    uint32_t rank = 0;
    if (space == line.npos || !read_rank(line.substr(space + 1), rank)) return std::nullopt;
    if (line.substr(0, space) == "=") continue;
    if (!decode(line.substr(0, space), found.bytes)) return std::nullopt;
    found.ends.push_back(found.bytes.size());
    found.ranks.push_back(rank);
  }
  return found;
}

}  // namespace bpe
