#include "learning/learner.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/interruption.hpp"

namespace bpe {

namespace {

uint64_t scramble(uint64_t key) {
  key *= 0x9E3779B97F4A7C15ull;
  return key ^ (key >> 32);
}

}  // namespace

// --- pairs -----------------------------------------------------------------------------------------------------------

size_t Learner::PairTable::place(uint64_t key) const {
  const size_t mask = pairs_.size() - 1;
  size_t i = scramble(key) & mask;
  while (pairs_[i].key != key && pairs_[i].key != kEmpty) i = (i + 1) & mask;
  return i;
}

Learner::Pair* Learner::PairTable::find(uint64_t key) {
  Pair& pair = pairs_[place(key)];
  return pair.key == key ? &pair : nullptr;
}

void Learner::PairTable::prefetch(uint64_t key) const {
  __builtin_prefetch(&pairs_[scramble(key) & (pairs_.size() - 1)], 1);
}

Learner::Pair& Learner::PairTable::insert(uint64_t key, uint64_t drop_below) {
  size_t i = place(key);
  if (pairs_[i].key == key) return pairs_[i];
  if ((used_ + 1) * 2 > pairs_.size()) {
    rebuild(drop_below);
    i = place(key);
  }
  ++used_;
  pairs_[i] = {key, 0, nullptr, 0};
  return pairs_[i];
}

void Learner::PairTable::rebuild(uint64_t drop_below) {
  size_t kept = 0;
  for (const Pair& pair : pairs_) kept += pair.key != kEmpty && pair.count >= drop_below;
  size_t size = 1 << 12;
  while (size < kept * 3) size *= 2;
  std::vector<Pair> old(size, Pair{kEmpty, 0, nullptr, 0});
  old.swap(pairs_);
  used_ = kept;
  for (const Pair& pair : old)
    if (pair.key != kEmpty && pair.count >= drop_below) pairs_[place(pair.key)] = pair;
}

template <class Keep>
void Learner::PairTable::remove_if_not(Keep&& keep) {
  for (Pair& pair : pairs_)
    if (pair.key != kEmpty && !keep(pair)) pair.count = 0;
  rebuild(1);
}

void Learner::PairTable::clear() {
  pairs_.assign(1 << 12, Pair{kEmpty, 0, nullptr, 0});
  used_ = 0;
}

Learner::Position* Learner::allocate(size_t count) {
  constexpr size_t kBlock = 1 << 18;
  if (count > block_left_) {
    const size_t size = std::max(kBlock, count);
    blocks_.push_back(std::make_unique_for_overwrite<Position[]>(size));
    if (size > kBlock) return blocks_.back().get();  // a separate block; the current one stays in use
    block_next_ = blocks_.back().get();
    block_left_ = size;
  }
  Position* const list = block_next_;
  block_next_ += count;
  block_left_ -= count;
  return list;
}

// --- words -----------------------------------------------------------------------------------------------------------

Learner::Learner(const WordCounts& words, const Alphabet& alphabet, const Encoder* base,
                 std::vector<std::string> tokens, const LearnerOptions& options)
    : bytes_(std::move(tokens)),
      forbidden_(options.forbidden_tokens.begin(), options.forbidden_tokens.end()),
      max_token_bytes_(options.max_token_bytes),
      min_frequency_(std::max<uint64_t>(options.min_frequency, 1)),
      record_(options.record),
      next_id_(static_cast<Id>(bytes_.size())) {
  length_.assign(next_id_, 1);
  left_.of.resize(next_id_);
  right_.of.resize(next_id_);
  for (const Id id : options.unmergeable_ids) {
    if (unmergeable_.size() <= id) unmergeable_.resize(id + 1);
    unmergeable_[id] = 1;
  }
  for (const std::string& bytes : forbidden_) {
    if (forbidden_sizes_.size() <= bytes.size()) forbidden_sizes_.resize(bytes.size() + 1);
    forbidden_sizes_[bytes.size()] = 1;
  }
  load_words(words, alphabet, base);
  // The threshold is far below the count of the last merge (measured on natural text), so a second scan is rare.
  constexpr uint64_t kMargin = 64;
  scan_pairs(std::max<uint64_t>(1, tokens_left_ / (uint64_t{std::max<uint32_t>(options.max_merges, 1)} * kMargin)));
}

void Learner::load_words(const WordCounts& words, const Alphabet& alphabet, const Encoder* base) {
  struct Word {
    std::string_view bytes;
    uint64_t count;
  };
  std::vector<Word> often, once;  // most words of a large corpus occur once, and need no sorting
  size_t bytes = 0;
  words.each([&](std::string_view word, uint64_t count) {
    (count == 1 ? once : often).push_back({word, count});
    bytes += word.size();
  });
  std::sort(often.begin(), often.end(), [](const Word& a, const Word& b) { return a.count > b.count; });
  if (!base) slots_.reserve(bytes + words.size() + 1);
  slots_.push_back(kGap);
  counts_.reserve(often.size());
  std::optional<Encoder::BorrowedCache> cache;
  if (base) cache.emplace(*base);
  IdBuffer encoded;
  unsigned __int128 total = 0;
  for (const std::vector<Word>* group : {&often, &once}) {
    for (const Word& word : *group) {
      pass_checkpoint();
      const size_t start = slots_.size();
      if (cache) {
        encoded.resize(0);
        base->encode_pretoken(word.bytes, **cache, encoded);
        slots_.insert(slots_.end(), encoded.data(), encoded.data() + encoded.size());
      } else {
        alphabet.split(word.bytes, slots_);
      }
      if (slots_.size() >= kHole) throw std::length_error("more than 2^32 tokens in distinct words");
      total += static_cast<unsigned __int128>(word.count) * (slots_.size() - start);
      slots_.push_back(kGap);
      if (word.count != 1) counts_.push_back(word.count);
    }
  }
  if (total > UINT64_MAX) throw std::overflow_error("the corpus counts more than 2^64 symbols");
  tokens_left_ = static_cast<uint64_t>(total);
}

void Learner::index_words() {
  gap_bits_.assign(slots_.size() / 64 + 1, 0);
  for (size_t i = 1; i < slots_.size(); ++i)
    if (slots_[i] == kGap) gap_bits_[i / 64] |= uint64_t{1} << (i % 64);
  gaps_before_.resize(gap_bits_.size());
  uint32_t before = 0;
  for (size_t i = 0; i < gap_bits_.size(); ++i) {
    gaps_before_[i] = before;
    before += static_cast<uint32_t>(std::popcount(gap_bits_[i]));
  }
  first_single_ = static_cast<Position>(slots_.size());
  longest_word_ = 0;
  uint64_t word = 0;
  for (Position i = 1, start = 1; i < slots_.size(); ++i) {
    if (slots_[i] != kGap) continue;
    longest_word_ = std::max(longest_word_, i - start);
    if (word++ == counts_.size()) first_single_ = start;
    start = i + 1;
  }
}

// The number of gaps before a position, which is the number of its word.
uint64_t Learner::word_of(Position position) const {
  const uint64_t below = gap_bits_[position / 64] & ((uint64_t{1} << (position % 64)) - 1);
  return gaps_before_[position / 64] + static_cast<uint64_t>(std::popcount(below));
}

bool Learner::gap_between(Position from, Position to) const {
  for (Position i = from / 64; i <= to / 64; ++i) {
    uint64_t bits = gap_bits_[i];
    if (i == from / 64) bits &= ~uint64_t{0} << (from % 64);
    if (i == to / 64) bits &= (uint64_t{1} << (to % 64)) - 1;
    if (bits) return true;
  }
  return false;
}

// Shrinks every token to one slot, so that a scan reads no more slots than tokens.
void Learner::compact() {
  size_t to = 0;
  for (size_t from = 0; from < slots_.size();) {
    const Id id = slots_[from];
    slots_[to++] = id;
    from += id == kGap ? 1 : length_[id];
  }
  slots_.resize(to);
  std::fill(length_.begin(), length_.end(), 1);
}

// Calls visit(position, key, count of its word) for every pair of neighbours in a word.
template <class Visit>
void Learner::each_pair(Visit&& visit) const {
  constexpr Position kStep = 1 << 16;  // between two looks
  Checkpoint* const checkpoint = Checkpoint::current();
  uint64_t word = 0, count = count_of(0);
  for (Position from = 1; from + 1 < slots_.size();) {
    if (checkpoint) checkpoint->look();
    const auto to = static_cast<Position>(std::min<size_t>(size_t{from} + kStep, slots_.size() - 1));
    for (Position i = from; i < to; ++i) {
      if (slots_[i] == kGap) count = count_of(++word);
      else if (slots_[i + 1] != kGap) visit(i, key_of(slots_[i], slots_[i + 1]), count);
    }
    from = to;
  }
}

void Learner::scan_pairs(uint64_t threshold) {
  compact();
  index_words();
  table_.clear();
  queue_ = {};
  blocks_.clear();
  block_left_ = 0;
  threshold_ = threshold;
  const auto wanted = [this](const Pair& pair) {
    return pair.count >= threshold_ && allowed(static_cast<Id>(pair.key >> 32), static_cast<Id>(pair.key));
  };
  const auto record = [this](Pair& pair) {
    pair.list = allocate(pair.length);
    pair.length = 0;
    queue_.push({pair.count, pair.key});
  };
  constexpr Id kDense = 1024;
  if (next_id_ <= kDense) {  // few ids, such as bytes: a square of them is faster than hashing
    std::vector<Pair> square(size_t{next_id_} * next_id_);
    const auto at = [&](uint64_t key) -> Pair& { return square[(key >> 32) * next_id_ + static_cast<Id>(key)]; };
    each_pair([&](Position, uint64_t key, uint64_t count) {
      Pair& pair = at(key);
      pair.key = key;
      pair.count += count;
      ++pair.length;
    });
    for (Pair& pair : square) {
      if (pair.length == 0 || !wanted(pair)) continue;
      record(pair);
    }
    each_pair([&](Position position, uint64_t key, uint64_t) {
      if (Pair& pair = at(key); pair.list) pair.list[pair.length++] = position;
    });
    for (const Pair& pair : square)
      if (pair.list) table_.insert(pair.key, 0) = pair;
    return;
  }
  each_pair([this](Position, uint64_t key, uint64_t count) {
    Pair& pair = table_.insert(key, 0);
    pair.count += count;
    ++pair.length;
  });
  table_.remove_if_not(wanted);
  table_.each(record);
  each_pair([this](Position position, uint64_t key, uint64_t) {
    if (Pair* const pair = table_.find(key)) pair->list[pair->length++] = position;
  });
}

bool Learner::allowed(Id left, Id right) const {
  if ((left < unmergeable_.size() && unmergeable_[left]) || (right < unmergeable_.size() && unmergeable_[right]))
    return false;
  const std::string &a = bytes_[left], &b = bytes_[right];
  const size_t size = a.size() + b.size();
  return size <= max_token_bytes_ &&
         !(size < forbidden_sizes_.size() && forbidden_sizes_[size] && forbidden_.contains(a + b));
}

// --- merging ---------------------------------------------------------------------------------------------------------

// Brings the top of the queue up to date: counts sink while candidates wait.
void Learner::refresh_top() {
  while (!queue_.empty()) {
    const Candidate top = queue_.top();
    const Pair* const pair = table_.find(top.key);
    if (pair && pair->count == top.count) return;
    queue_.pop();
    if (pair && pair->count >= threshold_) queue_.push({pair->count, top.key});
  }
}

bool Learner::step(MergeRecord& record) {
  for (;;) {
    refresh_top();
    if (!queue_.empty()) {
      const Candidate best = queue_.top();
      if (best.count < min_frequency_) return false;
      queue_.pop();
      if (record_) refresh_top();
      if (!record_ || !queue_.empty() || threshold_ == 1) {
        const Candidate runner = !record_ || queue_.empty() ? Candidate{0, key_of(kNoId, kNoId)} : queue_.top();
        apply(best, record);
        record.runner_left = static_cast<Id>(runner.key >> 32);
        record.runner_right = static_cast<Id>(runner.key);
        record.runner_count = runner.count;
        return true;
      }
      queue_.push(best);  // the runner-up may lie below the threshold
    } else if (threshold_ == 1) {
      return false;
    }
    scan_pairs(std::max<uint64_t>(1, threshold_ / 16));
  }
}

// Merges the pair at `start`; false if that entry of the list is stale.
bool Learner::merge_at(Position start, Id left, Id right, Id new_id) {
  if (slots_[start] != left) return false;
  const Position middle = start + length_[left];
  if (slots_[middle] != right) return false;
  slots_[middle - 1] = kHole;
  slots_[middle] = kHole;
  slots_[start] = new_id;
  slots_[middle + length_[right] - 1] = new_id;
  return true;
}

void Learner::add_neighbour(Side& side, Id neighbour, Position start, uint64_t count) {
  Neighbour& sum = side.of[neighbour];
  if (sum.occurrences++ == 0) side.touched.push_back(neighbour);
  sum.count += count;
  side.occurrences.emplace_back(neighbour, start);
}

// Subtracts from the counts of the pairs that a merge broke up: its left or right id with the neighbours on one side.
void Learner::subtract_broken_pairs(const Side& side, uint64_t merged_key, Id new_id) {
  const Id left = static_cast<Id>(merged_key >> 32), right = static_cast<Id>(merged_key);
  const auto key = [&](Id id) {
    if (&side == &right_) return key_of(right, id);
    return key_of(id == new_id ? right : id, left);  // two new ids in a row were left right left right
  };
  for (const Id id : side.touched) table_.prefetch(key(id));
  for (const Id id : side.touched) {
    if (key(id) == merged_key) continue;
    if (Pair* const pair = table_.find(key(id))) pair->count -= std::min(pair->count, side.of[id].count);
  }
}

// Adds the pairs of the new id with its neighbours on one side.
void Learner::insert_new_pairs(Side& side, bool new_is_right, Id new_id) {
  bool any = false;
  for (const Id id : side.touched)
    if (side.of[id].count >= threshold_) table_.prefetch(new_is_right ? key_of(id, new_id) : key_of(new_id, id));
  for (const Id id : side.touched) {
    Neighbour& sum = side.of[id];
    const Id left = new_is_right ? id : new_id, right = new_is_right ? new_id : id;
    sum.cursor = nullptr;
    if (sum.count >= threshold_ && allowed(left, right)) {
      any = true;
      const uint64_t key = key_of(left, right);
      Pair& pair = table_.insert(key, threshold_);
      pair.count = sum.count;
      pair.length = sum.occurrences;
      pair.list = sum.cursor = allocate(sum.occurrences);
      queue_.push({sum.count, key});
    }
    sum.count = 0;
    sum.occurrences = 0;
  }
  if (any)
    for (const auto& [id, start] : side.occurrences)
      if (Position*& cursor = side.of[id].cursor) *cursor++ = start;
  side.touched.clear();
  side.occurrences.clear();
}

void Learner::apply(const Candidate& best, MergeRecord& record) {
  constexpr uint32_t kAhead = 24;
  const Id left = static_cast<Id>(best.key >> 32), right = static_cast<Id>(best.key), new_id = next_id_++;
  Pair* const pair = table_.find(best.key);
  pair->count = 0;
  const Position* const list = pair->list;
  const uint32_t listed = pair->length;
  length_.push_back(length_[left] + length_[right]);
  bytes_.push_back(bytes_[left] + bytes_[right]);
  left_.of.emplace_back();
  right_.of.emplace_back();

  uint64_t merged = 0, touched = 0;
  uint64_t last_word = UINT64_MAX;
  Position last_single = 0;  // the merge before this one, if both may be in one word that occurs once; else 0, a gap
  const auto account = [&](Position start) {
    const Id before = slots_[start - 1], after = slots_[start + length_[new_id]];
    uint64_t count = 1;
    if (start < first_single_) {
      const uint64_t word = word_of(start);
      count = counts_[word];
      touched += word != last_word;
      last_word = word;
    } else if (record_) {
      const bool shared = before != kGap && last_single != 0 && start - last_single <= longest_word_ &&
                          !gap_between(last_single, start);
      touched += !shared;
      last_single = after != kGap ? start : 0;
    }
    merged += count;
    if (before != kGap) add_neighbour(left_, before, start - length_[before], count);
    if (after != kGap && after != new_id)
      add_neighbour(right_, after, start, count);  // two new ids in a row count once, as `before`
  };
  // A merge is counted after the next one is applied, which may be its neighbour.
  Position waiting = 0;
  for (uint32_t i = 0; i < listed; ++i) {
    if (i + kAhead < listed) __builtin_prefetch(&slots_[list[i + kAhead]], 1);
    if (!merge_at(list[i], left, right, new_id)) continue;
    if (waiting) account(waiting);
    waiting = list[i];
  }
  if (waiting) account(waiting);

  subtract_broken_pairs(left_, best.key, new_id);
  subtract_broken_pairs(right_, best.key, new_id);
  insert_new_pairs(left_, true, new_id);
  insert_new_pairs(right_, false, new_id);
  tokens_left_ -= merged;
  record.left = left;
  record.right = right;
  record.count = best.count;
  record.words_touched = touched;
  record.tokens_left = tokens_left_;
}

}  // namespace bpe
