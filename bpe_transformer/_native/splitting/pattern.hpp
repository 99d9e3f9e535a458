// The split patterns: those that the core implements by hand, and compiled ones.
#pragma once

#include <cstdint>

namespace bpe {

namespace compiled {
class SplitSequence;
}

struct Pattern {
  // The numbers of the patterns in Python's _core.PATTERNS.
  enum Name : uint8_t { kGpt2, kCl100k, kO200k, kWhitespace, kLlama3, kQwen2, kMetaspace, kNone, kCompiled };
  Name name = kNone;
  const compiled::SplitSequence* sequence = nullptr;  // of kCompiled; its owner is not here
  bool keeps_all = true;                              // whether pre-tokens add up to the text
};

}  // namespace bpe
