// The special tokens of an encoder, and the segments of a text between them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "encoding/errors.hpp"
#include "text/text.hpp"

namespace bpe {

struct SpecialToken {
  std::string bytes;
  uint32_t id;
};

// What happens where a special token's bytes are found: they are ordinary text, become its id, or are an error.
enum class SpecialPolicy : uint8_t { kPlain, kAllow, kForbid };
// Which segments get a space before them: none, the first or all; "IfNone": only those that do not begin with one.
enum class PrefixSpace : uint8_t { kNever, kFirst, kAlways, kFirstIfNone, kAlwaysIfNone };

class SpecialTokens {
 public:
  // `block_is_space`: a segment that begins with U+2581 counts as one that begins with a space.
  SpecialTokens(std::vector<SpecialToken> tokens, PrefixSpace prefix, bool block_is_space);

  const SpecialToken& operator[](size_t token) const { return tokens_[token]; }

  // Calls plain(segment, start, shift) for the text between special tokens, and special(token, position) for each
  // special token, by `policies`, one for each special token. Byte n of `segment` is byte start + n - shift of the
  // text: `shift` is 1 if the segment begins with a space that the text does not have. Throws ForbiddenSpecial.
  template <class Plain, class Special>
  void for_each_segment(Text text, const std::vector<SpecialPolicy>& policies, Plain&& plain, Special&& special) const {
    if (std::all_of(policies.begin(), policies.end(), [](SpecialPolicy p) { return p == SpecialPolicy::kPlain; }))
      return segment(text, 0, text.size, plain);
    for (size_t from = 0; from < text.size;) {
      size_t token = 0;
      const size_t at = find(text, from, policies, token);
      if (at < text.size && policies[token] == SpecialPolicy::kForbid) throw ForbiddenSpecial(token, at);
      segment(text, from, at, plain);
      if (at == text.size) return;
      special(token, at);
      from = at + tokens_[token].bytes.size();
    }
  }

 private:
  template <class Plain>
  void segment(Text text, size_t from, size_t to, Plain&& plain) const {
    if (from == to) return;
    const bool prefixed = is_prefixed(text, from, to);
    try {
      if (!prefixed) return plain(Text{text.data + from, to - from}, from, size_t{0});
      std::string spaced(1, ' ');
      spaced.append(reinterpret_cast<const char*>(text.data + from), to - from);
      plain(Text{reinterpret_cast<const uint8_t*>(spaced.data()), spaced.size()}, from, size_t{1});
    } catch (UnknownInText& problem) {
      problem.position = from + (prefixed && problem.position ? problem.position - 1 : problem.position);
      throw;
    }
  }
  bool is_prefixed(Text text, size_t from, size_t to) const;
  size_t find(Text text, size_t from, const std::vector<SpecialPolicy>& policies, size_t& token) const;

  std::vector<SpecialToken> tokens_;
  std::string first_bytes_;                                       // distinct first bytes of the tokens
  std::vector<bool> starts_ = std::vector<bool>(1 << 16, false);  // by two bytes: whether a token may begin with them
  std::array<bool, 256> begins_{};                                // by one
  PrefixSpace prefix_;
  bool block_is_space_;
};

}  // namespace bpe
