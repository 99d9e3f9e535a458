// How often each id occurs in the texts that word counts stand for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "counter.hpp"
#include "encoder.hpp"
#include "parallel.hpp"

namespace bpe {

// Each distinct word is encoded once and its ids are counted as often as it occurs. All ids are below num_ids.
// Throws UnknownInText, whose text is 0 and whose position is in the word.
inline std::vector<uint64_t> tally(const Encoder& encoder, const WordCounts& words, size_t num_ids, int num_threads) {
  constexpr size_t kStep = 4096;
  std::vector<std::pair<std::string_view, uint64_t>> items;
  items.reserve(words.size());
  words.each([&](std::string_view word, uint64_t count) { items.emplace_back(word, count); });
  std::vector<std::vector<uint64_t>> sums(static_cast<size_t>(num_threads));
  std::atomic<size_t> next{0};
  run_threads(num_threads, [&](int thread) {
    std::vector<uint64_t>& sum = sums[static_cast<size_t>(thread)];
    sum.resize(num_ids);
    Encoder::Borrowed cache(encoder);
    IdBuffer ids;
    for (size_t from; (from = next.fetch_add(kStep)) < items.size();) {
      for (size_t i = from; i < std::min(from + kStep, items.size()); ++i) {
        ids.resize(0);
        try {
          encoder.encode_piece(items[i].first, *cache, ids);
        } catch (const UnknownCharacter& cause) {
          throw UnknownInText(cause, 0, cause.position);
        }
        for (size_t n = 0; n < ids.size(); ++n) {
          uint64_t& used = sum[ids.data()[n]];
          used = saturating_add(used, items[i].second);
        }
      }
    }
  });
  for (size_t thread = 1; thread < sums.size(); ++thread)
    for (size_t id = 0; id < num_ids; ++id) sums[0][id] = saturating_add(sums[0][id], sums[thread][id]);
  return std::move(sums[0]);
}

}  // namespace bpe
