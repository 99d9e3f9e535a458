// Finds special and added tokens in text: the leftmost first, and the longest of those that begin there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "encoding/errors.hpp"
#include "text/text.hpp"

namespace bpe {

// What happens where a token's bytes are found: they are ordinary text, become its id, or are an error.
enum class SpecialPolicy : uint8_t { kPlain, kAllow, kForbid };

// A special or added token, with the flags of the `tokenizers` package.
struct SoughtToken {
  static constexpr uint8_t kStripsLeft = 1, kStripsRight = 2;  // takes the white space before it, or after it
  static constexpr uint8_t kSingleWord = 4;                    // only where no word character is before or after it
  static constexpr uint8_t kNormalized = 8;                    // `sought` is found in normalised text
  std::string bytes, sought;
  uint32_t id;
  uint8_t flags = 0;
  const std::string& form() const { return flags & kNormalized ? sought : bytes; }
};

class TokenFinder {
 public:
  // Finds those of `tokens` whose flag kNormalized is `normalized`. If `space_mark` is not empty, it and a space match
  // each other.
  TokenFinder(const std::vector<SoughtToken>& tokens, bool normalized, const std::string& space_mark);

  // Whether there is one to look for.
  bool seeks(const std::vector<SpecialPolicy>& policies) const {
    const size_t n = policies.size();  // often all are plain; the first, then each like the one before it
    if (!n || (policies[0] == SpecialPolicy::kPlain && !std::memcmp(&policies[0], &policies[0] + 1, n - 1)))
      return false;
    return std::any_of(indices_.begin(), indices_.end(),
                       [&](uint32_t i) { return policies[i] != SpecialPolicy::kPlain; });
  }

  // Calls between(start, end) for text between tokens, and found(token, start, end) for tokens, by `policies`, one for
  // each token. Throws ForbiddenSpecial.
  template <class Between, class Found>
  void split(Text text, const std::vector<SpecialPolicy>& policies, Between&& between, Found&& found) const {
    size_t from = 0;
    Occurrence here{};
    FirstBytes first_bytes(first_bytes_, text);
    for (size_t at = 0; find(text, at, policies, first_bytes, here);) {
      at = here.end;
      if (here.flags & SoughtToken::kSingleWord && in_word(text, here.start, here.end)) continue;
      if (policies[here.token] == SpecialPolicy::kForbid) throw ForbiddenSpecial(here.token, here.start);
      if (here.flags & SoughtToken::kStripsLeft)
        here.start = std::max(without_spaces_before(text, from, here.start), from);
      if (here.flags & SoughtToken::kStripsRight) here.end = without_spaces_after(text, here.end);
      if (here.start >= here.end) continue;  // white space that the token before took
      if (from < here.start) between(from, here.start);
      found(here.token, here.start, here.end);
      from = here.end;
    }
    if (from < text.size) between(from, text.size);
  }

 private:
  struct Occurrence {
    size_t token, start, end;
    uint8_t flags;
  };
  struct Sought {
    std::string bytes;  // with a space for each space mark, where those match each other
    uint32_t token;
    uint8_t flags;
  };
  // Where the next first byte of a token is, for few of them: what was searched once is not searched again.
  class FirstBytes {
   public:
    FirstBytes(const std::string& bytes, Text text) : bytes_(bytes), text_(text) {}
    bool are_few() const { return bytes_.size() <= kFew; }
    size_t next(size_t from);  // text.size if there is none

   private:
    static constexpr size_t kFew = 4;
    const std::string& bytes_;
    const Text text_;
    size_t next_[kFew] = {};  // of each; one before `from` is searched from there
    bool begun_ = false;
  };
  bool find(Text text, size_t from, const std::vector<SpecialPolicy>& policies, FirstBytes& first_bytes,
            Occurrence& found) const;
  bool find_at(Text text, size_t at, const std::vector<SpecialPolicy>& policies, Occurrence& found) const;
  size_t match(Text text, size_t at, const std::string& bytes) const;
  void add(const std::string& bytes, uint32_t token, uint8_t flags);
  void add_start(uint8_t first, const std::string& bytes);

  static bool in_word(Text text, size_t start, size_t end);
  static size_t without_spaces_before(Text text, size_t from, size_t end);
  static size_t without_spaces_after(Text text, size_t start);

  std::vector<uint32_t> indices_;
  std::array<std::vector<Sought>, 256> by_first_;                 // by their first byte, the longest first
  std::string first_bytes_;                                       // distinct first bytes of the tokens
  std::vector<bool> starts_ = std::vector<bool>(1 << 16, false);  // by two bytes: whether a token may begin with them
  std::array<bool, 256> begins_{};                                // by one
  std::string space_mark_;
};

}  // namespace bpe
