// Reads JSON, strictly, in memory. What is unusual is not taken: a slower reader then says what is wrong with it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text/append_utf8.hpp"

namespace bpe {

// Where the first byte in [p, end) is that is '"', '\\' or below a space; end if none is. With `out`, the bytes before
// it are copied to where that points, and it is moved behind them; as many bytes as are left to read may be
// overwritten.
template <bool kCopies = false>
inline const char* end_of_plain(const char* p, const char* end, [[maybe_unused]] uint8_t** out = nullptr) {
  [[maybe_unused]] const char* const begin = p;
#ifdef __SSE2__
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), control = _mm_set1_epi8(0x1F);
    if constexpr (kCopies) _mm_storeu_si128(reinterpret_cast<__m128i*>(*out + (p - begin)), bytes);
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    const __m128i is_mark =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    if (const int found = _mm_movemask_epi8(_mm_or_si128(is_control, is_mark))) {
      p += __builtin_ctz(static_cast<unsigned>(found));
      if constexpr (kCopies) *out += p - begin;
      return p;
    }
  }
#else
  // eight at a time
  constexpr uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  const auto zeros = [](uint64_t word) { return (word - ones) & ~word & high; };
  for (; end - p >= 8; p += 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    const uint64_t control = (word - ones * 0x20) & ~word & high;
    const uint64_t found = zeros(word ^ ones * '"') | zeros(word ^ ones * '\\') | control;
    if (found == 0) continue;
    if constexpr (std::endian::native == std::endian::little)  // carries mark none wrongly but those after the first
      p += std::countr_zero(found) >> 3;
    break;
  }
#endif
  while (p < end && *p != '"' && *p != '\\' && static_cast<uint8_t>(*p) >= 0x20) ++p;
  if constexpr (kCopies) {
    const auto size = static_cast<size_t>(p - begin);
    std::memcpy(*out, begin, size);
    *out += size;
  }
  return p;
}

// A place in UTF-8 that holds JSON. Every method returns false for what it does not take, and leaves the place anywhere
// then. `kByLine`: ends of lines are no white space.
template <bool kByLine>
class BasicJsonReader {
 public:
  explicit BasicJsonReader(std::string_view json) { begin(json); }

 protected:
  void begin(std::string_view json) {
    p_ = json.data();
    end_ = json.data() + json.size();
  }
  void skip_space() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\r' || (!kByLine && *p_ == '\n'))) ++p_;
  }
  bool take(char c) {
    skip_space();
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  bool next_is(char c) {
    skip_space();
    return p_ < end_ && *p_ == c;
  }

  // A key without escapes.
  bool plain_key(std::string_view& key) {
    if (!take('"')) return false;
    const char* const begin = p_;
    p_ = end_of_plain(p_, end_);
    if (p_ == end_ || *p_ != '"') return false;
    key = {begin, static_cast<size_t>(p_++ - begin)};
    return true;
  }

  // An object of at most 64 keys, all different and without escapes. `member` reads the value of each.
  template <class Member>
  bool object(Member member) {
    constexpr size_t most_keys = 64;
    keys_.clear();
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string_view key;
      if (!plain_key(key) || !take(':')) return false;
      if (std::find(keys_.begin(), keys_.end(), key) != keys_.end() || keys_.size() == most_keys) return false;
      keys_.push_back(key);
      if (!member(key)) return false;
    } while (take(','));
    return take('}');
  }

  bool string(std::nullptr_t) { return string(static_cast<std::string*>(nullptr)); }

  // A string, whose text is appended to `out` if there is one.
  template <class Bytes>
  bool string(Bytes* out) {
    if (!take('"')) return false;
    while (true) {
      if constexpr (requires { out->end_for_copies(); }) {
        p_ = end_of_plain<true>(p_, end_, out->end_for_copies());
      } else {
        const char* const begin = p_;
        p_ = end_of_plain(p_, end_);
        if (out) out->append(begin, p_);
      }
      if (p_ == end_ || static_cast<uint8_t>(*p_) < 0x20) return false;
      if (*p_++ == '"') return true;
      if (!escape(out)) return false;
    }
  }

  template <class Bytes>
  bool escape(Bytes* out) {
    if (p_ == end_) return false;
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const char name = *p_++;
    if (const size_t which = names.find(name); which != names.npos) {
      if (out) out->push_back(meanings[which]);
      return true;
    }
    uint32_t code = 0, low = 0;
    if (name != 'u' || !four_digits(code)) return false;
    if (code >= 0xD800 && code < 0xE000) {  // the first half of a pair, whose second follows
      if (code >= 0xDC00 || end_ - p_ < 6 || p_[0] != '\\' || p_[1] != 'u') return false;
      p_ += 2;
      if (!four_digits(low) || low < 0xDC00 || low >= 0xE000) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (out) append_utf8(code, *out);
    return true;
  }

  bool four_digits(uint32_t& code) {
    if (end_ - p_ < 4) return false;
    for (int i = 0; i < 4; ++i) {
      const char c = *p_++;
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  // Any value, which is passed over.
  bool value(int depth) {
    skip_space();
    if (p_ == end_ || depth > kMostDepth) return false;
    switch (*p_) {
      case '"': return string(nullptr);
      case '{': return members(depth, '}');
      case '[': return members(depth, ']');
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  bool members(int depth, char close) {
    ++p_;
    if (take(close)) return true;
    do {
      if (close == '}' && !(string(nullptr) && take(':'))) return false;
      if (!value(depth + 1)) return false;
    } while (take(','));
    return take(close);
  }
  bool word(std::string_view text) {
    if (!std::string_view(p_, static_cast<size_t>(end_ - p_)).starts_with(text)) return false;
    p_ += text.size();
    return true;
  }
  bool digits() {
    const char* const begin = p_;
    while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
    return p_ > begin && static_cast<size_t>(p_ - begin) < kMostDigits;
  }
  bool number() {
    if (*p_ == '-') ++p_;
    if (p_ < end_ && *p_ == '0') ++p_;
    else if (!digits()) return false;
    if (p_ < end_ && *p_ == '.') {
      ++p_;
      if (!digits()) return false;
    }
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!digits()) return false;
    }
    return true;
  }

  const char* p_ = nullptr;
  const char* end_ = nullptr;

 private:
  static constexpr int kMostDepth = 32;
  static constexpr size_t kMostDigits = 300;

  std::vector<std::string_view> keys_;  // of the object that is read
};

using JsonReader = BasicJsonReader<false>;

}  // namespace bpe
