#include "encoding/token_finder.hpp"

#include <cstring>

#include "base/interruption.hpp"
#include "text/code_points.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

std::string replaced(std::string text, const std::string& what, char by) {
  for (size_t at = 0; !what.empty() && (at = text.find(what, at)) != std::string::npos; ++at)
    text.replace(at, what.size(), 1, by);
  return text;
}

// The character that ends at `end`, in the text from `from` on; a byte that is not UTF-8 by itself.
unicode::Symbol symbol_before(Text text, size_t from, size_t end) {
  for (size_t length = 4; length > 1; --length)
    if (end - from >= length) {
      const unicode::Symbol symbol = unicode::decode(text.data + end - length, text.data + end);
      if (symbol.length == length) return symbol;
    }
  return unicode::decode(text.data + end - 1, text.data + end);
}

bool is_word(const unicode::Symbol& symbol) {
  static const CodePoints word = CodePoints::word();
  return symbol.code_point != unicode::kInvalid && word.contains(symbol.code_point);
}

}  // namespace

TokenFinder::TokenFinder(const std::vector<SoughtToken>& tokens, bool normalized, const std::string& space_mark)
    : space_mark_(space_mark) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (((tokens[i].flags & SoughtToken::kNormalized) != 0) != normalized || tokens[i].form().empty()) continue;
    indices_.push_back(static_cast<uint32_t>(i));
    add(replaced(tokens[i].form(), space_mark_, ' '), static_cast<uint32_t>(i), tokens[i].flags);
  }
  for (auto& sought : by_first_)
    std::stable_sort(sought.begin(), sought.end(),
                     [](const Sought& a, const Sought& b) { return a.bytes.size() > b.bytes.size(); });
}

void TokenFinder::add(const std::string& bytes, uint32_t token, uint8_t flags) {
  by_first_[static_cast<uint8_t>(bytes[0])].push_back({bytes, token, flags});
  add_start(static_cast<uint8_t>(bytes[0]), bytes);
  if (bytes[0] == ' ' && !space_mark_.empty()) {
    by_first_[static_cast<uint8_t>(space_mark_[0])].push_back({bytes, token, flags});
    add_start(static_cast<uint8_t>(space_mark_[0]), space_mark_);
  }
}

// Notes that a token may begin with the first two bytes of `bytes`, of which `first` is the first.
void TokenFinder::add_start(uint8_t first, const std::string& bytes) {
  const size_t pairs = size_t{first} << 8;
  if (bytes.size() > 1) starts_[pairs | static_cast<uint8_t>(bytes[1])] = true;
  const bool any = bytes.size() == 1 || (bytes[1] == ' ' && !space_mark_.empty());
  if (any) std::fill_n(starts_.begin() + static_cast<ptrdiff_t>(pairs), 256, true);
  if (!begins_[first]) first_bytes_ += static_cast<char>(first);
  begins_[first] = true;
}

// The bytes of the text at `at` that match a token, 0 if they do not.
size_t TokenFinder::match(Text text, size_t at, const std::string& bytes) const {
  if (space_mark_.empty())
    return bytes.size() <= text.size - at && !std::memcmp(text.data + at, bytes.data(), bytes.size()) ? bytes.size()
                                                                                                      : 0;
  const size_t start = at;
  for (const char byte : bytes) {
    if (at < text.size && static_cast<char>(text.data[at]) == byte) {
      ++at;
    } else if (byte == ' ' && space_mark_.size() <= text.size - at &&
               !std::memcmp(text.data + at, space_mark_.data(), space_mark_.size())) {
      at += space_mark_.size();
    } else {
      return 0;
    }
  }
  return at - start;
}

bool TokenFinder::find_at(Text text, size_t at, const std::vector<SpecialPolicy>& policies, Occurrence& found) const {
  for (const Sought& sought : by_first_[text.data[at]]) {
    if (policies[sought.token] == SpecialPolicy::kPlain) continue;
    if (const size_t size = match(text, at, sought.bytes)) {
      found = {sought.token, at, at + size, sought.flags};
      return true;
    }
  }
  return false;
}

size_t TokenFinder::FirstBytes::next(size_t from) {
  size_t first = text_.size;
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if (!begun_ || next_[i] < from) {
      const void* const hit = std::memchr(text_.data + from, bytes_[i], text_.size - from);
      next_[i] = hit ? static_cast<size_t>(static_cast<const uint8_t*>(hit) - text_.data) : text_.size;
    }
    first = std::min(first, next_[i]);
  }
  begun_ = true;
  return first;
}

// The first token at or after `from` whose policy is not kPlain, the longest one there; false if there is none.
bool TokenFinder::find(Text text, size_t from, const std::vector<SpecialPolicy>& policies, FirstBytes& first_bytes,
                       Occurrence& found) const {
  constexpr size_t kStep = size_t{1} << 20;  // bytes between two looks
  Checkpoint* const checkpoint = Checkpoint::current();
  for (size_t at = from; at < text.size; ++at) {
    if (at % kStep == 0 && checkpoint) checkpoint->look();
    if (first_bytes.are_few()) {
      at = first_bytes.next(at);
      if (at == text.size) return false;
    } else {
      const size_t last = std::min(text.size - 1, at | (kStep - 1));  // before the next look
      while (at < last && !begins_[text.data[at]]) ++at;
      if (!begins_[text.data[at]]) continue;
    }
    if (at + 1 < text.size && !starts_[size_t{text.data[at]} << 8 | text.data[at + 1]]) continue;
    if (find_at(text, at, policies, found)) return true;
  }
  return false;
}

// Whether a word character stands right before `start` or right after `end`.
bool TokenFinder::in_word(Text text, size_t start, size_t end) {
  if (start && is_word(symbol_before(text, 0, start))) return true;
  return end < text.size && is_word(unicode::decode(text.data + end, text.data + text.size));
}

// Where the white space begins that ends at `end`, at `from` or after it.
size_t TokenFinder::without_spaces_before(Text text, size_t from, size_t end) {
  while (end > from) {
    const unicode::Symbol symbol = symbol_before(text, from, end);
    if (!(symbol.classes & unicode::kSpace)) break;
    end -= symbol.length;
  }
  return end;
}

// Where the white space ends that begins at `start`.
size_t TokenFinder::without_spaces_after(Text text, size_t start) {
  while (start < text.size) {
    const unicode::Symbol symbol = unicode::decode(text.data + start, text.data + text.size);
    if (!(symbol.classes & unicode::kSpace)) break;
    start += symbol.length;
  }
  return start;
}

}  // namespace bpe
