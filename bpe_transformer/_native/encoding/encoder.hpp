// Encodes text with learned merges, lowest rank first, leftmost first among equals.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/pool.hpp"
#include "counting/word_counts.hpp"
#include "encoding/dropout.hpp"
#include "encoding/word_cache.hpp"
#include "merging/alphabet.hpp"
#include "merging/merger.hpp"
#include "splitting/scanner.hpp"

namespace bpe {

struct SpecialToken {
  std::string bytes;
  uint32_t id;
};

// A special token in a text that was not to hold it.
struct ForbiddenSpecial : std::runtime_error {
  ForbiddenSpecial(size_t token, size_t position)
      : std::runtime_error("special token"), token(token), position(position) {}
  size_t token;     // index into the encoder's special tokens
  size_t text = 0;  // of a batch
  size_t position;  // byte
};

// UnknownCharacter with the text it is in, and its place there.
struct UnknownInText : std::runtime_error {
  UnknownInText(const UnknownCharacter& cause, size_t text, size_t position)
      : std::runtime_error(cause.what()), code_point(cause.code_point), text(text), position(position) {}
  uint32_t code_point;
  size_t text, position;  // byte position in the text
};

struct BytesHash {
  using is_transparent = void;
  size_t operator()(std::string_view bytes) const { return std::hash<std::string_view>{}(bytes); }
};

// Calls work(); what goes wrong in it is said to be in text number i.
template <class Work>
void at_text(size_t i, Work&& work) {
  try {
    work();
  } catch (UnknownInText& problem) {
    problem.text = i;
    throw;
  } catch (ForbiddenSpecial& problem) {
    problem.text = i;
    throw;
  }
}

enum class SpecialPolicy : uint8_t { kPlain, kAllow, kForbid };
// Before which parts between special tokens a space is put; "if none": not where the part begins with one.
enum class PrefixSpace : uint8_t { kNever, kFirst, kAlways, kFirstIfNone, kAlwaysIfNone };

class Encoder {
 public:
  // A pre-token that is one of `whole` takes its id; all others are merged.
  Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials,
          const std::vector<SpecialToken>& whole, PrefixSpace prefix);

  const std::vector<SpecialToken>& specials() const { return specials_; }

  // Appends the ids of one text. Special tokens are split off first, as the policy of each (one a special token) says.
  void encode(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, PieceCache& cache,
              IdBuffer& out) const;
  // Appends the ids of text that no special token is looked for in, nor a space put before.
  void encode_plain(Pattern pattern, Text text, PieceCache& cache, IdBuffer& out) const;
  // Appends the ids of one pre-token.
  void encode_piece(std::string_view piece, PieceCache& cache, IdBuffer& out) const;

  // As `encode`, with the bytes of the text that each id stands for: spans[2 * i] to spans[2 * i + 1]. `widths` has the
  // base symbols of every id; a token of several symbols covers them all, one without any bytes of its own none.
  void encode_spans(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, const uint32_t* widths,
                    PieceCache& cache, IdBuffer& out, std::vector<int64_t>& spans) const;
  void plain_spans(Pattern pattern, Text text, const uint32_t* widths, PieceCache& cache, IdBuffer& out,
                   std::vector<int64_t>& spans) const;
  // The same for one pre-token, which begins at byte `start`.
  void piece_spans(std::string_view piece, int64_t start, const uint32_t* widths, PieceCache& cache, IdBuffer& out,
                   std::vector<int64_t>& spans) const;

  struct Batch {
    IdBuffer ids;                  // of all texts
    std::vector<int64_t> offsets;  // of each text's, and their end
  };
  Batch encode_batch(Pattern pattern, const std::vector<Text>& texts, const std::vector<SpecialPolicy>& policy,
                     int num_threads) const;

  // The most bytes that a thread's cache may take; a cache that is in use changes after that.
  size_t cache_bytes() const { return cache_bytes_.load(std::memory_order_relaxed); }
  void set_cache_bytes(size_t bytes) { cache_bytes_ = bytes; }

  // Encoding in which each merge is left out at random (BPE-dropout): a pre-token, plain text, and texts, of which
  // number i has the stream i of the seed. Knows no pre-token that is a token as a whole; needs dropout.memory.words.
  void sample_piece(std::string_view piece, Dropout& dropout, IdBuffer& out) const;
  void sample_plain(Pattern pattern, Text text, Dropout& dropout, IdBuffer& out) const;
  Batch sample_batch(Pattern pattern, const std::vector<Text>& texts, const std::vector<SpecialPolicy>& policy,
                     double probability, uint64_t seed, int num_threads) const;

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
  void encode_new(std::string_view word, IdBuffer& out) const;
  bool recall(std::string_view word, PieceCache& cache, IdBuffer& out) const;
  void keep(std::string_view word, const uint32_t* ids, size_t count, PieceCache& cache) const;
  void encode_other(std::string_view word, bool is_noted, PieceCache& cache, IdBuffer& out) const;
  size_t encode_mostly_bytes(const uint8_t* const* borders, size_t n, IdBuffer& out) const;
  template <class Grammar>
  void encode_words(Text text, PieceCache& cache, IdBuffer& out, const uint8_t*& at) const;
  template <class Grammar>
  void encode_words_avx2(Text text, PieceCache& cache, IdBuffer& out, const uint8_t*& at) const;
  size_t find_special(Text text, size_t from, const std::vector<SpecialPolicy>& policy, size_t& token) const;

  bool is_prefixed(Text text, size_t from, size_t to) const {
    if (prefix_ == PrefixSpace::kNever) return false;
    if (prefix_ == PrefixSpace::kAlways) return true;
    if ((prefix_ == PrefixSpace::kFirst || prefix_ == PrefixSpace::kFirstIfNone) && from) return false;
    if (prefix_ == PrefixSpace::kFirst) return true;
    const std::string_view part(reinterpret_cast<const char*>(text.data + from), to - from);
    return !(part.starts_with(' ') || (!alphabet_.bytes && part.starts_with("\xE2\x96\x81")));  // U+2581
  }

  // Calls plain(part, start, shift) for what lies between special tokens, and special(token, position) for each of
  // these. Byte n of `part` is byte start + n - shift of the text: a part may begin with a space that the text does not
  // have.
  template <class Plain, class Special>
  void each_part(Text text, const std::vector<SpecialPolicy>& policy, Plain&& plain, Special&& special) const {
    const auto part = [&](size_t from, size_t to) {
      const bool prefixed = is_prefixed(text, from, to);
      if (from == to) return;
      try {
        if (!prefixed) return plain(Text{text.data + from, to - from}, from, size_t{0});
        std::string spaced(1, ' ');
        spaced.append(reinterpret_cast<const char*>(text.data + from), to - from);
        plain(Text{reinterpret_cast<const uint8_t*>(spaced.data()), spaced.size()}, from, size_t{1});
      } catch (UnknownInText& problem) {
        problem.position = from + (prefixed && problem.position ? problem.position - 1 : problem.position);
        throw;
      }
    };
    if (std::all_of(policy.begin(), policy.end(), [](SpecialPolicy p) { return p == SpecialPolicy::kPlain; }))
      return part(0, text.size);
    for (size_t from = 0; from < text.size;) {
      size_t token = 0;
      const size_t at = find_special(text, from, policy, token);
      if (at < text.size && policy[token] == SpecialPolicy::kForbid) throw ForbiddenSpecial(token, at);
      part(from, at);
      if (at == text.size) return;
      special(token, at);
      from = at + specials_[token].bytes.size();
    }
  }

  Merger merger_;
  const Alphabet& alphabet_;
  std::unordered_map<std::string, uint32_t, BytesHash, std::equal_to<>> whole_;
  std::vector<Merger::Token> short_tokens_;  // those that a word of their bytes becomes
  std::vector<SpecialToken> specials_;
  PrefixSpace prefix_;
  std::string first_bytes_;  // distinct first bytes of the special tokens
  mutable Pool<PieceCache> idle_;
  std::atomic<size_t> cache_bytes_{PieceCache::kDefaultBytes};
};

}  // namespace bpe
