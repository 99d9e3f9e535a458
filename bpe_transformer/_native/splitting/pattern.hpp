// The split patterns that the core implements.
#pragma once

#include <cstdint>

namespace bpe {

// The numbers of the patterns in Python's _core.PATTERNS.
enum class Pattern : uint8_t { kGpt2, kCl100k, kO200k, kWhitespace, kLlama3, kQwen2, kMetaspace, kNone };

}  // namespace bpe
