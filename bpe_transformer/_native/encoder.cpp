#include "encoder.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <queue>

#include "parallel.hpp"

namespace bpe {

namespace {

uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

}  // namespace

Encoder::Encoder(Alphabet alphabet, const std::vector<Merge>& merges, std::vector<SpecialToken> specials)
    : alphabet_(std::move(alphabet)), specials_(std::move(specials)) {
  size_t size = 64;
  while (size < merges.size() * 3) size *= 2;
  rules_.resize(size);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t key = key_of(merges[rank].left, merges[rank].right);
    size_t i = ShortKey::mix(key, 0) & (size - 1);
    while (rules_[i].rank != kNoId && rules_[i].key != key) i = (i + 1) & (size - 1);
    if (rules_[i].rank == kNoId) rules_[i] = {key, static_cast<uint32_t>(rank), merges[rank].made};
  }
  for (const SpecialToken& special : specials_)
    if (!special.bytes.empty() && first_bytes_.find(special.bytes[0]) == std::string::npos) first_bytes_ += special.bytes[0];
}

const Encoder::Rule* Encoder::rule(uint32_t left, uint32_t right) const {
  const uint64_t key = key_of(left, right);
  const size_t mask = rules_.size() - 1;
  for (size_t i = ShortKey::mix(key, 0) & mask;; i = (i + 1) & mask) {
    if (rules_[i].key == key) return &rules_[i];
    if (rules_[i].rank == kNoId) return nullptr;
  }
}

// --- one pre-token ---------------------------------------------------------------------------------------------------

// Quadratic in the worst case and fastest for the few symbols that a word has.
void Encoder::merge_short(IdBuffer& ids, size_t from) const {
  const Rule* rules[64];
  size_t n = ids.size() - from;
  uint32_t* const id = ids.data() + from;
  for (size_t i = 0; i + 1 < n; ++i) rules[i] = rule(id[i], id[i + 1]);
  while (n > 1) {
    size_t best = n;
    uint32_t best_rank = kNoId;
    for (size_t i = 0; i + 1 < n; ++i)
      if (rules[i] && rules[i]->rank < best_rank) best_rank = rules[i]->rank, best = i;
    if (best == n) break;
    id[best] = rules[best]->made;
    std::copy(id + best + 2, id + n, id + best + 1);
    if (best + 2 < n) std::copy(rules + best + 2, rules + n - 1, rules + best + 1);
    --n;
    if (best > 0) rules[best - 1] = rule(id[best - 1], id[best]);
    if (best + 1 < n) rules[best] = rule(id[best], id[best + 1]);
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
    if (const Rule* const found = rule(id[place], id[other])) use(Wait{found->rank, place, id[place], id[other]});
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
    id[wait.place] = rule(wait.left, wait.right)->made;
    id[other] = kGone;
    next[wait.place] = next[other];
    if (next[other] != kNone) previous[next[other]] = wait.place;
    if (previous[wait.place] != kNone) candidate(previous[wait.place], wait.place, [&](const Wait& w) { queue.push(w); });
    if (next[wait.place] != kNone) candidate(wait.place, next[wait.place], [&](const Wait& w) { queue.push(w); });
  }
  ids.resize(static_cast<size_t>(std::remove(id, id + n, kGone) - ids.data()));
}

void Encoder::encode_new(std::string_view word, IdBuffer& out) const {
  const size_t from = out.size();
  out.reserve(word.size());
  alphabet_.split(word, out);
  if (out.size() - from <= 64) merge_short(out, from);
  else merge_long(out, from);
}

void Encoder::encode_piece(std::string_view piece, size_t readable, PieceCache& cache, IdBuffer& out) const {
  std::string_view word = piece;
  if (alphabet_.marks_end) {
    word = alphabet_.word_of(piece);
    readable -= static_cast<size_t>(word.data() - piece.data());
  }
  if (word.empty()) return;
  if (word.size() > ShortKey::kMaxBytes) return encode_new(word, out);
  const ShortKey key = ShortKey::of(word, readable);
  PieceCache::Entry& entry = cache.at(key);
  if (PieceCache::holds(entry, key)) {
    out.reserve(PieceCache::kMaxIds);
    std::memcpy(out.data() + out.size(), entry.ids, sizeof entry.ids);
    out.resize(out.size() + PieceCache::count(entry));
    return;
  }
  const size_t from = out.size();
  encode_new(word, out);
  if (const size_t n = out.size() - from; n <= PieceCache::kMaxIds) PieceCache::put(entry, key, out.data() + from, n);
}

// --- a text ----------------------------------------------------------------------------------------------------------

void Encoder::encode_plain(Pattern pattern, Text text, PieceCache& cache, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  const uint8_t* at = text.data;
  try {
    each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
      at = from;
      const std::string_view piece(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
      encode_piece(piece, static_cast<size_t>(end - from), cache, out);
    });
  } catch (const UnknownCharacter& cause) {
    const std::string_view piece(reinterpret_cast<const char*>(at), static_cast<size_t>(end - at));
    const size_t skipped = alphabet_.marks_end ? static_cast<size_t>(alphabet_.word_of(piece).data() - piece.data()) : 0;
    throw UnknownInText(cause, 0, static_cast<size_t>(at - text.data) + skipped + cause.position);
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
  const bool plain = std::all_of(policy.begin(), policy.end(), [](SpecialPolicy p) { return p == SpecialPolicy::kPlain; });
  if (plain) return encode_plain(pattern, text, cache, out);
  for (size_t from = 0; from < text.size;) {
    size_t token = 0;
    const size_t at = find_special(text, from, policy, token);
    if (at < text.size && policy[token] == SpecialPolicy::kForbid) throw ForbiddenSpecial(token, at);
    try {
      encode_plain(pattern, {text.data + from, at - from}, cache, out);
    } catch (UnknownInText& problem) {
      problem.position += from;
      throw;
    }
    if (at == text.size) return;
    out.push_back(specials_[token].id);
    from = at + specials_[token].bytes.size();
  }
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

Encoder::Borrowed::Borrowed(const Encoder& encoder) : encoder_(encoder) {
  const std::lock_guard lock(encoder_.guard_);
  if (encoder_.idle_.empty()) {
    cache_ = std::make_unique<PieceCache>();
  } else {
    cache_ = std::move(encoder_.idle_.back());
    encoder_.idle_.pop_back();
  }
}

Encoder::Borrowed::~Borrowed() {
  const std::lock_guard lock(encoder_.guard_);
  encoder_.idle_.push_back(std::move(cache_));
}

}  // namespace bpe
