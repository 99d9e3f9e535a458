#include "encoder.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <queue>
#include <utility>

#include "parallel.hpp"

namespace bpe {

namespace {

constexpr size_t kShort = 64;  // symbols; above, merging by a queue is faster

uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash >> 57 | 0x80); }

}  // namespace

Encoder::Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials,
                 const std::vector<SpecialToken>& whole, PrefixSpace prefix)
    : alphabet_(std::move(alphabet)), specials_(std::move(specials)), prefix_(prefix) {
  size_t size = 64;
  while (size < merges.size() * 3) size *= 2;
  rules_.resize(size);
  tags_.resize(size);
  made_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    made_.push_back(merges[rank].made);
    const uint64_t key = key_of(merges[rank].left, merges[rank].right);
    const uint64_t hash = ShortKey::mix(key, 0);
    size_t i = hash & (size - 1);
    while (tags_[i] && rules_[i].key != key) i = (i + 1) & (size - 1);
    if (tags_[i]) continue;  // the same pair again, at a higher rank: never reached
    rules_[i] = {key, static_cast<uint32_t>(rank)};
    tags_[i] = tag_of(hash);
  }
  whole_.reserve(whole.size());
  for (const SpecialToken& token : whole) whole_.emplace(token.bytes, token.id);
  for (const SpecialToken& special : specials_)
    if (!special.bytes.empty() && first_bytes_.find(special.bytes[0]) == std::string::npos) first_bytes_ += special.bytes[0];
}

uint32_t Encoder::rank(uint32_t left, uint32_t right) const {
  const uint64_t key = key_of(left, right), hash = ShortKey::mix(key, 0);
  const uint8_t tag = tag_of(hash);
  const size_t mask = rules_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    if (tags_[i] == tag && rules_[i].key == key) return rules_[i].rank;
    if (tags_[i] == 0) return kNoId;
  }
}

// --- one pre-token ---------------------------------------------------------------------------------------------------

// Quadratic in the worst case and fastest for the few symbols that a word has.
void Encoder::merge_short(IdBuffer& ids, size_t from) const {
  uint32_t ranks[kShort];  // of each symbol with the next
  size_t n = ids.size() - from;
  uint32_t* const id = ids.data() + from;
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = rank(id[i], id[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == kNoId) break;
    id[best] = made_[ranks[best]];
    --n;
    for (size_t i = best + 1; i < n; ++i) id[i] = id[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (best > 0) ranks[best - 1] = rank(id[best - 1], id[best]);
    if (best + 1 < n) ranks[best] = rank(id[best], id[best + 1]);
  }
  ids.resize(from + n);
}

// n log n, for pre-tokens of any length: a queue of merges by rank and place over a linked list.
void Encoder::merge_long(IdBuffer& ids, size_t from) const {
  struct Wait {
    uint32_t rank, place, left, right;
    bool operator<(const Wait& other) const { return rank != other.rank ? rank > other.rank : place > other.place; }
  };
  constexpr uint32_t kNone = UINT32_MAX;
  const uint32_t n = static_cast<uint32_t>(ids.size() - from);
  uint32_t* const id = ids.data() + from;
  std::vector<uint32_t> next(n), previous(n);
  std::vector<Wait> heap;
  const auto candidate = [&](uint32_t place, uint32_t other, auto&& use) {
    if (const uint32_t found = rank(id[place], id[other]); found != kNoId) use(Wait{found, place, id[place], id[other]});
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1 < n ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    if (i + 1 < n) candidate(i, i + 1, [&](const Wait& wait) { heap.push_back(wait); });
  }
  std::priority_queue<Wait> queue(std::less<Wait>{}, std::move(heap));
  constexpr uint32_t kGone = kNoId;
  while (!queue.empty()) {
    const Wait wait = queue.top();
    queue.pop();
    const uint32_t other = next[wait.place];
    if (id[wait.place] != wait.left || other == kNone || id[other] != wait.right) continue;
    id[wait.place] = made_[wait.rank];
    id[other] = kGone;
    next[wait.place] = next[other];
    if (next[other] != kNone) previous[next[other]] = wait.place;
    if (previous[wait.place] != kNone) candidate(previous[wait.place], wait.place, [&](const Wait& w) { queue.push(w); });
    if (next[wait.place] != kNone) candidate(wait.place, next[wait.place], [&](const Wait& w) { queue.push(w); });
  }
  ids.resize(static_cast<size_t>(std::remove(id, id + n, kGone) - ids.data()));
}

void Encoder::encode_new(std::string_view word, IdBuffer& out) const {
  if (!whole_.empty())
    if (const auto found = whole_.find(word); found != whole_.end()) return out.push_back(found->second);
  const size_t from = out.size();
  out.reserve(word.size());
  alphabet_.split(word, out);
  if (out.size() - from <= kShort) merge_short(out, from);
  else merge_long(out, from);
}

void Encoder::encode_medium(std::string_view word, const LongKey& key, PieceCache& cache, IdBuffer& out) const {
  auto& entry = cache.large.at(key);
  if (entry.key == key) return cache.large.append(entry, out);
  const size_t from = out.size();
  encode_new(word, out);
  if (const size_t n = out.size() - from; n <= cache.large.kMaxIds) cache.large.put(entry, key, out.data() + from, n);
}

void Encoder::encode_short(std::string_view word, const ShortKey& key, PieceCache& cache, IdBuffer& out) const {
  auto& entry = cache.small.at(key);
  if (entry.key == key) return cache.small.append(entry, out);
  const size_t from = out.size();
  encode_medium(word, LongKey::of(word, 0), cache, out);  // where short words with many ids are
  if (const size_t n = out.size() - from; n <= cache.small.kMaxIds) cache.small.put(entry, key, out.data() + from, n);
}

void Encoder::encode_piece(std::string_view piece, PieceCache& cache, IdBuffer& out) const {
  const std::string_view word = alphabet_.word_of(piece);
  if (word.empty()) return;
  if (word.size() <= ShortKey::kMaxBytes) encode_short(word, ShortKey::of(word, 0), cache, out);
  else if (word.size() <= LongKey::kMaxBytes) encode_medium(word, LongKey::of(word, 0), cache, out);
  else encode_new(word, out);
}

// Pre-tokens on their way to the cache: its entries come from memory while the next pre-tokens are read.
class Encoder::Waiting {
 public:
  Waiting(const Encoder& encoder, PieceCache& cache, IdBuffer& out, const uint8_t* end)
      : encoder_(encoder), cache_(cache), out_(out), end_(end) {}

  void add(const uint8_t* from, size_t size) {
    Piece& piece = pieces_[size_++];
    piece.from = from;
    piece.size = size;
    const std::string_view word(reinterpret_cast<const char*>(from), size);
    if (size <= ShortKey::kMaxBytes) {
      piece.key = ShortKey::of(word, static_cast<size_t>(end_ - from));
      __builtin_prefetch(&cache_.small.at(piece.key));
    } else if (size <= LongKey::kMaxBytes) {
      __builtin_prefetch(&cache_.large.at(LongKey::of(word, static_cast<size_t>(end_ - from))));
    }
    if (size_ == kPieces) flush();
  }
  void flush() {
    const size_t size = std::exchange(size_, 0);
    for (size_t i = 0; i < size; ++i) {
      const Piece& piece = pieces_[i];
      at = piece.from;
      const std::string_view word(reinterpret_cast<const char*>(piece.from), piece.size);
      const size_t readable = static_cast<size_t>(end_ - piece.from);
      if (piece.size <= ShortKey::kMaxBytes) encoder_.encode_short(word, piece.key, cache_, out_);
      else if (piece.size <= LongKey::kMaxBytes) encoder_.encode_medium(word, LongKey::of(word, readable), cache_, out_);
      else encoder_.encode_new(word, out_);
    }
  }

  const uint8_t* at = nullptr;  // the pre-token at work, for errors

 private:
  static constexpr size_t kPieces = 32;
  struct Piece {
    const uint8_t* from;
    size_t size;
    ShortKey key;
  };
  const Encoder& encoder_;
  PieceCache& cache_;
  IdBuffer& out_;
  const uint8_t* const end_;
  Piece pieces_[kPieces];
  size_t size_ = 0;
};

// --- a text ----------------------------------------------------------------------------------------------------------

void Encoder::encode_plain(Pattern pattern, Text text, PieceCache& cache, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  Waiting waiting(*this, cache, out, end);
  try {
    if (alphabet_.marks_end) {
      each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
        waiting.at = from;
        encode_piece(std::string_view(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from)), cache, out);
      });
    } else {
      each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
        waiting.add(from, static_cast<size_t>(to - from));
      });
      waiting.flush();
    }
  } catch (const UnknownCharacter& cause) {
    const std::string_view piece(reinterpret_cast<const char*>(waiting.at), static_cast<size_t>(end - waiting.at));
    const size_t skipped = alphabet_.marks_end ? static_cast<size_t>(alphabet_.word_of(piece).data() - piece.data()) : 0;
    throw UnknownInText(cause, 0, static_cast<size_t>(waiting.at - text.data) + skipped + cause.position);
  }
}

// The position of the first special token at or after `from` that the policy does not treat as plain; the longest there.
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
  each_part(text, policy, [&](Text part, size_t, size_t) { encode_plain(pattern, part, cache, out); },
            [&](size_t token, size_t) { out.push_back(specials_[token].id); });
}

Encoder::Batch Encoder::encode_batch(Pattern pattern, const std::vector<Text>& texts, const std::vector<SpecialPolicy>& policy,
                                     int num_threads) const {
  const size_t part_bytes = num_threads > 1 ? 1 << 19 : SIZE_MAX;
  std::vector<size_t> starts;  // first text of each part
  size_t bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i == 0 || bytes >= part_bytes) starts.push_back(i), bytes = 0;
    bytes += texts[i].size + 1;
  }
  Batch batch;
  batch.parts.resize(starts.size());
  batch.offsets.resize(texts.size() + 1);
  std::atomic<size_t> next{0};
  run_threads(static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(num_threads, 1)), starts.size())), [&](int) {
    Borrowed cache(*this);
    for (size_t part; (part = next.fetch_add(1)) < starts.size();) {
      IdBuffer& ids = batch.parts[part];
      const size_t stop = part + 1 < starts.size() ? starts[part + 1] : texts.size();
      for (size_t i = starts[part]; i < stop; ++i) {
        try {
          encode(pattern, texts[i], policy, *cache, ids);
        } catch (UnknownInText& problem) {
          problem.text = i;
          throw;
        } catch (ForbiddenSpecial& problem) {
          problem.text = i;
          throw;
        }
        batch.offsets[i + 1] = static_cast<int64_t>(ids.size());
      }
    }
  });
  int64_t before = 0;
  for (size_t part = 0; part < starts.size(); ++part) {
    const size_t stop = part + 1 < starts.size() ? starts[part + 1] : texts.size();
    for (size_t i = starts[part]; i < stop; ++i) batch.offsets[i + 1] += before;
    before += static_cast<int64_t>(batch.parts[part].size());
  }
  return batch;
}

Encoder::Borrowed::Borrowed(const Encoder& encoder) : encoder_(encoder), cache_(encoder.idle_.take()) {
  if (!cache_) cache_ = std::make_unique<PieceCache>();
}

Encoder::Borrowed::~Borrowed() { encoder_.idle_.give(std::move(cache_)); }

}  // namespace bpe
