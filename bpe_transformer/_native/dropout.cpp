#include "dropout.hpp"

#include <algorithm>
#include <atomic>

#include "encoder.hpp"
#include "joined.hpp"
#include "parallel.hpp"

namespace bpe {

// Algorithm 1 of the paper drops each possible merge anew before every step and makes the best that is left. Here they are
// drawn from the best on until one is not dropped, which chooses the same merge with the same probability; those that were
// dropped on the way are possible again in the next step.
void Encoder::sample_piece(std::string_view piece, Dropout& dropout, IdBuffer& out) const {
  const size_t from = out.size();
  const std::string_view word = alphabet_.word_of(piece);
  out.reserve(word.size());
  alphabet_.split(word, out);
  const auto n = static_cast<uint32_t>(out.size() - from);
  if (n < 2) return;
  uint32_t* const id = out.data() + from;
  auto& [queue, dropped, next, previous] = dropout.memory;
  queue.clear(), dropped.clear(), next.resize(n), previous.resize(n);  // next and previous: n where there is none
  const auto add = [&](uint32_t place, uint32_t other) {
    if (const uint32_t found = merger_.rank(id[place], id[other]); found != kNoId)
      queue.push_back({found, place, id[place], id[other]});
  };
  const auto put = [&](uint32_t place, uint32_t other) {
    const size_t before = queue.size();
    add(place, other);
    if (queue.size() > before) std::push_heap(queue.begin(), queue.end());
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i > 0 ? i - 1 : n;
    if (i + 1 < n) add(i, i + 1);
  }
  std::make_heap(queue.begin(), queue.end());
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end());
    const Dropout::Wait wait = queue.back();
    queue.pop_back();
    const uint32_t other = next[wait.place];
    if (id[wait.place] != wait.left || other == n || id[other] != wait.right) continue;
    if (dropout.drops()) {
      dropped.push_back(wait);
      continue;
    }
    id[wait.place] = merger_.made(wait.rank);
    id[other] = kNoId;
    next[wait.place] = next[other];
    if (next[other] != n) previous[next[other]] = wait.place;
    for (const Dropout::Wait& again : dropped) queue.push_back(again), std::push_heap(queue.begin(), queue.end());
    dropped.clear();
    if (previous[wait.place] != n) put(previous[wait.place], wait.place);
    if (next[wait.place] != n) put(wait.place, next[wait.place]);
  }
  out.resize(static_cast<size_t>(std::remove(id, id + n, kNoId) - out.data()));
}

void Encoder::sample_plain(Pattern pattern, Text text, Dropout& dropout, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
    const std::string_view piece(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
    try {
      sample_piece(piece, dropout, out);
    } catch (const UnknownCharacter& cause) {
      const auto skipped = static_cast<size_t>(alphabet_.word_of(piece).data() - piece.data());
      throw UnknownInText(cause, 0, static_cast<size_t>(from - text.data) + skipped + cause.position);
    }
  });
}

Encoder::Batch Encoder::sample_batch(Pattern pattern, const std::vector<Text>& texts, const std::vector<SpecialPolicy>& policy,
                                     double probability, uint64_t seed, int num_threads) const {
  Batch batch;
  batch.offsets.resize(texts.size() + 1);
  JoinedParts joined(texts.size(), 0);
  std::atomic<size_t> next{0};
  run_threads(std::min(num_threads, static_cast<int>(std::min<size_t>(texts.size(), 1 << 10))), [&](int) {
    for (size_t i; (i = next.fetch_add(1)) < texts.size();) {
      IdBuffer ids = joined.take();
      Dropout dropout(probability, seed, i);
      at_text(i, [&] {
        each_part(texts[i], policy, [&](Text part, size_t, size_t) { sample_plain(pattern, part, dropout, ids); },
                  [&](size_t token, size_t) { ids.push_back(specials_[token].id); });
      });
      batch.offsets[i + 1] = static_cast<int64_t>(ids.size());
      joined.give(i, std::move(ids));
    }
  });
  for (size_t i = 0; i < texts.size(); ++i) batch.offsets[i + 1] += batch.offsets[i];
  batch.ids = joined.release();
  return batch;
}

}  // namespace bpe
