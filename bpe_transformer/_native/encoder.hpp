// Encodes text with learned merges, lowest rank first, leftmost first among equals.
#pragma once

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

// What one thread remembers: ids of short pre-tokens, in a table of fixed size where the newest stays. 4 MiB.
class PieceCache {
 public:
  static constexpr size_t kMaxBytes = 15, kMaxIds = 4;
  struct Entry {
    uint64_t low = 0, high = 0;  // bytes 0-7; bytes 8-14 and the length in the top byte
    uint32_t ids[kMaxIds] = {kNoId, kNoId, kNoId, kNoId};
  };
  PieceCache() : entries_(1 << 17) {}
  Entry& at(uint64_t low, uint64_t high);

 private:
  std::vector<Entry> entries_;
};

class Encoder {
 public:
  Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials);

  const std::vector<SpecialToken>& specials() const { return specials_; }

  // Appends the ids of one text. Special tokens are split off first, as the policy of each (one a special token) says.
  void encode(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, PieceCache& cache,
              std::vector<uint32_t>& out) const;
  // Appends the ids of one pre-token.
  void encode_piece(std::string_view piece, PieceCache& cache, std::vector<uint32_t>& out) const;

  struct Batch {
    std::vector<std::vector<uint32_t>> parts;  // ids of consecutive texts, cut into parts
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
  const Rule* rule(uint32_t left, uint32_t right) const;
  void merge_short(std::vector<uint32_t>& ids, size_t from) const;
  void merge_long(std::vector<uint32_t>& ids, size_t from) const;
  void encode_plain(Pattern pattern, Text text, PieceCache& cache, std::vector<uint32_t>& out) const;
  size_t find_special(Text text, size_t from, const std::vector<SpecialPolicy>& policy, size_t& token) const;

  Alphabet alphabet_;
  std::vector<Rule> rules_;
  std::vector<SpecialToken> specials_;
  std::string first_bytes_;  // distinct first bytes of the special tokens
  mutable std::mutex guard_;
  mutable std::vector<std::unique_ptr<PieceCache>> idle_;
};

}  // namespace bpe
