#include "encoding/encoder.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/parallel.hpp"
#include "encoding/joined_parts.hpp"

namespace bpe {

Encoder::Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials,
                 const std::vector<SpecialToken>& whole, PrefixSpace prefix)
    : merger_(std::move(alphabet), merges),
      alphabet_(merger_.alphabet()),
      specials_(std::move(specials)),
      prefix_(prefix) {
  whole_.reserve(whole.size());
  for (const SpecialToken& token : whole) {
    if (whole_.emplace(token.bytes, token.id).second && !token.bytes.empty() &&
        token.bytes.size() <= ShortKey::kMaxBytes)
      short_tokens_.push_back({ShortKey::of(token.bytes, 0), token.id});
  }
  if (whole.empty()) short_tokens_ = merger_.short_tokens(merges);
  for (const SpecialToken& special : specials_)
    if (!special.bytes.empty() && first_bytes_.find(special.bytes[0]) == std::string::npos)
      first_bytes_ += special.bytes[0];
}

// --- one pre-token ---------------------------------------------------------------------------------------------------

void Encoder::encode_new(std::string_view word, IdBuffer& out) const {
  if (!whole_.empty())
    if (const auto found = whole_.find(word); found != whole_.end()) return out.push_back(found->second);
  merger_.encode(word, out);
}

namespace {

template <class Entry>
bool found(const Entry& entry, IdBuffer& out) {
  out.reserve(std::size(entry.ids));
  __builtin_memcpy(out.data() + out.size(), entry.ids, sizeof entry.ids);
  out.resize(out.size() + entry.count());
  return entry.count();
}

}  // namespace

// A cache that has seen so many short words is worth being told the vocabulary's tokens, which words often are.
constexpr size_t kMuchText = 1 << 10;

// A word's ids lie in the table of the least room that its bytes and ids need; one that has too many ids for a table is
// noted there with none. A word that is not in cache.small, or only noted there, may be in the others.
bool Encoder::recall(std::string_view word, PieceCache& cache, IdBuffer& out) const {
  if (word.size() <= LongKey::kMaxBytes) {
    const LongKey key = LongKey::of(word);
    const auto* const entry = cache.large.find(key, key.hash());
    if (!entry || found(*entry, out)) return entry;
  }
  if (word.size() > WideKey<16>::kMaxBytes) return false;
  const auto key = WideKey<16>::of(word);
  const auto* const entry = cache.huge.find(key, key.hash());
  return entry && found(*entry, out);
}

void Encoder::keep(std::string_view word, const uint32_t* ids, size_t count, PieceCache& cache) const {
  if (!cache.has_tokens && cache.small.used() >= kMuchText && cache.small.is_worth_its_room()) {
    cache.has_tokens = true;
    cache.small.teach(short_tokens_);
  }
  if (word.size() <= ShortKey::kMaxBytes && cache.small.put(ShortKey::of(word, 0), ids, count)) return;
  if (word.size() <= LongKey::kMaxBytes && cache.large.put(LongKey::of(word), ids, count)) return;
  if (word.size() <= WideKey<16>::kMaxBytes) cache.huge.put(WideKey<16>::of(word), ids, count);
}

// `is_noted`: in cache.small.
[[gnu::noinline]] void Encoder::encode_other(std::string_view word, bool is_noted, PieceCache& cache,
                                             IdBuffer& out) const {
  if ((is_noted || word.size() > ShortKey::kMaxBytes) && recall(word, cache, out)) return;
  const size_t from = out.size();
  encode_new(word, out);
  keep(word, out.data() + from, out.size() - from, cache);
}

void Encoder::encode_piece(std::string_view piece, PieceCache& cache, IdBuffer& out) const {
  const std::string_view word = alphabet_.word_of(piece);
  if (word.empty()) return;
  bool is_noted = false;
  if (word.size() <= ShortKey::kMaxBytes) {
    const ShortKey key = ShortKey::of(word, 0);
    const auto* const entry = cache.small.find(key, key.hash());
    if (entry && found(*entry, out)) return;
    is_noted = entry;
  }
  encode_other(word, is_noted, cache, out);
}

// --- a text ----------------------------------------------------------------------------------------------------------

// Where it can be had, code for processors with AVX2 and the bit instructions that came with it, all that is called
// inside included.
#if defined(__x86_64__) && defined(__GNUC__)
#define BPE_FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"), flatten))
#else
#define BPE_FOR_AVX2
#endif

template <class Grammar>
BPE_FOR_AVX2 void Encoder::encode_words_avx2(Text text, PieceCache& cache, IdBuffer& out, const uint8_t*& at) const {
  encode_words<Grammar>(text, cache, out, at);
}

namespace {

// A block of words, with their keys.
template <size_t kMost>
struct Words {
  const uint8_t* borders[kMost + 1];
  ShortKey keys[kMost];  // of a longer word, which is never that of a short one: where its own lies
  LongKey long_keys[kMost];
  uint64_t hashes[kMost], long_hashes[kMost];

  std::string_view word(size_t i) const {
    return {reinterpret_cast<const char*>(borders[i]), static_cast<size_t>(borders[i + 1] - borders[i])};
  }
  // Sets the keys of n words in a text that goes on to `end`, and has the cache's entries come from memory meanwhile.
  void look_up(size_t n, const uint8_t* end, const PieceCache& cache) {
    const auto places = cache.small.places();
    const auto long_places = cache.large.places();
    size_t num_long = 0;
    for (size_t i = 0; i < n; ++i) {
      const std::string_view word = this->word(i);
      const auto readable = static_cast<size_t>(end - borders[i]);
      if (word.size() <= ShortKey::kMaxBytes) [[likely]] {
        keys[i] = ShortKey::of(word, readable);
        hashes[i] = keys[i].hash();
        __builtin_prefetch(&places.of(hashes[i]));
      } else if (word.size() <= LongKey::kMaxBytes) {
        const LongKey& key = long_keys[num_long] = LongKey::of(word, readable);
        const uint64_t hash = long_hashes[num_long] = key.hash();
        keys[i] = {num_long++, 0};
        hashes[i] = 0;
        __builtin_prefetch(&long_places.of(hash));
      } else {
        keys[i] = {kMost, 0};
        hashes[i] = 0;
      }
    }
  }
};

}  // namespace

// What is not text, random bytes say, makes very many words that no cache will find again, and most are just their
// bytes: nothing merges in them. Encodes n words, all bytes between such as merge at once; the number of these.
[[gnu::noinline]] size_t Encoder::encode_mostly_bytes(const uint8_t* const* borders, size_t n, IdBuffer& out) const {
  constexpr size_t kMost = 4096;  // bytes
  const uint8_t* const begin = borders[0];
  const auto size = static_cast<size_t>(borders[n] - begin);
  uint16_t merges[kMost];  // between the first byte and each
  if (size <= kMost) {
    merges[0] = 0;
    for (size_t i = 1; i < size; ++i)
      merges[i] = static_cast<uint16_t>(merges[i - 1] + merger_.bytes_merge(begin[i - 1], begin[i]));
  }
  const auto is_bytes = [&](size_t i) {
    return size <= kMost && merges[borders[i] - begin] == merges[borders[i + 1] - 1 - begin];
  };
  size_t others = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* p = borders[i];
    while (i < n && is_bytes(i)) ++i;
    out.reserve(static_cast<size_t>(borders[i] - p));
    uint32_t* to = out.data() + out.size();
    while (p < borders[i]) *to++ = alphabet_.id_of_byte[*p++];
    out.resize(static_cast<size_t>(to - out.data()));
    if (i == n) break;
    merger_.encode({reinterpret_cast<const char*>(p), static_cast<size_t>(borders[i + 1] - p)}, out);
    ++others;
  }
  return others;
}

// The words of a text, a block at a time. Sets `at` to each pre-token that is new, for errors.
template <class Grammar>
void Encoder::encode_words(Text text, PieceCache& cache, IdBuffer& out, const uint8_t*& at) const {
  constexpr size_t kBlock = scan::Splitter<Grammar>::kBlock, kIds = decltype(cache.large)::kMaxIds;
  const uint8_t* const end = text.data + text.size;
  scan::Splitter<Grammar> splitter(text.data, end, end);
  Words<kBlock> words;
  words.borders[0] = text.data;
  const bool may_be_bytes = alphabet_.bytes && whole_.empty();
  bool mostly_bytes = false;
  for (size_t n; (n = splitter.next(words.borders + 1)); words.borders[0] = words.borders[n]) {
    if (mostly_bytes) {
      mostly_bytes = encode_mostly_bytes(words.borders, n, out) * 2 < n;
      continue;
    }
    words.look_up(n, end, cache);
    out.reserve(n * kIds);
    uint32_t* to = out.data() + out.size();
    const auto take = [&](const auto* entry) {
      if (!entry || !entry->count()) return false;
      __builtin_memcpy(to, entry->ids, sizeof entry->ids);
      to += entry->count();
      return true;
    };
    auto places = cache.small.places();
    size_t num_new = 0, num_bytes = 0;
    for (size_t i = 0; i < n; ++i) {
      const ShortKey& key = words.keys[i];
      const auto* entry = &places.of(words.hashes[i]);
      if (key.same(entry->key)) [[likely]] {
        if (take(entry)) [[likely]]
          continue;
      } else if (key.high) {
        entry = cache.small.find(key, words.hashes[i]);
        if (take(entry)) continue;
      } else if (key.low < kBlock && take(cache.large.find(words.long_keys[key.low], words.long_hashes[key.low]))) {
        continue;
      }
      at = words.borders[i];
      ++num_new;
      const auto from = static_cast<size_t>(to - out.data());
      out.resize(from);
      encode_other(words.word(i), entry != nullptr, cache, out);
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

void Encoder::encode_plain(Pattern pattern, Text text, PieceCache& cache, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  const uint8_t* at = text.data;
  try {
    if (alphabet_.marks_end) {
      each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
        at = from;
        encode_piece(std::string_view(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from)), cache, out);
      });
    } else {
      const bool avx2 = simd::level() != "plain";
      with_grammar(pattern, [&]<class Grammar>() {
        if (avx2) encode_words_avx2<Grammar>(text, cache, out, at);
        else encode_words<Grammar>(text, cache, out, at);
      });
    }
  } catch (const UnknownCharacter& cause) {
    const std::string_view piece(reinterpret_cast<const char*>(at), static_cast<size_t>(end - at));
    const size_t skipped =
        alphabet_.marks_end ? static_cast<size_t>(alphabet_.word_of(piece).data() - piece.data()) : 0;
    throw UnknownInText(cause, 0, static_cast<size_t>(at - text.data) + skipped + cause.position);
  }
}

// The position of the first special token at or after `from` that the policy does not treat as plain; the longest
// there.
size_t Encoder::find_special(Text text, size_t from, const std::vector<SpecialPolicy>& policy, size_t& token) const {
  const char* const data = reinterpret_cast<const char*>(text.data);
  for (size_t at = from; at < text.size; ++at) {
    if (first_bytes_.size() == 1) {
      const void* const hit = std::memchr(data + at, first_bytes_[0], text.size - at);
      if (!hit) return text.size;
      at = static_cast<size_t>(static_cast<const char*>(hit) - data);
    } else if (first_bytes_.find(data[at]) == std::string::npos) {
      continue;
    }
    size_t longest = 0;
    for (size_t i = 0; i < specials_.size(); ++i) {
      const std::string& bytes = specials_[i].bytes;
      if (policy[i] != SpecialPolicy::kPlain && bytes.size() > longest && bytes.size() <= text.size - at &&
          std::memcmp(data + at, bytes.data(), bytes.size()) == 0)
        longest = bytes.size(), token = i;
    }
    if (longest) return at;
  }
  return text.size;
}

void Encoder::encode(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, PieceCache& cache,
                     IdBuffer& out) const {
  each_part(
      text, policy, [&](Text part, size_t, size_t) { encode_plain(pattern, part, cache, out); },
      [&](size_t token, size_t) { out.push_back(specials_[token].id); });
}

namespace {

// The first text of each part: parts of about as many bytes as a processor's own cache has room for, with their ids.
std::vector<size_t> parts_of(const std::vector<Text>& texts, int num_threads) {
  const size_t part_bytes = num_threads > 1 ? size_t{1} << 18 : SIZE_MAX;
  std::vector<size_t> starts;
  size_t bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i == 0 || bytes >= part_bytes) starts.push_back(i), bytes = 0;
    bytes += texts[i].size + 1;
  }
  return starts;
}

}  // namespace

Encoder::Batch Encoder::encode_batch(Pattern pattern, const std::vector<Text>& texts,
                                     const std::vector<SpecialPolicy>& policy, int num_threads) const {
  const std::vector<size_t> starts = parts_of(texts, num_threads);
  const auto stop_of = [&](size_t part) { return part + 1 < starts.size() ? starts[part + 1] : texts.size(); };
  size_t bytes = 0;
  for (const Text& text : texts) bytes += text.size;
  JoinedParts joined(starts.size(), bytes / 4);
  Batch batch;
  batch.offsets.resize(texts.size() + 1);
  std::atomic<size_t> next{0};
  run_threads(static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(num_threads, 1)), starts.size())),
              [&](int) {
                Borrowed cache(*this);
                for (size_t part; (part = next.fetch_add(1)) < starts.size();) {
                  IdBuffer ids = joined.take();
                  for (size_t i = starts[part]; i < stop_of(part); ++i) {
                    at_text(i, [&] { encode(pattern, texts[i], policy, *cache, ids); });
                    batch.offsets[i + 1] = static_cast<int64_t>(ids.size());
                  }
                  joined.give(part, std::move(ids));
                }
              });
  for (size_t part = 1; part < starts.size(); ++part) {
    const auto before = static_cast<int64_t>(joined.begins()[part]);
    for (size_t i = starts[part]; i < stop_of(part); ++i) batch.offsets[i + 1] += before;
  }
  batch.ids = joined.release();
  return batch;
}

Encoder::Borrowed::Borrowed(const Encoder& encoder) : encoder_(encoder), cache_(encoder.idle_.take()) {
  const size_t most = encoder.cache_bytes();
  if (!cache_ || cache_->most() != most) cache_ = std::make_unique<PieceCache>(most);
}

Encoder::Borrowed::~Borrowed() { encoder_.idle_.give(std::move(cache_)); }

}  // namespace bpe
