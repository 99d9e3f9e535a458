#include "encoding/special_tokens.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/interruption.hpp"

namespace bpe {

SpecialTokens::SpecialTokens(std::vector<SpecialToken> tokens, PrefixSpace prefix, bool block_is_space)
    : tokens_(std::move(tokens)), prefix_(prefix), block_is_space_(block_is_space) {
  for (const SpecialToken& token : tokens_) {
    const size_t first = token.bytes.empty() ? 0 : static_cast<uint8_t>(token.bytes[0]);
    if (token.bytes.size() > 1) starts_[first << 8 | static_cast<uint8_t>(token.bytes[1])] = true;
    if (token.bytes.size() == 1) std::fill_n(starts_.begin() + static_cast<ptrdiff_t>(first << 8), 256, true);
    if (!token.bytes.empty() && first_bytes_.find(token.bytes[0]) == std::string::npos) first_bytes_ += token.bytes[0];
    if (!token.bytes.empty()) begins_[first] = true;
  }
}

bool SpecialTokens::is_prefixed(Text text, size_t from, size_t to) const {
  if (prefix_ == PrefixSpace::kNever) return false;
  if (prefix_ == PrefixSpace::kAlways) return true;
  if ((prefix_ == PrefixSpace::kFirst || prefix_ == PrefixSpace::kFirstIfNone) && from) return false;
  if (prefix_ == PrefixSpace::kFirst) return true;
  const std::string_view segment(reinterpret_cast<const char*>(text.data + from), to - from);
  return !(segment.starts_with(' ') || (block_is_space_ && segment.starts_with("\xE2\x96\x81")));  // U+2581
}

// The position of the first special token at or after `from` whose policy is not kPlain, the longest one there; the
// text's size if there is none.
size_t SpecialTokens::find(Text text, size_t from, const std::vector<SpecialPolicy>& policies, size_t& token) const {
  const char* const data = reinterpret_cast<const char*>(text.data);
  constexpr size_t kStep = size_t{1} << 20;  // bytes between two looks
  Checkpoint* const checkpoint = Checkpoint::current();
  for (size_t at = from; at < text.size; ++at) {
    if (at % kStep == 0 && checkpoint) checkpoint->look();
    if (first_bytes_.size() == 1) {
      const void* const hit = std::memchr(data + at, first_bytes_[0], text.size - at);
      if (!hit) return text.size;
      at = static_cast<size_t>(static_cast<const char*>(hit) - data);
    } else {
      const size_t last = std::min(text.size - 1, at | (kStep - 1));  // before the next look
      while (at < last && !begins_[text.data[at]]) ++at;
      if (!begins_[text.data[at]]) continue;
    }
    if (at + 1 < text.size && !starts_[size_t{text.data[at]} << 8 | text.data[at + 1]]) continue;
    size_t longest = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const std::string& bytes = tokens_[i].bytes;
      if (policies[i] != SpecialPolicy::kPlain && bytes.size() > longest && bytes.size() <= text.size - at &&
          std::memcmp(data + at, bytes.data(), bytes.size()) == 0)
        longest = bytes.size(), token = i;
    }
    if (longest) return at;
  }
  return text.size;
}

}  // namespace bpe
