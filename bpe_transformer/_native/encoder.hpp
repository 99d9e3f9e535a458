// Encodes text with learned merges, lowest rank first, leftmost first among equals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "alphabet.hpp"
#include "counter.hpp"
#include "scanner.hpp"

namespace bpe {

struct Merge {
  uint32_t left, right, made;
};

struct SpecialToken {
  std::string bytes;
  uint32_t id;
};

// A special token in a text that was not to hold it.
struct ForbiddenSpecial : std::runtime_error {
  ForbiddenSpecial(size_t token, size_t position) : std::runtime_error("special token"), token(token), position(position) {}
  size_t token;     // index into the encoder's special tokens
  size_t position;  // byte
};

// UnknownCharacter with the text it is in, and its place there.
struct UnknownInText : std::runtime_error {
  UnknownInText(const UnknownCharacter& cause, size_t text, size_t position)
      : std::runtime_error(cause.what()), code_point(cause.code_point), text(text), position(position) {}
  uint32_t code_point;
  size_t text, position;  // byte position in the text
};

enum class SpecialPolicy : uint8_t { kPlain, kAllow, kForbid };

// A growing array of ids that can be written to past its end.
class IdBuffer {
 public:
  uint32_t* data() { return data_.get(); }
  const uint32_t* data() const { return data_.get(); }
  size_t size() const { return size_; }
  void push_back(uint32_t id) {
    reserve(1);
    data_[size_++] = id;
  }
  void resize(size_t size) { size_ = size; }  // to at most size() + reserve()
  // Room for `more` ids after the last.
  void reserve(size_t more) {
    if (capacity_ - size_ < more) grow(size_ + more);
  }
  uint32_t* release() { return data_.release(); }

 private:
  void grow(size_t wanted) {
    const size_t capacity = std::max<size_t>({wanted, capacity_ * 2, 64});
    auto data = std::make_unique_for_overwrite<uint32_t[]>(capacity);
    if (size_) __builtin_memcpy(data.get(), data_.get(), size_ * sizeof(uint32_t));
    data_ = std::move(data);
    capacity_ = capacity;
  }
  std::unique_ptr<uint32_t[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

// What one thread remembers: the ids of short pre-tokens, in a table of fixed size where the newest stays. 8 MiB.
class PieceCache {
 public:
  static constexpr size_t kMaxIds = 4;
  struct Entry {
    ShortKey key;  // with the number of ids in bits 60-62, which a length leaves free
    uint32_t ids[kMaxIds] = {};
  };
  PieceCache() : entries_(1 << 18) {}
  Entry& at(ShortKey key) { return entries_[key.hash() & (entries_.size() - 1)]; }

  static constexpr uint64_t kCountBits = uint64_t{7} << 60;
  static bool holds(const Entry& entry, ShortKey key) {
    return entry.key.low == key.low && (entry.key.high & ~kCountBits) == key.high;
  }
  static size_t count(const Entry& entry) { return entry.key.high >> 60; }
  static void put(Entry& entry, ShortKey key, const uint32_t* ids, size_t count) {
    entry.key = {key.low, key.high | uint64_t{count} << 60};
    for (size_t i = 0; i < count; ++i) entry.ids[i] = ids[i];
  }

 private:
  std::vector<Entry> entries_;
};

class Encoder {
 public:
  Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials);

  const std::vector<SpecialToken>& specials() const { return specials_; }

  // Appends the ids of one text. Special tokens are split off first, as the policy of each (one a special token) says.
  void encode(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, PieceCache& cache,
              IdBuffer& out) const;
  // Appends the ids of one pre-token; `readable` bytes from piece.data() on may be read.
  void encode_piece(std::string_view piece, size_t readable, PieceCache& cache, IdBuffer& out) const;

  struct Batch {
    std::vector<IdBuffer> parts;  // ids of consecutive texts, cut into parts
    std::vector<int64_t> offsets;              // by text, into the parts one after another
  };
  Batch encode_batch(Pattern pattern, const std::vector<Text>& texts, const std::vector<SpecialPolicy>& policy,
                     int num_threads) const;

  // A cache to use for a while; it comes back to the encoder afterwards.
  class Borrowed {
   public:
    explicit Borrowed(const Encoder& encoder);
    ~Borrowed();
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    PieceCache& operator*() { return *cache_; }

   private:
    const Encoder& encoder_;
    std::unique_ptr<PieceCache> cache_;
  };

 private:
  struct Rule {
    uint64_t key = UINT64_MAX;
    uint32_t rank = kNoId, made = 0;
  };
  void encode_new(std::string_view word, IdBuffer& out) const;
  const Rule* rule(uint32_t left, uint32_t right) const;
  void merge_short(IdBuffer& ids, size_t from) const;
  void merge_long(IdBuffer& ids, size_t from) const;
  void encode_plain(Pattern pattern, Text text, PieceCache& cache, IdBuffer& out) const;
  size_t find_special(Text text, size_t from, const std::vector<SpecialPolicy>& policy, size_t& token) const;

  Alphabet alphabet_;
  std::vector<Rule> rules_;
  std::vector<SpecialToken> specials_;
  std::string first_bytes_;  // distinct first bytes of the special tokens
  mutable std::mutex guard_;
  mutable std::vector<std::unique_ptr<PieceCache>> idle_;
};

}  // namespace bpe
