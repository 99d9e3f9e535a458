// Encodes text with learned merges: the merge of lowest rank first, the leftmost first among equals.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/pool.hpp"
#include "encoding/errors.hpp"
#include "encoding/text_stages.hpp"
#include "encoding/word_block.hpp"
#include "encoding/word_cache.hpp"
#include "merging/alphabet.hpp"
#include "merging/merger.hpp"
#include "splitting/scanner.hpp"

namespace bpe {

// A hash that looks up std::string keys by std::string_view.
struct BytesHash {
  using is_transparent = void;
  size_t operator()(std::string_view bytes) const { return std::hash<std::string_view>{}(bytes); }
};

// A pre-token with an id of its own.
struct WholeWord {
  std::string bytes;
  uint32_t id;
};

// May be used by several threads at once, each with a cache of its own.
class Encoder {
 public:
  // A pre-token that is one of `whole_words` takes its id; all others are merged, and some ids then undone.
  Encoder(Alphabet alphabet, const std::vector<Merge>& merges, TextStages stages,
          const std::vector<WholeWord>& whole_words, Undone undone = {});

  // Appends the ids of one text, with special and added tokens treated by `policies`, one for each of them.
  void encode(const Pattern& pattern, Text text, const std::vector<SpecialPolicy>& policies, WordCache& cache,
              IdBuffer& out) const;
  // Appends the ids of text in which no special token is looked for, and which gets no prefix space.
  void encode_plain(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out) const;
  // Appends the ids of one pre-token. Throws UnknownCharacter.
  void encode_pretoken(std::string_view pretoken, WordCache& cache, IdBuffer& out) const;

  // The most bytes that a thread's cache may take; caches in use change after they are given back.
  size_t cache_bytes() const { return cache_bytes_.load(std::memory_order_relaxed); }
  void set_cache_bytes(size_t bytes) { cache_bytes_ = bytes; }

  // A cache for one thread, given back to the encoder at the end of the scope.
  class BorrowedCache {
   public:
    explicit BorrowedCache(const Encoder& encoder);
    ~BorrowedCache();
    BorrowedCache(const BorrowedCache&) = delete;
    BorrowedCache& operator=(const BorrowedCache&) = delete;
    WordCache& operator*() { return *cache_; }

   private:
    const Encoder& encoder_;
    std::unique_ptr<WordCache> cache_;
  };

  // What other ways of encoding (spans, dropout) build on.
  const Alphabet& alphabet() const { return alphabet_; }
  const Merger& merger() const { return merger_; }
  const TextStages& stages() const { return stages_; }
  bool has_whole_words() const { return !whole_words_.empty(); }
  // `cause`, thrown for the pre-token of `text` that begins at `at`, with its place in the text.
  UnknownInText in_text(const UnknownCharacter& cause, Text text, const uint8_t* at) const;

 private:
  void encode_uncached(std::string_view word, IdBuffer& out) const;
  bool find_cached(std::string_view word, WordCache& cache, IdBuffer& out) const;
  void add_to_cache(std::string_view word, const uint32_t* ids, size_t count, WordCache& cache) const;
  void encode_on_miss(std::string_view word, WordCache& cache, IdBuffer& out) const;
  void encode_parts(std::string_view word, size_t stop, WordCache& cache, IdBuffer& out) const;
  size_t encode_mostly_bytes(const uint8_t* const* borders, size_t n, IdBuffer& out) const;
  template <class Grammar, bool kGaps = false>
  void encode_words(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out, const uint8_t*& at) const;
  template <class Grammar, bool kGaps = false>
  void encode_words_avx2(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out, const uint8_t*& at) const;

  Merger merger_;
  const Alphabet& alphabet_;
  std::unordered_map<std::string, uint32_t, BytesHash, std::equal_to<>> whole_words_;
  std::vector<Merger::Token> short_tokens_;  // short words that are known to be one token
  TextStages stages_;
  mutable Pool<WordCache> idle_caches_;
  std::atomic<size_t> cache_bytes_{WordCache::kDefaultBytes};
};

}  // namespace bpe
