// Merges that a file gives by the names of their tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

// The names on both sides of every merge by rank, one after another.
struct NamedMerges {
  std::string names;
  std::vector<size_t> middles, ends;  // where the second name of each begins, and where it ends
};

struct NumberedMerges {
  std::vector<uint32_t> left, right, merged;  // numbers of tokens, by rank
  bool makes_twice = false;                   // whether two merges make the same token
};

// Many names, one after another.
struct Names {
  std::string bytes;
  std::vector<size_t> ends;  // of each

  size_t size() const { return ends.size(); }
  std::string_view operator[](size_t number) const {
    const size_t begin = number ? ends[number - 1] : 0;
    return std::string_view(bytes).substr(begin, ends[number] - begin);
  }
};

// The merges by the numbers of their tokens, which are their places among `tokens`; nothing if a token occurs twice or
// is missing: the caller reads such a file more slowly, and says what is wrong with it.
std::optional<NumberedMerges> numbered(const NamedMerges& merges, const std::vector<std::string_view>& tokens);

// The lines of a `merges.txt`, each two names with a space between them; empty ones are left out, and so is the first
// if it begins with `header`. Nothing if a line is another.
std::optional<NamedMerges> read_merge_lines(std::string_view lines, std::string_view header);

}  // namespace bpe
