// The split patterns: those that the core implements by hand, compiled ones, and those that the caller splits by.
#pragma once

#include <cstdint>
#include <functional>

#include "text/text.hpp"

namespace bpe {

struct CustomSplit;

namespace compiled {
class SplitSequence;
}

struct Pattern {
  // The numbers of the patterns in Python's _core.PATTERNS.
  enum Name : uint8_t { kGpt2, kCl100k, kO200k, kWhitespace, kLlama3, kQwen2, kMetaspace, kNone, kCompiled, kCustom };
  Name name = kNone;
  const compiled::SplitSequence* sequence = nullptr;  // of kCompiled; its owner is not here
  bool keeps_all = true;                              // whether pre-tokens add up to the text
  const CustomSplit* custom = nullptr;                // of kCustom; its owner is not here
};

// A split that the core cannot do itself.
struct CustomSplit {
  // Calls found for each span of a text, one after another: `is_done` if it is a pre-token, else `rest` splits it.
  using Found = std::function<void(size_t start, size_t end, bool is_done)>;
  std::function<void(Text text, const Found& found)> split;
  Pattern rest;
};

}  // namespace bpe
