#include "encoding/encoder.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/interruption.hpp"
#include "simd/simd.hpp"

namespace bpe {

Encoder::Encoder(Alphabet alphabet, const std::vector<Merge>& merges, TextStages stages,
                 const std::vector<WholeWord>& whole_words, Undone undone)
    : merger_(std::move(alphabet), merges, std::move(undone)),
      alphabet_(merger_.alphabet()),
      stages_(std::move(stages)) {
  whole_words_.reserve(whole_words.size());
  for (const WholeWord& token : whole_words) {
    if (whole_words_.emplace(token.bytes, token.id).second && !token.bytes.empty() &&
        token.bytes.size() <= ShortKey::kMaxBytes)
      short_tokens_.push_back({ShortKey::of(token.bytes, 0), token.id});
  }
  if (whole_words.empty()) short_tokens_ = merger_.short_tokens(merges);
}

UnknownInText Encoder::in_text(const UnknownCharacter& cause, Text text, const uint8_t* at) const {
  const std::string_view rest(reinterpret_cast<const char*>(at), static_cast<size_t>(text.data + text.size - at));
  const auto skipped = static_cast<size_t>(alphabet_.word_of(rest).data() - rest.data());
  return {cause, 0, static_cast<size_t>(at - text.data) + skipped + cause.position};
}

// --- one pre-token ---------------------------------------------------------------------------------------------------

void Encoder::encode_uncached(std::string_view word, IdBuffer& out) const {
  if (!whole_words_.empty())
    if (const auto found = whole_words_.find(word); found != whole_words_.end()) return out.push_back(found->second);
  merger_.encode(word, out);
}

namespace {

// Copies the ids of an entry to `to`, where there is room for WordCache::kMaxIds, and moves `to` behind them; false if
// they are no longer there.
template <class Entry>
[[gnu::always_inline]] inline bool copy_ids(const Entry& entry, const IdArena& arena, uint32_t*& to) {
  __builtin_memcpy(to, entry.ids, sizeof entry.ids);
  if (entry.fits()) [[likely]] {
    to += entry.count();
    return true;
  }
  const uint32_t* const ids = arena.find(entry.arena_position());
  if (!ids) return false;
  const size_t count = entry.arena_count();
  for (size_t i = 0; i < count; i += IdArena::kStep) __builtin_memcpy(to + i, ids + i, IdArena::kStep * sizeof *to);
  to += count;
  return true;
}

template <class Entry>
bool copy_ids(const Entry& entry, const IdArena& arena, IdBuffer& out) {
  out.reserve(WordCache::kMaxIds + IdArena::kStep);
  uint32_t* to = out.data() + out.size();
  if (!copy_ids(entry, arena, to)) return false;
  out.resize(static_cast<size_t>(to - out.data()));
  return true;
}

}  // namespace

// After so many short words it pays to fill the cache with the vocabulary's tokens: many words are one.
constexpr size_t kWordsBeforePreload = 1 << 10;

// Looks in the one table that may hold a word: the smallest that has room for its bytes.
bool Encoder::find_cached(std::string_view word, WordCache& cache, IdBuffer& out) const {
  const auto find = [&](auto& table, const auto& key) {
    const auto* const entry = table.find(key, key.hash());
    return entry && copy_ids(*entry, cache.arena, out);
  };
  if (word.size() <= ShortKey::kMaxBytes) return find(cache.small, ShortKey::of(word, 0));
  if (word.size() <= LongKey::kMaxBytes) return find(cache.large, LongKey::of(word));
  return word.size() <= WideKey<16>::kMaxBytes && find(cache.huge, WideKey<16>::of(word));
}

void Encoder::add_to_cache(std::string_view word, const uint32_t* ids, size_t count, WordCache& cache) const {
  if (!cache.has_tokens && cache.small.used() >= kWordsBeforePreload && cache.small.is_worth_its_room()) {
    cache.has_tokens = true;
    cache.small.preload(short_tokens_, cache.arena);
  }
  if (word.size() <= ShortKey::kMaxBytes) cache.small.put(ShortKey::of(word, 0), ids, count, cache.arena);
  else if (word.size() <= LongKey::kMaxBytes) cache.large.put(LongKey::of(word), ids, count, cache.arena);
  else if (word.size() <= WideKey<16>::kMaxBytes) cache.huge.put(WideKey<16>::of(word), ids, count, cache.arena);
}

// Encodes a word that the cache does not hold.
[[gnu::noinline]] void Encoder::encode_on_miss(std::string_view word, WordCache& cache, IdBuffer& out) const {
  const size_t from = out.size();
  // Short words of byte alphabets come from patterns that cut them already.
  const bool may_have_parts = whole_words_.empty() && (!alphabet_.bytes || word.size() > ShortKey::kMaxBytes);
  const size_t stop = may_have_parts ? merger_.joins().part_end(word, 0) : word.size();
  if (stop < word.size()) encode_parts(word, stop, cache, out);
  else encode_uncached(word, out);
  add_to_cache(word, out.data() + from, out.size() - from, cache);
}

// Encodes a word whose first part ends at byte `stop` part by part: parts come more often than words.
void Encoder::encode_parts(std::string_view word, size_t stop, WordCache& cache, IdBuffer& out) const {
  for (size_t from = 0; from < word.size(); from = stop, stop = merger_.joins().part_end(word, from)) {
    pass_checkpoint();
    const std::string_view part = word.substr(from, stop - from);
    const size_t begin = out.size();
    if (find_cached(part, cache, out)) continue;
    try {
      encode_uncached(part, out);
    } catch (UnknownCharacter& unknown) {
      unknown.position += from;
      throw;
    }
    add_to_cache(part, out.data() + begin, out.size() - begin, cache);
  }
}

void Encoder::encode_pretoken(std::string_view pretoken, WordCache& cache, IdBuffer& out) const {
  const std::string_view word = alphabet_.word_of(pretoken);
  if (!word.empty() && !find_cached(word, cache, out)) encode_on_miss(word, cache, out);
}

// --- a text ----------------------------------------------------------------------------------------------------------

// Compiles a function, with all that it calls, for processors with AVX2 and the bit instructions that came with it.
#if defined(__x86_64__) && defined(__GNUC__)
#define BPE_FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"), flatten))
#else
#define BPE_FOR_AVX2
#endif

template <class Grammar, bool kGaps>
BPE_FOR_AVX2 void Encoder::encode_words_avx2(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out,
                                             const uint8_t*& at) const {
  encode_words<Grammar, kGaps>(pattern, text, cache, out, at);
}

// Binary data makes very many words that never come again, and in most of them nothing merges: they are just their
// bytes. Encodes n words without the cache, runs of such words at once; the number of words that do merge.
[[gnu::noinline]] size_t Encoder::encode_mostly_bytes(const uint8_t* const* borders, size_t n, IdBuffer& out) const {
  constexpr size_t kMax = 4096;  // bytes
  const uint8_t* const begin = borders[0];
  const auto size = static_cast<size_t>(borders[n] - begin);
  uint16_t merges[kMax];  // how many neighbouring bytes merge, from the first byte to each
  if (size <= kMax) {
    merges[0] = 0;
    for (size_t i = 1; i < size; ++i)
      merges[i] = static_cast<uint16_t>(merges[i - 1] + merger_.bytes_merge(begin[i - 1], begin[i]));
  }
  const auto is_bytes = [&](size_t i) {
    return size <= kMax && merges[borders[i] - begin] == merges[borders[i + 1] - 1 - begin];
  };
  size_t merging = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* p = borders[i];
    while (i < n && is_bytes(i)) ++i;
    out.reserve(static_cast<size_t>(borders[i] - p));
    uint32_t* to = out.data() + out.size();
    while (p < borders[i]) *to++ = alphabet_.id_of_byte[*p++];
    out.resize(static_cast<size_t>(to - out.data()));
    if (i == n) break;
    merger_.encode({reinterpret_cast<const char*>(p), static_cast<size_t>(borders[i + 1] - p)}, out);
    ++merging;
  }
  return merging;
}

// Encodes a text whose words are its pre-tokens, a block at a time. Sets `at` to each pre-token that is not in the
// cache, for errors.
template <class Grammar, bool kGaps>
void Encoder::encode_words(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out,
                           const uint8_t*& at) const {
  constexpr size_t kBlock = WordBlock::kMax;
  static_assert(scan::Splitter<Grammar>::kBlock == kBlock);
  constexpr size_t kIds = LongKey::kMaxBytes + IdArena::kStep;  // room for the ids of a word in the first two tables
  const uint8_t* const end = text.data + text.size;
  scan::Splitter<Grammar> splitter(pattern, text.data, end, end);
  WordBlock words;
  const LookUpWords look_up = look_up_words();
  words.borders[0] = text.data;
  words.starts = words.borders;
  if constexpr (kGaps) words.starts = splitter.starts();
  const bool may_be_bytes = !kGaps && alphabet_.bytes && whole_words_.empty() && !merger_.undoes();
  bool mostly_bytes = false;
  Checkpoint* const checkpoint = Checkpoint::current();
  for (size_t n; (n = splitter.next(words.borders + 1)); words.borders[0] = words.borders[n]) {
    if (checkpoint) checkpoint->pass();
    if (mostly_bytes) {
      mostly_bytes = encode_mostly_bytes(words.borders, n, out) * 2 < n;
      continue;
    }
    look_up(words, n, end, cache);
    out.reserve(n * kIds);
    uint32_t* to = out.data() + out.size();
    const auto take = [&](const auto* entry) { return entry && copy_ids(*entry, cache.arena, to); };
    auto places = cache.small.places();
    size_t num_new = 0, num_bytes = 0;
    for (size_t i = 0; i < n; ++i) {
      const ShortKey& key = words.keys[i];
      const auto* entry = &places.of(words.hashes[i]);
      if (key.same(entry->key)) [[likely]] {
        if (take(entry)) [[likely]]
          continue;
      } else if (key.high != words.kIsLong) {
        entry = cache.small.find(key, words.hashes[i]);
        if (take(entry)) continue;
      } else if (key.low < kBlock && take(cache.large.find(words.long_keys[key.low], words.long_hashes[key.low]))) {
        continue;
      }
      at = words.starts[i];
      ++num_new;
      const auto from = static_cast<size_t>(to - out.data());
      out.resize(from);
      const bool is_huge = key.high == words.kIsLong && key.low == kBlock;
      if (!is_huge || !find_cached(words.word(i), cache, out)) encode_on_miss(words.word(i), cache, out);
      num_bytes += out.size() - from == words.word(i).size();
      out.reserve((n - i) * kIds);
      to = out.data() + out.size();
      places = cache.small.places();
    }
    out.resize(static_cast<size_t>(to - out.data()));
    cache.small.found(n - num_new);
    mostly_bytes = may_be_bytes && num_bytes * 8 > n;
  }
}

void Encoder::encode_plain(const Pattern& pattern, Text text, WordCache& cache, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  const uint8_t* at = text.data;
  try {
    if (alphabet_.marks_end && !alphabet_.some_bytes) {  // white space around words is left out
      each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
        at = from;
        encode_pretoken(std::string_view(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from)), cache,
                        out);
      });
    } else {
      const bool avx2 = simd::level() != simd::Level::kPlain;
      with_grammar(pattern, [&]<class Grammar>() {
        if constexpr (requires(const scan::Splitter<Grammar>& splitter) { splitter.starts(); })
          if (!pattern.keeps_all) return encode_words<Grammar, true>(pattern, text, cache, out, at);
        if (avx2) encode_words_avx2<Grammar>(pattern, text, cache, out, at);
        else encode_words<Grammar>(pattern, text, cache, out, at);
      });
    }
  } catch (const UnknownCharacter& cause) {
    throw in_text(cause, text, at);
  }
}

void Encoder::encode(const Pattern& pattern, Text text, const std::vector<SpecialPolicy>& policies, WordCache& cache,
                     IdBuffer& out) const {
  stages_.for_each_segment(
      text, policies, false,
      [&](Text segment, const TextStages::Source&) { encode_plain(pattern, segment, cache, out); },
      [&](uint32_t id, size_t, size_t) { out.push_back(id); });
}

Encoder::BorrowedCache::BorrowedCache(const Encoder& encoder) : encoder_(encoder), cache_(encoder.idle_caches_.take()) {
  const size_t max_bytes = encoder.cache_bytes();
  if (!cache_ || cache_->max_bytes() != max_bytes) cache_ = std::make_unique<WordCache>(max_bytes);
}

Encoder::BorrowedCache::~BorrowedCache() { encoder_.idle_caches_.give(std::move(cache_)); }

}  // namespace bpe
