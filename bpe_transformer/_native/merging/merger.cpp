#include "merging/merger.hpp"

#include <algorithm>
#include <memory>
#include <queue>
#include <utility>

#include "base/interruption.hpp"
#include "merging/long_word.hpp"
#include "merging/short_word.hpp"
#include "merging/windowed_merge.hpp"

namespace bpe {

namespace {

std::vector<uint32_t> merged_ids_of(const std::vector<Merge>& merges) {
  std::vector<uint32_t> merged_ids;
  merged_ids.reserve(merges.size());
  for (const Merge& merge : merges) merged_ids.push_back(merge.merged_id);
  return merged_ids;
}

uint32_t most_id(const std::vector<Merge>& merges, const Alphabet& alphabet) {
  uint32_t most = 1;
  const auto add = [&](uint32_t id) { most = std::max(most, id == kNoId ? 0 : id); };
  for (const Merge& merge : merges) add(merge.left), add(merge.right), add(merge.merged_id);
  for (const uint32_t id : alphabet.id_of_byte) add(id);
  for (const uint32_t id : alphabet.fallback) add(id);
  alphabet.inner.each_from(0, add);
  alphabet.last.each_from(0, add);
  add(alphabet.unknown);
  return most;
}

// Whether merges use only ids of lower rank, no id is the result of two merges, and none is a byte's. Then the merges
// of one rank can be made in any order, and a merged id never merges at a lower rank than its own.
bool well_ordered(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids) {
  std::vector<uint32_t> rank_of(num_ids, kNoId);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    if (rank_of[merges[rank].merged_id] != kNoId) return false;
    rank_of[merges[rank].merged_id] = static_cast<uint32_t>(rank);
  }
  if (alphabet.bytes)
    for (const uint32_t id : alphabet.id_of_byte)
      if (id != kNoId && rank_of[id] != kNoId) return false;
  const auto known = [&](uint32_t id, size_t rank) { return rank_of[id] == kNoId || rank_of[id] < rank; };
  for (size_t rank = 0; rank < merges.size(); ++rank)
    if (!known(merges[rank].left, rank) || !known(merges[rank].right, rank)) return false;
  return true;
}

bool merges_bytes_of_fallback(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids) {
  std::vector<bool> is_byte(num_ids);
  for (const uint32_t id : alphabet.fallback)
    if (id != kNoId) is_byte[id] = true;
  return std::ranges::any_of(merges, [&](const Merge& merge) { return is_byte[merge.left] || is_byte[merge.right]; });
}

}  // namespace

Merger::Merger(Alphabet alphabet, const std::vector<Merge>& merges, Undone undone)
    : alphabet_(std::move(alphabet)),
      num_ids_(size_t{most_id(merges, alphabet_)} + 1),
      ranks_(merges, static_cast<uint32_t>(num_ids_ - 1)),
      merged_ids_(merged_ids_of(merges)),
      borders_(well_ordered(alphabet_, merges, num_ids_) ? Borders(merges, num_ids_) : Borders()),
      joins_(alphabet_, merges, num_ids_),
      symbols_(alphabet_, ranks_, merged_ids_, merges, num_ids_, borders_.known()),
      undone_(std::move(undone)),
      merges_fallback_(merges_bytes_of_fallback(alphabet_, merges, num_ids_)) {
  if (!alphabet_.bytes) return;
  for (size_t pair = 0; pair < byte_pairs_.size(); ++pair)
    byte_pairs_[pair] = ranks_.of(alphabet_.id_of_byte[pair >> 8], alphabet_.id_of_byte[pair & 255]) != kNoId;
}

// --- words that are one token ----------------------------------------------------------------------------------------

// Encoding a token's bytes gives the token if that holds for its two halves, and nothing merges across their border
// before the two merge.
std::vector<Merger::Token> Merger::short_tokens(const std::vector<Merge>& merges) const {
  if (!alphabet_.bytes || !borders_.known() || undoes()) return {};
  struct Reached {
    bool reached = false;
    ShortKey bytes;  // if so
  };
  std::vector<Reached> tokens_reached(num_ids_);
  for (size_t byte = 0; byte < 256; ++byte) {
    const char value = static_cast<char>(byte);
    if (const uint32_t id = alphabet_.id_of_byte[byte]; id != kNoId)
      tokens_reached[id] = {true, ShortKey::of({&value, 1}, 1)};
  }
  std::vector<Token> tokens;
  tokens.reserve(merges.size());
  for (uint32_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right, id] = merges[rank];
    const Reached &l = tokens_reached[left], &r = tokens_reached[right];
    if (!l.reached || !r.reached || l.bytes.size() + r.bytes.size() > ShortKey::kMaxBytes) continue;
    if (ranks_.of(left, right) != rank || !borders_.apart(ranks_, left, right, rank)) continue;
    tokens_reached[id] = {true, l.bytes.with(r.bytes)};
    tokens.push_back({tokens_reached[id].bytes, id});
  }
  return tokens;
}

// --- one word --------------------------------------------------------------------------------------------------------

void Merger::encode(std::string_view word, IdBuffer& out) const {
  const size_t from = out.size();
  merge(word, out);
  undone_.apply(out, from);
}

void Merger::merge(std::string_view word, IdBuffer& out) const {
  constexpr size_t kMaybeShort = 4 * kOneWindow;  // bytes
  const size_t from = out.size();
  if (word.size() <= kMaybeShort) {
    symbols_.split(word, out);
    const size_t count = out.size() - from;
    uint32_t* const ids = out.data() + from;
    if (count <= kShortWord) return out.resize(from + merge_short(ranks_, merged_ids_, ids, count));
    if (count <= kOneWindow) return out.resize(from + merge_in_window(ranks_, merged_ids_, ids, count));
    out.resize(from);
  }
  out.reserve(word.size());  // at once; memory that is not used is never touched
  const Symbols::Reader reader(symbols_, word);
  if (word.size() <= UINT32_MAX && merge_long_word(ranks_, merged_ids_, borders_, claims_for(word), reader, out))
    return;
  symbols_.split(word, out);
  merge_by_queue(out, from);
}

// Computing the claims pays once long words have had a few bytes for each merge. Null before that, for a word that only
// repeats itself, and where there are no claims.
const Claims* Merger::claims_for(std::string_view word) const {
  constexpr size_t kBytesPerMerge = 4, kPeriod = kWindowStride;
  if (word.size() > kPeriod && word.substr(kPeriod) == word.substr(0, word.size() - kPeriod)) return nullptr;
  const Claims* claims = claims_.load(std::memory_order_acquire);
  if (!claims) {
    if (long_bytes_.fetch_add(word.size(), std::memory_order_relaxed) + word.size() <
        kBytesPerMerge * merged_ids_.size())
      return nullptr;
    auto built = std::make_unique<const Claims>(
        merged_ids_, borders_);  // two threads may do this at once: no locks, which a fork could leave held
    if (claims_.compare_exchange_strong(claims, built.get(), std::memory_order_acq_rel)) claims = built.release();
  }
  return claims->known() ? claims : nullptr;
}

// O(n log n) for any merges: a priority queue of candidates over a linked list.
void Merger::merge_by_queue(IdBuffer& ids, size_t from) const {
  struct Candidate {
    uint32_t rank, place, left, right;
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  constexpr uint32_t kNone = UINT32_MAX;
  const uint32_t n = static_cast<uint32_t>(ids.size() - from);
  uint32_t* const id = ids.data() + from;
  std::vector<uint32_t> next(n), previous(n);
  std::vector<Candidate> heap;
  const auto with_candidate = [&](uint32_t place, uint32_t other, auto&& use) {
    if (const uint32_t found = ranks_.of(id[place], id[other]); found != kNoId)
      use(Candidate{found, place, id[place], id[other]});
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1 < n ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    if (i + 1 < n) with_candidate(i, i + 1, [&](const Candidate& found) { heap.push_back(found); });
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>{}, std::move(heap));
  constexpr uint32_t kGone = kNoId;
  Checkpoint* const checkpoint = Checkpoint::current();
  while (!queue.empty()) {
    if (checkpoint) checkpoint->pass();
    const Candidate best = queue.top();
    queue.pop();
    const uint32_t other = next[best.place];
    if (id[best.place] != best.left || other == kNone || id[other] != best.right) continue;
    id[best.place] = merged_ids_[best.rank];
    id[other] = kGone;
    next[best.place] = next[other];
    if (next[other] != kNone) previous[next[other]] = best.place;
    if (previous[best.place] != kNone)
      with_candidate(previous[best.place], best.place, [&](const Candidate& found) { queue.push(found); });
    if (next[best.place] != kNone)
      with_candidate(best.place, next[best.place], [&](const Candidate& found) { queue.push(found); });
  }
  ids.resize(static_cast<size_t>(std::remove(id, id + n, kGone) - ids.data()));
}

}  // namespace bpe
