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

#include "text/unicode.hpp"

namespace bpe {

inline constexpr uint32_t kNoId = 0xFFFFFFFFu;

// A character outside the alphabet, in a vocabulary without <unk>.
struct UnknownCharacter : std::runtime_error {
  UnknownCharacter(size_t position, uint32_t code_point, size_t length)
      : std::runtime_error("character outside the alphabet"),
        position(position),
        code_point(code_point),
        length(length) {}
  size_t position;  // byte position in the pre-token
  uint32_t code_point;
  size_t length;  // bytes
};

// The ids of code points or bytes, in pages of 256 that only those in use take.
class SymbolIds {
 public:
  SymbolIds() = default;
  explicit SymbolIds(const std::unordered_map<uint32_t, uint32_t>& ids) {
    for (const auto& [symbol, id] : ids) {
      if (symbol > 0x10FFFF) continue;
      if (page_of_.size() <= symbol >> 8) page_of_.resize((symbol >> 8) + 1, kNoId);
      uint32_t& page = page_of_[symbol >> 8];
      if (page == kNoId) page = static_cast<uint32_t>(ids_.size()), ids_.resize(ids_.size() + 256, kNoId);
      ids_[page + (symbol & 255)] = id;
    }
  }

  // kNoId if it has none.
  uint32_t of(uint32_t symbol) const {
    if (symbol >> 8 >= page_of_.size() || page_of_[symbol >> 8] == kNoId) return kNoId;
    return ids_[page_of_[symbol >> 8] + (symbol & 255)];
  }
  // Calls use(id) for the ids of all symbols from `first` on.
  template <class Use>
  void each_from(uint32_t first, Use&& use) const {
    for (auto symbol = first; symbol < page_of_.size() << 8; ++symbol)
      if (const uint32_t id = of(symbol); id != kNoId) use(id);
  }

 private:
  std::vector<uint32_t> page_of_;  // where a page of ids begins, or kNoId
  std::vector<uint32_t> ids_;
};

// The base ids of a vocabulary, and how words are split into them.
struct Alphabet {
  bool bytes = true;                       // symbols are bytes, each with one id; else characters,
  bool some_bytes = false;                 // or bytes that may have no id, or another one at the end of a word
  bool marks_end = false;                  // the last symbol of a word has an id of its own
  std::array<uint32_t, 256> id_of_byte{};  // if `bytes`, else
  SymbolIds inner;                         // of code points or bytes
  SymbolIds last;                          // the same for the last symbol of a word, if marks_end
  uint32_t unknown = kNoId;
  std::vector<uint32_t> fallback;  // ids of the 256 bytes of characters that have no id, or empty
  bool fuse_unknown = false;       // neighbouring unknown characters become one <unk>

  // The word that a pre-token is encoded as. White space around it is left out if the end of words is marked.
  std::string_view word_of(std::string_view pretoken) const {
    if (!marks_end || some_bytes) return pretoken;
    const uint8_t* begin = reinterpret_cast<const uint8_t*>(pretoken.data());
    const uint8_t* const end = begin + pretoken.size();
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

  unicode::Symbol symbol_at(const uint8_t* p, const uint8_t* end) const {
    return some_bytes ? unicode::Symbol{*p, 1, 0} : unicode::decode(p, end);
  }

  // Calls emit(id, end, joins) for the base ids of a word, with the byte where each ends. `joins`: this is an unknown
  // character that is fused with the one before it. Throws UnknownCharacter.
  template <class Emit>
  void each_symbol(std::string_view word, Emit&& emit) const {
    const uint8_t* p = reinterpret_cast<const uint8_t*>(word.data());
    const uint8_t* const begin = p;
    const uint8_t* const end = p + word.size();
    if (bytes) {
      for (; p < end; ++p) emit(id_of_byte[*p], static_cast<size_t>(p + 1 - begin), false);
      return;
    }
    bool after_unknown = false;
    while (p < end) {
      const unicode::Symbol s = symbol_at(p, end);
      const uint32_t id = (marks_end && p + s.length == end ? last : inner).of(s.code_point);
      const bool was_unknown = std::exchange(after_unknown, false);
      const size_t at = static_cast<size_t>(p - begin);
      if (id != kNoId) {
        emit(id, at + s.length, false);
      } else if (!fallback.empty()) {
        for (uint32_t i = 0; i < s.length; ++i) emit(fallback[p[i]], at + i + 1, false);
      } else if (unknown != kNoId) {
        emit(unknown, at + s.length, fuse_unknown && was_unknown);
        after_unknown = true;
      } else {
        throw UnknownCharacter(at, s.code_point == unicode::kInvalid ? *p : s.code_point, s.length);
      }
      p += s.length;
    }
  }

  // Appends the base ids of a word. Throws UnknownCharacter.
  template <class Out>
  void split(std::string_view word, Out& out) const {
    each_symbol(word, [&](uint32_t id, size_t, bool joins) {
      if (!joins) out.push_back(id);
    });
  }
};

}  // namespace bpe
