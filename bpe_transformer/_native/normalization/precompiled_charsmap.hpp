// SentencePiece's compiled map from strings to their replacements, as its models hold it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bpe {

// Thrown for a map that is no such map; its message says why.
struct DamagedCharsmap : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The strings of a map with their replacements, in order. The map is a double-array trie (darts-clone) over UTF-8 whose
// values are positions in a block of texts, each ended by a zero byte: normalizer.cc of google/sentencepiece. Throws
// DamagedCharsmap.
std::vector<std::pair<std::string, std::string>> charsmap_entries(std::string_view map);

}  // namespace bpe
