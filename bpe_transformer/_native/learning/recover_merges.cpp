#include "learning/recover_merges.hpp"

#include <algorithm>
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

struct Mix {
  size_t operator()(uint64_t key) const {
    key *= 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(key ^ key >> 32);
  }
};

// The rank of the token that two ranks merge into. A rank is both the number of a token and the priority of its merge.
using Rules = std::unordered_map<uint64_t, uint32_t, Mix>;

uint32_t merged_rank(const Rules& rules, uint32_t left, uint32_t right) {
  const auto found = rules.find(key_of(left, right));
  return found == rules.end() ? kNone : found->second;
}

// Merges the neighbours whose result has the lowest rank until none merge, in quadratic time.
void merge_few(const Rules& rules, std::vector<uint32_t>& symbols) {
  std::vector<uint32_t> results(symbols.size());  // of merging symbol i with the next one
  for (size_t i = 0; i + 1 < symbols.size(); ++i) results[i] = merged_rank(rules, symbols[i], symbols[i + 1]);
  while (symbols.size() > 1) {
    results.resize(symbols.size() - 1);
    const auto best = std::min_element(results.begin(), results.end());
    if (*best == kNone) return;
    const auto i = best - results.begin();
    symbols[static_cast<size_t>(i)] = *best;
    symbols.erase(symbols.begin() + i + 1);
    results.erase(best);
    const auto at = static_cast<size_t>(i);
    if (at + 1 < symbols.size()) results[at] = merged_rank(rules, symbols[at], symbols[at + 1]);
    if (at > 0) results[at - 1] = merged_rank(rules, symbols[at - 1], symbols[at]);
  }
}

// The same in O(n log n), for tokens of megabytes.
void merge_many(const Rules& rules, std::vector<uint32_t>& symbols) {
  const auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(n), previous(n);
  using Candidate = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>;  // merged rank, place, left, right
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto look = [&](uint32_t place, uint32_t other) {
    if (const uint32_t merged_id = merged_rank(rules, symbols[place], symbols[other]); merged_id != kNone)
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

}  // namespace

RecoveredMerges recover_merges(const std::vector<std::string_view>& tokens, bool characters) {
  const auto length_of = [&](std::string_view token, size_t at) -> size_t {
    if (!characters) return 1;
    const auto* const p = reinterpret_cast<const uint8_t*>(token.data());
    return unicode::decode(p + at, p + token.size()).length;
  };
  std::unordered_map<std::string_view, uint32_t> base;
  std::vector<uint32_t> lengths(tokens.size()), order(tokens.size());
  for (uint32_t rank = 0; rank < tokens.size(); ++rank) {
    for (size_t at = 0; at < tokens[rank].size(); at += length_of(tokens[rank], at)) ++lengths[rank];
    if (lengths[rank] == 1) base.emplace(tokens[rank], rank);
  }
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return lengths[a] < lengths[b]; });

  Rules rules;
  rules.reserve(tokens.size());
  std::vector<uint64_t> pairs(tokens.size(), UINT64_MAX);
  std::vector<uint32_t> symbols;
  RecoveredMerges found;
  for (const uint32_t rank : order) {
    if (lengths[rank] < 2) continue;
    pass_checkpoint();
    const std::string_view token = tokens[rank];
    symbols.clear();
    bool complete = true;
    for (size_t at = 0; at < token.size() && complete;) {
      const size_t length = length_of(token, at);
      const auto symbol = base.find(token.substr(at, length));
      complete = symbol != base.end();
      if (complete) symbols.push_back(symbol->second);
      at += length;
    }
    if (!complete) {
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
    rules.emplace(pairs[rank], rank);
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
