// Spans without the white space at both ends of their tokens, as the package `tokenizers` gives them where a
// post-processor has "trim_offsets".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "text/text.hpp"
#include "text/unicode.hpp"

namespace bpe {

// How many characters of white space a token begins and ends with.
struct TokenEdges {
  uint32_t leading, trailing;

  // Of a token as it was found in a text, with the white space that it takes.
  static TokenEdges of(Text found) {
    size_t length = 0, leading = 0, trailing = 0;
    for (const uint8_t *at = found.data, *const end = found.data + found.size; at < end; ++length) {
      const unicode::Symbol symbol = unicode::decode(at, end);
      constexpr uint32_t kSpaceInNames = 0x120;  // "Ġ"
      const bool is_space = (symbol.classes & unicode::kSpace) || symbol.code_point == kSpaceInNames;
      leading += is_space && leading == length;
      trailing = is_space ? trailing + 1 : 0;
      at += symbol.length;
    }
    return {static_cast<uint32_t>(leading), static_cast<uint32_t>(trailing)};
  }
};

class Trimming {
 public:
  // Spans are trimmed once for each of `steps`. One that is true leaves alone a single space that begins a text, since
  // it may have been put there. `edges`: by id.
  Trimming(std::vector<bool> steps, const TokenEdges* edges) : steps_(std::move(steps)), edges_(edges) {}

  bool empty() const { return steps_.empty(); }
  const TokenEdges& of(uint32_t id) const { return edges_[id]; }

  // Trims the spans of all tokens of a text, in characters or in bytes of that text.
  void apply(Text text, const std::vector<TokenEdges>& edges, bool characters, int64_t* spans) const {
    for (size_t i = 0; i < edges.size(); ++i, spans += 2) {
      if (!edges[i].leading && !edges[i].trailing) continue;
      for (const bool spares : steps_) {
        const bool is_spared = spares && edges[i].leading == 1 && (!i || !spans[0]);
        if (characters) trim(is_spared ? 0 : edges[i].leading, edges[i].trailing, spans[0], spans[1]);
        else trim(text, is_spared ? 0 : edges[i].leading, edges[i].trailing, spans[0], spans[1]);
      }
    }
  }

 private:
  static void trim(int64_t leading, int64_t trailing, int64_t& start, int64_t& end) {
    start = std::min(start + leading, end);
    if (end >= trailing) end = std::max(end - trailing, start);  // otherwise normalisation made white space of less
  }

  static void trim(Text text, uint32_t leading, uint32_t trailing, int64_t& start, int64_t& end) {
    const uint8_t* const last = text.data + end;
    for (; leading && start < end; --leading) start += unicode::decode(text.data + start, last).length;
    int64_t at = end;
    for (; trailing && at > 0; --trailing)
      for (--at; at > 0 && unicode::continues(text.data[at]);) --at;
    if (!trailing) end = std::max(at, start);
  }

  std::vector<bool> steps_;
  const TokenEdges* edges_;
};

}  // namespace bpe
