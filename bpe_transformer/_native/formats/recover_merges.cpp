#include "formats/recover_merges.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/interruption.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

// The rank of the token that two ranks merge into. A rank is both the number of a token and the priority of its merge.
// A table with open addressing, at most half full; most look-ups are for pairs that merge into nothing, which a filter
// of bits, small enough for the cache, answers first.
class Rules {
 public:
  explicit Rules(size_t size) {
    size_t capacity = 1024;
    while (capacity < 2 * size) capacity *= 2;
    keys_.assign(capacity, kFree);
    ranks_.resize(capacity);
    filter_.resize(std::min<size_t>(capacity / 8, size_t{1} << 15));
  }
  // The rank, or kNone.
  uint32_t find(uint32_t left, uint32_t right) const {
    const uint64_t key = key_of(left, right), hash = mix(key);
    if (!(filter_[bit_word(hash)] >> (hash & 63) & 1)) return kNone;
    for (size_t at = slot(hash);; at = (at + 1) & (keys_.size() - 1)) {
      if (keys_[at] == key) return ranks_[at];
      if (keys_[at] == kFree) return kNone;
    }
  }
  // Enters the rank of a pair that is not there yet, else does nothing.
  void insert(uint64_t key, uint32_t rank) {
    const uint64_t hash = mix(key);
    filter_[bit_word(hash)] |= uint64_t{1} << (hash & 63);
    size_t at = slot(hash);
    for (; keys_[at] != kFree; at = (at + 1) & (keys_.size() - 1))
      if (keys_[at] == key) return;
    keys_[at] = key;
    ranks_[at] = rank;
  }

 private:
  static constexpr uint64_t kFree = UINT64_MAX;
  static uint64_t mix(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return key ^ key >> 32;
  }
  size_t slot(uint64_t hash) const { return static_cast<size_t>(hash >> 8) & (keys_.size() - 1); }
  size_t bit_word(uint64_t hash) const { return static_cast<size_t>(hash >> 6) & (filter_.size() - 1); }

  std::vector<uint64_t> keys_, filter_;
  std::vector<uint32_t> ranks_;
};

// Merges the neighbours whose result has the lowest rank until none merge, in quadratic time.
void merge_few(const Rules& rules, std::vector<uint32_t>& symbols) {
  std::vector<uint32_t> results(symbols.size());  // of merging symbol i with the next one
  for (size_t i = 0; i + 1 < symbols.size(); ++i) results[i] = rules.find(symbols[i], symbols[i + 1]);
  while (symbols.size() > 1) {
    results.resize(symbols.size() - 1);
    const auto best = std::min_element(results.begin(), results.end());
    if (*best == kNone) return;
    const auto i = best - results.begin();
    symbols[static_cast<size_t>(i)] = *best;
    symbols.erase(symbols.begin() + i + 1);
    results.erase(best);
    const auto at = static_cast<size_t>(i);
    if (at + 1 < symbols.size()) results[at] = rules.find(symbols[at], symbols[at + 1]);
    if (at > 0) results[at - 1] = rules.find(symbols[at - 1], symbols[at]);
  }
}

// The same in O(n log n), for tokens of megabytes.
void merge_many(const Rules& rules, std::vector<uint32_t>& symbols) {
  const auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(n), previous(n);
  using Candidate = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>;  // merged rank, place, left, right
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto look = [&](uint32_t place, uint32_t other) {
    if (const uint32_t merged_id = rules.find(symbols[place], symbols[other]); merged_id != kNone)
      queue.emplace(merged_id, place, symbols[place], symbols[other]);
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1 < n ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    if (i + 1 < n) look(i, i + 1);
  }
  while (!queue.empty()) {
    pass_checkpoint();
    const auto [merged_id, place, left, right] = queue.top();
    queue.pop();
    const uint32_t other = next[place];
    if (symbols[place] != left || other == kNone || symbols[other] != right) continue;
    symbols[place] = merged_id;
    symbols[other] = kNone;
    next[place] = next[other];
    if (next[other] != kNone) previous[next[other]] = place;
    if (previous[place] != kNone) look(previous[place], place);
    if (next[place] != kNone) look(place, next[place]);
  }
  std::erase(symbols, kNone);
}

// The tokens of one symbol: a byte, or with `characters` a character.
class BaseTokens {
 public:
  explicit BaseTokens(bool characters) : characters_(characters) { bytes_.fill(kNone); }
  // The number of symbols in a token.
  uint32_t length(std::string_view token) const {
    if (!characters_) return static_cast<uint32_t>(token.size());
    uint32_t count = 0;
    for (size_t at = 0; at < token.size(); at += size_at(token, at)) ++count;
    return count;
  }
  void add(std::string_view symbol, uint32_t rank) {
    if (symbol.size() != 1) longer_.emplace(symbol, rank);
    else if (uint32_t& place = bytes_[static_cast<uint8_t>(symbol[0])]; place == kNone) place = rank;
  }
  // The ranks of a token's symbols; false if one has none.
  bool split(std::string_view token, std::vector<uint32_t>& symbols) const {
    symbols.clear();
    for (size_t at = 0; at < token.size();) {
      const size_t size = size_at(token, at);
      uint32_t symbol = kNone;
      if (size == 1) {
        symbol = bytes_[static_cast<uint8_t>(token[at])];
      } else if (const auto found = longer_.find(token.substr(at, size)); found != longer_.end()) {
        symbol = found->second;
      }
      if (symbol == kNone) return false;
      symbols.push_back(symbol);
      at += size;
    }
    return true;
  }

 private:
  size_t size_at(std::string_view token, size_t at) const {
    if (!characters_) return 1;
    const auto* const p = reinterpret_cast<const uint8_t*>(token.data());
    return unicode::decode(p + at, p + token.size()).length;
  }

  bool characters_;
  std::array<uint32_t, 256> bytes_;
  std::unordered_map<std::string_view, uint32_t> longer_;
};

// Puts the ranks in the order of their tokens' lengths, those of one length in their own: most are short.
void sort_by_length(const std::vector<uint32_t>& lengths, std::vector<uint32_t>& order) {
  constexpr uint32_t kLong = 64;
  std::array<uint32_t, kLong + 1> starts{};
  for (const uint32_t length : lengths)
    if (length < kLong) ++starts[length + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  auto last = order.begin() + starts[kLong];  // of the long ones
  const auto first_long = last;
  for (uint32_t rank = 0; rank < lengths.size(); ++rank) {
    if (lengths[rank] < kLong) order[starts[lengths[rank]]++] = rank;
    else *last++ = rank;
  }
  std::stable_sort(first_long, order.end(), [&](uint32_t a, uint32_t b) { return lengths[a] < lengths[b]; });
}

}  // namespace

RecoveredMerges recover_merges(const std::vector<std::string_view>& tokens, bool characters) {
  BaseTokens base(characters);
  std::vector<uint32_t> lengths(tokens.size()), order(tokens.size());
  for (uint32_t rank = 0; rank < tokens.size(); ++rank) {
    lengths[rank] = base.length(tokens[rank]);
    if (lengths[rank] == 1) base.add(tokens[rank], rank);
  }
  sort_by_length(lengths, order);

  Rules rules(tokens.size());
  std::vector<uint64_t> pairs(tokens.size(), UINT64_MAX);
  std::vector<uint32_t> symbols;
  RecoveredMerges found;
  for (const uint32_t rank : order) {
    if (lengths[rank] < 2) continue;
    pass_checkpoint();
    const std::string_view token = tokens[rank];
    if (!base.split(token, symbols)) {
      found.incomplete.push_back(rank);
      continue;
    }
    if (symbols.size() <= 48) merge_few(rules, symbols);
    else merge_many(rules, symbols);
    if (symbols.size() != 2) {
      found.unreachable.push_back(rank);
      continue;
    }
    pairs[rank] = key_of(symbols[0], symbols[1]);
    rules.insert(pairs[rank], rank);
  }
  for (uint32_t rank = 0; rank < tokens.size(); ++rank) {
    if (pairs[rank] == UINT64_MAX) continue;
    found.left.push_back(static_cast<uint32_t>(pairs[rank] >> 32));
    found.right.push_back(static_cast<uint32_t>(pairs[rank]));
    found.merged_ids.push_back(rank);
  }
  return found;
}

}  // namespace bpe
