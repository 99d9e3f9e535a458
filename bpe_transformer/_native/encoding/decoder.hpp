// Turns ids back into the bytes that they stand for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

// An id that the vocabulary does not have, or that has no token in it.
struct BadId : std::runtime_error {
  explicit BadId(size_t position) : std::runtime_error("id out of range"), position(position) {}
  size_t position;  // in the ids
};

// A buffer that is reused for one text after another; growing loses its contents.
class Scratch {
 public:
  uint8_t* room(size_t size) {
    if (size > capacity_) {
      capacity_ = std::max(size, capacity_ * 2);
      data_ = std::make_unique_for_overwrite<uint8_t[]>(capacity_);
    }
    return data_.get();
  }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t capacity_ = 0;
};

// Joins the bytes of tokens, looked up by id. Leaves out special tokens on request, the space after the last word, and
// the space that encoding put before a text.
class Decoder {
 public:
  enum Flag : uint8_t {
    kSpecial = 1,   // left out with skip_special
    kEndsWord = 2,  // ends a word: its last byte, a space, is dropped at the end of the text
    kSeparate = 4,  // separates segments of text, as special tokens do
    kVerbatim = 8,  // begins with a space of its own, never with one that encoding put before a text
  };
  enum class Prefix : uint8_t { kNever, kFirst, kAlways };  // where encoding puts a space before segments

  // With `squeezes`, as SentencePiece does: a space at the start is left out of each token until there is text.
  // `decoded_bytes` and `flags` (see Flag) have an entry for every id; empty bytes are no token.
  Decoder(const std::vector<std::string_view>& decoded_bytes, const std::vector<uint8_t>& flags, Prefix prefix,
          bool squeezes);

  size_t size() const { return spans_.size(); }

  // The text of ids, in the memory of `scratch`. Throws BadId.
  template <class Id>
  std::string_view decode(const Id* ids, size_t count, bool skip_special, Scratch& scratch) const {
    size_t total = 0;
    for (size_t i = 0; i < count; ++i) {
      if (static_cast<uint64_t>(ids[i]) >= spans_.size()) throw BadId(i);
      const uint32_t size = spans_[static_cast<size_t>(ids[i])].size;
      if (!size) throw BadId(i);
      total += size;
    }
    uint8_t* const begin = scratch.room(total + kStep);
    uint8_t* to = begin;
    if (!skip_special && !marked_) {
      for (size_t i = 0; i < count; ++i) to = put(spans_[static_cast<size_t>(ids[i])], 0, to);
    } else {
      bool starts = prefix_ != Prefix::kNever, ends_word = false;
      for (size_t i = 0; i < count; ++i) {
        const Span span = spans_[static_cast<size_t>(ids[i])];
        const bool separate = span.flags & kSeparate;
        if (!(skip_special && (span.flags & kSpecial))) {
          const bool drop = starts && !(span.flags & (kSeparate | kVerbatim)) && blob_[span.start] == ' ';
          to = put(span, drop, to);
          if (!separate || prefix_ == Prefix::kFirst) starts = starts && squeezes_ && span.size == drop;
          ends_word = span.flags & kEndsWord;
        }
        if (separate && prefix_ == Prefix::kAlways) starts = true;
      }
      if (ends_word) --to;
    }
    return {reinterpret_cast<const char*>(begin), static_cast<size_t>(to - begin)};
  }

 private:
  static constexpr size_t kStep = 16;  // bytes that are always copied; most tokens are shorter
  struct Span {
    uint64_t start;
    uint32_t size;
    uint32_t flags;
  };
  uint8_t* put(const Span& span, size_t skip, uint8_t* to) const {
    const uint8_t* from = blob_.data() + span.start;
    std::memcpy(to, from + skip, kStep);
    if (span.size > kStep) std::memcpy(to, from + skip, span.size - skip);
    return to + span.size - skip;
  }

  std::vector<uint8_t> blob_;  // the bytes of all tokens, padded for reads past the last
  std::vector<Span> spans_;    // by id
  Prefix prefix_;
  bool squeezes_;
  bool marked_ = false;  // whether flags matter even if no token is left out
};

}  // namespace bpe
