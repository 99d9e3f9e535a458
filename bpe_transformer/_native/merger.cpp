#include "merger.hpp"

#include <algorithm>
#include <bit>
#include <queue>
#include <utility>

#include "planes.hpp"
#include "unicode.hpp"

namespace bpe {

// --- ranks -----------------------------------------------------------------------------------------------------------

Ranks::Ranks(const std::vector<Merge>& merges, uint32_t most) {
  id_bits_ = static_cast<unsigned>(std::bit_width(most));
  rank_bits_ = static_cast<unsigned>(std::bit_width(merges.size() | 1));
  packed_ = 2 * id_bits_ + rank_bits_ < 64;
  if (!packed_) {
    for (size_t rank = 0; rank < merges.size(); ++rank)
      wide_.emplace(uint64_t{merges[rank].left} << 32 | merges[rank].right, static_cast<uint32_t>(rank));
    return;
  }
  const size_t size = std::bit_ceil(std::max<size_t>(64, merges.size() * 2));
  mask_ = size - 1;
  shift_ = 64 - static_cast<unsigned>(std::bit_width(mask_));
  filter_shift_ = shift_ - 2;
  slots_.assign(size, kEmpty);
  maybe_.assign(size * 4 / 64, 0);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t key = uint64_t{merges[rank].left} << id_bits_ | merges[rank].right;
    const uint64_t hash = key * 0x9E3779B97F4A7C15ull;
    maybe_[hash >> filter_shift_ >> 6] |= uint64_t{1} << (hash >> filter_shift_ & 63);
    size_t i = hash >> shift_;
    while (slots_[i] != kEmpty && slots_[i] >> rank_bits_ != key) i = (i + 1) & mask_;
    if (slots_[i] == kEmpty) slots_[i] = key << rank_bits_ | rank;  // else the same pair at a lower rank
  }
}

uint32_t Ranks::of_wide(uint32_t left, uint32_t right) const {
  const auto found = wide_.find(uint64_t{left} << 32 | right);
  return found == wide_.end() ? kNoId : found->second;
}

// --- what characters are merged to before anything else ----------------------------------------------------------------

namespace {

// The bytes of a token as far as they matter to atoms: all of up to four, the last of more.
struct Bytes {
  uint32_t size = 0;
  uint8_t head[4] = {}, last = 0;
  static Bytes join(const Bytes& left, const Bytes& right) {
    Bytes out = left;
    for (uint32_t i = left.size; i < 4 && i - left.size < right.size; ++i) out.head[i] = right.head[i - left.size];
    out.size += right.size;
    out.last = right.last;
    return out;
  }
};

uint32_t most_id(const std::vector<Merge>& merges, const Alphabet& alphabet) {
  uint32_t most = 1;
  const auto add = [&](uint32_t id) { most = std::max(most, id == kNoId ? 0 : id); };
  for (const Merge& merge : merges) add(merge.left), add(merge.right), add(merge.made);
  for (const uint32_t id : alphabet.id_of_byte) add(id);
  for (const uint32_t id : alphabet.fallback) add(id);
  for (const auto* map : {&alphabet.inner, &alphabet.last})
    for (const auto& [code_point, id] : *map) add(id);
  add(alphabet.unknown);
  return most;
}

// Whether merges only ever use what merges of lower rank have made, each id made by one merge: then what merges at one rank does not
// depend on the order, and nothing that is made merges at a lower rank than it was made at.
bool well_ordered(const std::vector<Merge>& merges, size_t num_ids) {
  std::vector<uint32_t> rank_of(num_ids, kNoId);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    if (rank_of[merges[rank].made] != kNoId) return false;
    rank_of[merges[rank].made] = static_cast<uint32_t>(rank);
  }
  const auto known = [&](uint32_t id, size_t rank) { return rank_of[id] == kNoId || rank_of[id] < rank; };
  for (size_t rank = 0; rank < merges.size(); ++rank)
    if (!known(merges[rank].left, rank) || !known(merges[rank].right, rank)) return false;
  return true;
}

}  // namespace

// A character of two or three bytes that merges make one id of is an atom if no merge across its borders can come before: then a
// word may begin with it in place of its bytes. That holds if what stands at its borders while it is merged always finds its
// partner inside the character at a lower rank than any outside. What may stand before a character is told apart: nothing, another
// such character, or ASCII; and a blank and a character may be an atom together where a word begins. A byte alphabet and valid UTF-8
// are presumed.
struct Merger::Atoms {
  Atoms(Merger& merger, const std::vector<Merge>& merges) : merger(merger), merges(merges) {
    const size_t num_ids = size_t{most_id(merges, merger.alphabet_)} + 1;
    if (num_ids >= kAfterBytes || !merger.ordered_) return;
    std::vector<Bytes> bytes(num_ids);
    for (auto* column : {&rank_of, &before_next, &after_ascii, &after_bytes}) column->assign(num_ids, kNoId);
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<uint8_t>(byte);
      bytes[merger.alphabet_.id_of_byte[byte]] = {1, {value}, value};
    }
    std::vector<uint32_t> candidates;
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto& [left, right, made] = merges[i];
      const Bytes &l = bytes[left], &r = bytes[right];
      const auto rank = rank_of[made] = static_cast<uint32_t>(i);
      const auto note = [&](uint32_t& lowest) { lowest = std::min(lowest, rank); };
      if (!unicode::continues(r.head[0])) note(before_next[left]);
      if (l.last < 0xC0) note((l.last < 0x80 ? after_ascii : after_bytes)[right]);
      bytes[made] = Bytes::join(l, r);
      if (bytes[made].size <= 4 && bytes[made].last >= 0x80) candidates.push_back(made);
    }
    merger.atoms_.resize(0x10000, kNoId), merger.spaced_.resize(0x10000, kNoId);
    for (const uint32_t made : candidates) consider(bytes[made], made);
  }

  void consider(const Bytes& bytes, uint32_t made) {
    const uint32_t spaced = bytes.head[0] == ' ';
    const unicode::Symbol s = unicode::decode(bytes.head + spaced, bytes.head + bytes.size);
    if (s.length + spaced != bytes.size || s.length == 1 || s.length == 4) return;
    IdBuffer ids;
    for (uint32_t i = 0; i < bytes.size; ++i) ids.push_back(merger.alphabet_.id_of_byte[bytes.head[i]]);
    merger.merge(ids, 0);
    if (ids.size() != 1 || ids.data()[0] != made || !safe(made, &Merge::right, before_next)) return;
    if (spaced) merger.spaced_[s.code_point] = made;
    else if (safe(made, &Merge::left, after_bytes))
      merger.atoms_[s.code_point] = made | (safe(made, &Merge::left, after_ascii) ? 0 : kAfterBytes);
  }

  // Whether all that stands at one side while `id` is made is merged inside it first.
  bool safe(uint32_t id, uint32_t Merge::* side, const std::vector<uint32_t>& outside) const {
    for (uint32_t made = id; rank_of[made] != kNoId;) {
      const uint32_t rank = rank_of[made];
      made = merges[rank].*side;
      if (outside[made] < rank) return false;
    }
    return true;
  }

  Merger& merger;
  const std::vector<Merge>& merges;
  std::vector<uint32_t> rank_of;  // by id, kNoId for base tokens
  // by id, the lowest rank of its merges with the beginning of a character after it, with ASCII before it, with the end of a
  // longer character before it
  std::vector<uint32_t> before_next, after_ascii, after_bytes;
};

Merger::Merger(Alphabet alphabet, const std::vector<Merge>& merges) 
    : alphabet_(std::move(alphabet)), ranks_(merges, most_id(merges, alphabet_)) {
  made_.reserve(merges.size());
  for (const Merge& merge : merges) made_.push_back(merge.made);
  ordered_ = well_ordered(merges, size_t{most_id(merges, alphabet_)} + 1);
  if (!alphabet_.bytes) return;
  Atoms(*this, merges);
  square_.resize(size_t{256} * 256);
  for (size_t a = 0; a < 256; ++a)
    for (size_t b = 0; b < 256; ++b) square_[a << 8 | b] = ranks_.of(alphabet_.id_of_byte[a], alphabet_.id_of_byte[b]);
}

// --- one word --------------------------------------------------------------------------------------------------------

// Into base ids and atoms. True if each is one byte.
bool Merger::split(std::string_view word, IdBuffer& out) const {
  if (!alphabet_.bytes) {
    alphabet_.split(word, out);
    return false;
  }
  const auto* p = reinterpret_cast<const uint8_t*>(word.data());
  const auto* const begin = p;
  const auto* const end = p + word.size();
  out.reserve(word.size());
  uint32_t* const from = out.data() + out.size();
  uint32_t* to = from;
  uint32_t refused = 0;  // flags of atoms that may not stand here
  while (p < end) {
    if (*p < 0x80 || atoms_.empty()) {
      if (p == begin && *p == ' ' && p + 1 < end && p[1] >= 0x80 && !atoms_.empty()) {
        const unicode::Symbol s = unicode::decode(p + 1, end);
        if (s.length < 4 && s.code_point != unicode::kInvalid && spaced_[s.code_point] != kNoId) {
          *to++ = spaced_[s.code_point];
          p += 1 + s.length;
          continue;
        }
      }
      *to++ = alphabet_.id_of_byte[*p++];
      refused = kAfterBytes;
      continue;
    }
    const unicode::Symbol s = unicode::decode(p, end);
    if (s.code_point == unicode::kInvalid) {  // then nothing is known of the borders of characters
      to = from;
      for (p = begin; p < end; ++p) *to++ = alphabet_.id_of_byte[*p];
      break;
    }
    const uint32_t atom = s.length < 4 ? atoms_[s.code_point] : kNoId;
    if (!(atom & refused) && atom != kNoId) *to++ = atom & ~kAfterBytes;
    else for (uint32_t i = 0; i < s.length; ++i) *to++ = alphabet_.id_of_byte[p[i]];
    refused = 0;
    p += s.length;
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return to - from == end - begin;
}

void Merger::encode(std::string_view word, IdBuffer& out) const {
  const size_t from = out.size();
  const bool bytes = split(word, out);
  const size_t n = out.size() - from;
  if (n > kShort) return merge_long(out, from);
  uint32_t ranks[kShort];  // of each symbol with the next
  const uint32_t* const id = out.data() + from;
  const auto* const p = reinterpret_cast<const uint8_t*>(word.data());
  if (bytes)
    for (size_t i = 0; i + 1 < n; ++i) ranks[i] = square_[size_t{p[i]} << 8 | p[i + 1]];
  else
    for (size_t i = 0; i + 1 < n; ++i) ranks[i] = ranks_.of(id[i], id[i + 1]);
  merge_short(out, from, ranks);
}

void Merger::merge(IdBuffer& ids, size_t from) const {
  const size_t n = ids.size() - from;
  if (n > kShort) return merge_long(ids, from);
  uint32_t ranks[kShort];
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = ranks_.of(ids.data()[from + i], ids.data()[from + i + 1]);
  merge_short(ids, from, ranks);
}

// Quadratic in the worst case and fastest for the few symbols that a word has.
void Merger::merge_short(IdBuffer& ids, size_t from, uint32_t* ranks) const {
  size_t n = ids.size() - from;
  uint32_t* const id = ids.data() + from;
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == kNoId) break;
    id[best] = made_[ranks[best]];
    --n;
    for (size_t i = best + 1; i < n; ++i) id[i] = id[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (best > 0) ranks[best - 1] = ranks_.of(id[best - 1], id[best]);
    if (best + 1 < n) ranks[best] = ranks_.of(id[best], id[best + 1]);
  }
  ids.resize(from + n);
}

namespace {

// The symbols of a long word: which are left, and the rank of each with the next that is left, in groups of sixty-four with the
// least rank of each group.
template <size_t kMost>
class Blocks {
 public:
  using Find = simd::WhereLeast;

  Blocks(const Ranks& ranks, const std::vector<uint32_t>& made, uint32_t* id, size_t n)
      : ranks_(ranks), made_(made), find_(simd::where_least()), id_(id), n_(n), groups_((n + 63) / 64) {
    for (size_t g = 0; g < groups_; ++g) left_[g] = ~uint64_t{0};
    if (n % 64) left_[groups_ - 1] = (uint64_t{1} << n % 64) - 1;
    for (size_t i = 0; i < 64 * groups_; ++i) rank_[i] = i + 1 < n ? ranks_.of(id[i], id[i + 1]) : kNoId;
    for (size_t g = 0; g < kMost / 64; ++g) least_[g] = kNoId;
    for (size_t g = 0; g < groups_; ++g) find(g);
  }

  // Merges until nothing merges. `together`: all of one rank in a group at once, from the left, which is the same if what a merge
  // makes has no merge of lower rank.
  void merge(bool together) {
    for (;;) {
      const size_t g = best();
      const uint32_t rank = least_[g];
      if (rank == kNoId) return;
      for (uint64_t where = where_[g]; where; where &= where - 1) {
        const size_t i = 64 * g + static_cast<size_t>(std::countr_zero(where));
        if (rank_[i] != rank) continue;  // one before it took its symbol
        join(i, g);
        if (!together) break;
      }
      find(g);
    }
  }

  bool starts(size_t i) const { return left_[i / 64] >> i % 64 & 1; }
  size_t next(size_t i) const {  // n if there is none
    size_t g = ++i / 64;
    if (i >= n_) return n_;
    uint64_t rest = left_[g] >> i % 64 << i % 64;
    while (!rest) {
      if (++g == groups_) return n_;
      rest = left_[g];
    }
    return 64 * g + static_cast<size_t>(std::countr_zero(rest));
  }

 private:
  void join(size_t i, size_t group) {
    const size_t j = next(i);
    id_[i] = made_[rank_[i]];
    left_[j / 64] &= ~(uint64_t{1} << j % 64);
    set(j, kNoId, group);
    const size_t after = next(j);
    set(i, after < n_ ? ranks_.of(id_[i], id_[after]) : kNoId, group);
    if (const size_t before = previous(i); before < n_) set(before, ranks_.of(id_[before], id_[i]), group);
  }
  size_t previous(size_t i) const {  // n if there is none
    size_t g = i / 64;
    uint64_t rest = left_[g] & ((uint64_t{1} << i % 64) - 1);
    while (!rest) {
      if (g-- == 0) return n_;
      rest = left_[g];
    }
    return 64 * g + 63 - static_cast<size_t>(std::countl_zero(rest));
  }
  void set(size_t i, uint32_t rank, size_t group) {
    rank_[i] = rank;
    if (i / 64 != group) find(i / 64);
  }
  size_t best() const {  // the first group with the least rank
    if constexpr (kMost > 4 * 64) return static_cast<size_t>(std::min_element(least_, least_ + groups_) - least_);
    const size_t first = least_[1] < least_[0] ? 1 : 0, second = least_[3] < least_[2] ? 3 : 2;
    return least_[second] < least_[first] ? second : first;
  }
  void find(size_t group) { where_[group] = find_(rank_ + 64 * group, least_[group]); }

  const Ranks& ranks_;
  const std::vector<uint32_t>& made_;
  const Find find_;
  uint32_t* const id_;
  const size_t n_, groups_;
  uint32_t rank_[kMost], least_[kMost / 64];
  uint64_t where_[kMost / 64], left_[kMost / 64];  // where the least rank is; which symbols are left
};

}  // namespace

// Window after window. A window's last ids may be wrong, for want of what comes after, so the next begins some way back, at one of
// them. If that one comes out again, what is before it stands: ids are those of a word if every two neighbours are those of their
// own bytes, since the first merge across a border would have to be one within two neighbours. Else the window begins further back.
// False, and nothing done, if that has to happen more than twice a window, or an id stands for more than a window.
template <size_t kMost>
bool Merger::merge_windows(IdBuffer& ids, size_t from) const {
  constexpr size_t kBack = 8, kTries = 8;
  const uint32_t* const id = ids.data() + from;
  const size_t n = ids.size() - from;
  IdBuffer out, starts;  // ids, and the symbol where each begins
  if (n > UINT32_MAX) return false;
  uint32_t window[kMost], expected_id = kNoId;
  size_t expected = 0;  // symbols of the first id of the window as the last window had it, 0 at the start
  size_t tries = 0, reached = 0;  // going back eight long ids may undo all that a window gave
  for (size_t begin = 0; begin < n;) {
    reached = std::max(reached, begin);
    const size_t size = std::min(n - begin, kMost);
    std::copy_n(id + begin, size, window);
    Blocks<kMost> blocks(ranks_, made_, window, size);
    blocks.merge(ordered_);
    if (expected && (window[0] != expected_id || blocks.next(0) != expected)) {
      if (++tries > kTries + reached / (kMost / 2) || out.size() < kBack) return false;
      out.resize(out.size() - kBack), starts.resize(starts.size() - kBack);
      begin = starts.data()[starts.size()];
      expected = starts.data()[starts.size() + 1] - begin, expected_id = out.data()[out.size()];
      continue;
    }
    size_t stop = size;  // where the next window begins
    if (begin + size < n)
      for (stop = size - size / 8; stop && !blocks.starts(stop); --stop) {}
    if (stop == 0) return false;
    for (size_t i = 0; i < stop; i = blocks.next(i)) out.push_back(window[i]), starts.push_back(static_cast<uint32_t>(begin + i));
    if (stop < size) expected = blocks.next(stop) - stop, expected_id = window[stop];
    begin += stop;
  }
  std::copy_n(out.data(), out.size(), ids.data() + from);
  ids.resize(from + out.size());
  return true;
}

void Merger::merge_long(IdBuffer& ids, size_t from) const {
  if (!merge_windows<256>(ids, from) && !merge_windows<1024>(ids, from)) merge_by_queue(ids, from);
}

// n log n whatever the merges: a queue of them by rank and place over a linked list.
void Merger::merge_by_queue(IdBuffer& ids, size_t from) const {
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
    if (const uint32_t found = ranks_.of(id[place], id[other]); found != kNoId) use(Wait{found, place, id[place], id[other]});
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

}  // namespace bpe
