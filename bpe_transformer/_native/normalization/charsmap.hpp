// SentencePiece's normalisation: a map from strings to their replacements, the longest first, and runs of spaces
// squeezed to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "normalization/alignment.hpp"
#include "text/text.hpp"

namespace bpe {

class Charsmap {
 public:
  // (string, replacement) pairs, all UTF-8, in order; `squeeze`: no space at the start, after another space, or at the
  // end, where U+2581 counts as one as well.
  Charsmap(std::vector<std::pair<std::string, std::string>> entries, bool squeeze);

  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

  // A byte of a replacement comes from all of the string, other bytes from themselves.
  std::string normalized(Text text, Alignment* alignment = nullptr) const;
  // As the `tokenizers` package does with such a map: every grapheme becomes what the shortest string at its start
  // does. One of six bytes or more, or without a string at its start, is taken character by character.
  std::string by_graphemes(Text text, Alignment* alignment = nullptr) const;

 private:
  // The trie of the strings: children of a node follow each other, in the order of their bytes.
  struct Node {
    uint32_t children = 0;  // the place of the first
    uint32_t direct = 0;    // if not 0, the place in direct_ where they are listed by byte
    uint16_t count = 0;
    uint8_t byte = 0;
    bool is_end = false;
    uint32_t entry = 0;
  };
  struct Output;

  void build(size_t node, size_t first, size_t last, size_t depth);
  void list_children(Node& node);
  const Node* child(const Node& node, uint8_t byte) const;
  const Node* longest(const uint8_t* p, const uint8_t* end, size_t& length) const;
  const Node* shortest(const uint8_t* p, const uint8_t* end) const;

  // By code point: whether it is an entry, and whether it is the second character of one.
  static constexpr uint8_t kAlone = 1, kSecond = 2;
  uint8_t flags(uint32_t code_point) const { return code_point < flags_.size() ? flags_[code_point] : 0; }

  std::vector<std::pair<std::string, std::string>> entries_;  // in order
  std::vector<Node> nodes_;
  std::vector<uint32_t> direct_;
  std::vector<uint8_t> flags_;
  const bool squeeze_;
};

}  // namespace bpe
