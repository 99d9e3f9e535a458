// The base alphabet: how bytes become the first ids, before any merge.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "unicode.hpp"

namespace bpe {

inline constexpr uint32_t kNoId = 0xFFFFFFFFu;

// A character outside the alphabet, and no <unk> to stand for it.
struct UnknownCharacter : std::runtime_error {
  UnknownCharacter(size_t position, uint32_t code_point, size_t length)
      : std::runtime_error("character outside the alphabet"), position(position), code_point(code_point), length(length) {}
  size_t position;  // byte position in the piece
  uint32_t code_point;
  size_t length;  // bytes
};

struct Alphabet {
  bool bytes = true;                                // unit: bytes, else characters
  bool marks_end = false;                           // characters: the last of a word has an id of its own
  std::array<uint32_t, 256> id_of_byte{};           // bytes only
  std::unordered_map<uint32_t, uint32_t> inner;     // characters: code point → id
  std::unordered_map<uint32_t, uint32_t> last;      // characters that end a word, if marks_end
  uint32_t unknown = kNoId;
  std::vector<uint32_t> fallback;                   // ids of the 256 bytes of characters that have no id, or empty
  bool fuse_unknown = false;                        // neighbouring unknown characters become one

  // White space is not part of a word whose end is marked: the mark stands for it.
  std::string_view word_of(std::string_view piece) const {
    if (!marks_end) return piece;
    const uint8_t* begin = reinterpret_cast<const uint8_t*>(piece.data());
    const uint8_t* const end = begin + piece.size();
    const uint8_t* word_end = begin;
    bool inside = false;
    for (const uint8_t* p = begin; p < end;) {
      const unicode::Symbol s = unicode::decode(p, end);
      if (!(s.classes & unicode::kSpace)) {
        if (!inside) begin = p, inside = true;
        word_end = p + s.length;
      }
      p += s.length;
    }
    return inside ? std::string_view(reinterpret_cast<const char*>(begin), static_cast<size_t>(word_end - begin))
                  : std::string_view();
  }

  // Appends the base ids of a word. Throws UnknownCharacter.
  template <class Out>
  void split(std::string_view word, Out& out) const {
    const uint8_t* p = reinterpret_cast<const uint8_t*>(word.data());
    const uint8_t* const begin = p;
    const uint8_t* const end = p + word.size();
    if (bytes) {
      for (; p < end; ++p) out.push_back(id_of_byte[*p]);
      return;
    }
    bool after_unknown = false;
    while (p < end) {
      const unicode::Symbol s = unicode::decode(p, end);
      const auto& map = marks_end && p + s.length == end ? last : inner;
      const auto found = s.code_point == unicode::kInvalid ? map.end() : map.find(s.code_point);
      const bool was_unknown = std::exchange(after_unknown, false);
      if (found != map.end()) {
        out.push_back(found->second);
      } else if (!fallback.empty()) {
        for (const uint8_t* byte = p; byte < p + s.length; ++byte) out.push_back(fallback[*byte]);
      } else if (unknown != kNoId) {
        if (!(fuse_unknown && was_unknown)) out.push_back(unknown);
        after_unknown = true;
      } else throw UnknownCharacter(static_cast<size_t>(p - begin), s.code_point == unicode::kInvalid ? *p : s.code_point, s.length);
      p += s.length;
    }
  }
};

}  // namespace bpe
