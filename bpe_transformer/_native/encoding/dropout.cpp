#include "encoding/dropout.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "base/parallel.hpp"
#include "encoding/encoder.hpp"
#include "encoding/joined_parts.hpp"

namespace bpe {

namespace {

constexpr size_t kFew = 32;

// Merges n symbols as `dropout` says; gives how many are left. The best merge is looked for anew each time, without
// branches that a processor would have to guess.
size_t sample_few(const Merger& merger, uint32_t* id, size_t n, Dropout& dropout) {
  uint32_t ranks[kFew], put_off[kFew];  // of id[i] with id[i + 1]; those that are dropped until the next merge
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = merger.rank(id[i], id[i + 1]);
  uint32_t dropped = 0;  // a bit a place
  for (;;) {
    uint64_t first = uint64_t{kNoId} << 32;
    for (size_t i = 0; i + 1 < n; ++i) first = std::min(first, uint64_t{ranks[i]} << 32 | i);
    const auto best = static_cast<uint32_t>(first >> 32);
    if (best == kNoId) return n;
    const auto at = static_cast<size_t>(first & (kFew - 1));
    if (dropout.drops()) {
      dropped |= uint32_t{1} << at;
      put_off[at] = std::exchange(ranks[at], kNoId);
      continue;
    }
    for (; dropped; dropped &= dropped - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(dropped));
      ranks[i] = put_off[i];
    }
    id[at] = merger.made(best);
    --n;
    for (size_t i = at + 1; i < n; ++i) id[i] = id[i + 1];
    for (size_t i = at + 1; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (at + 1 < n) ranks[at] = merger.rank(id[at], id[at + 1]);
    if (at > 0) ranks[at - 1] = merger.rank(id[at - 1], id[at]);
  }
}

// The same for any number, with a heap.
size_t sample_many(const Merger& merger, uint32_t* id, uint32_t n, Dropout& dropout) {
  auto& [words, queue, dropped, next, previous] = dropout.memory;
  queue.clear(), dropped.clear(), next.resize(n), previous.resize(n);  // next and previous: n where there is none
  const auto add = [&](uint32_t place, uint32_t other) {
    if (const uint32_t found = merger.rank(id[place], id[other]); found != kNoId)
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
    id[wait.place] = merger.made(wait.rank);
    id[other] = kNoId;
    next[wait.place] = next[other];
    if (next[other] != n) previous[next[other]] = wait.place;
    for (const Dropout::Wait& again : dropped) queue.push_back(again), std::push_heap(queue.begin(), queue.end());
    dropped.clear();
    if (previous[wait.place] != n) put(previous[wait.place], wait.place);
    if (next[wait.place] != n) put(wait.place, next[wait.place]);
  }
  return static_cast<size_t>(std::remove(id, id + n, kNoId) - id);
}

}  // namespace

// Algorithm 1 of the paper drops each possible merge anew before every step and makes the best that is left. Here they
// are drawn from the best on until one is not dropped, which chooses the same merge with the same probability; those
// that were dropped on the way are possible again in the next step. Where nothing is dropped until a word is done,
// which is so for most words, its ids are those that encoding it always gives.
void Encoder::sample_piece(std::string_view piece, Dropout& dropout, IdBuffer& out) const {
  const std::string_view word = alphabet_.word_of(piece);
  const size_t from = out.size();
  size_t symbols = word.size();
  if (!alphabet_.bytes) {
    symbols = 0;
    alphabet_.each_symbol(word, [&](uint32_t, size_t, bool joins) { symbols += !joins; });
  }
  if (!dropout.drops_next()) {
    encode_piece(piece, *dropout.memory.words, out);
    if (!whole_.empty() && out.size() - from == 1) {  // perhaps not by merging
      out.resize(from);
      merger_.encode(word, out);
    }
    if (dropout.keeps(static_cast<uint32_t>(symbols - (out.size() - from)))) return;
    out.resize(from);
  }
  out.reserve(symbols);
  alphabet_.split(word, out);
  out.resize(from + (symbols <= kFew
                         ? sample_few(merger_, out.data() + from, symbols, dropout)
                         : sample_many(merger_, out.data() + from, static_cast<uint32_t>(symbols), dropout)));
}

void Encoder::sample_plain(Pattern pattern, Text text, Dropout& dropout, IdBuffer& out) const {
  const uint8_t* const end = text.data + text.size;
  const auto piece_of = [](const uint8_t* from, const uint8_t* to) {
    return std::string_view(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
  };
  const uint8_t* at = text.data;
  try {
    with_grammar(pattern, [&]<class Grammar>() {
      scan::Splitter<Grammar> splitter(text.data, end, end);
      const uint8_t* borders[scan::Splitter<Grammar>::kBlock + 1];
      borders[0] = text.data;
      while (const size_t n = splitter.next(borders + 1)) {
        const auto places = dropout.memory.words->small.places();
        for (size_t i = 0; i < n; ++i) {  // what is remembered of words comes from memory meanwhile
          const std::string_view piece = piece_of(borders[i], borders[i + 1]);
          if (piece.size() <= ShortKey::kMaxBytes)
            __builtin_prefetch(&places.of(ShortKey::of(piece, static_cast<size_t>(end - borders[i])).hash()));
        }
        for (size_t i = 0; i < n; ++i) {
          at = borders[i];
          sample_piece(piece_of(at, borders[i + 1]), dropout, out);
        }
        borders[0] = borders[n];
      }
    });
  } catch (const UnknownCharacter& cause) {
    const std::string_view rest = piece_of(at, end);
    const size_t skipped = alphabet_.marks_end ? static_cast<size_t>(alphabet_.word_of(rest).data() - rest.data()) : 0;
    throw UnknownInText(cause, 0, static_cast<size_t>(at - text.data) + skipped + cause.position);
  }
}

Encoder::Batch Encoder::sample_batch(Pattern pattern, const std::vector<Text>& texts,
                                     const std::vector<SpecialPolicy>& policy, double probability, uint64_t seed,
                                     int num_threads) const {
  Batch batch;
  batch.offsets.resize(texts.size() + 1);
  JoinedParts joined(texts.size(), 0);
  std::atomic<size_t> next{0};
  run_threads(std::min(num_threads, static_cast<int>(std::min<size_t>(texts.size(), 1 << 10))), [&](int) {
    Borrowed cache(*this);
    Dropout::Memory memory;
    memory.words = &*cache;
    for (size_t i; (i = next.fetch_add(1)) < texts.size();) {
      IdBuffer ids = joined.take();
      Dropout dropout(probability, seed, i);
      dropout.memory = std::move(memory);
      at_text(i, [&] {
        each_part(
            texts[i], policy, [&](Text part, size_t, size_t) { sample_plain(pattern, part, dropout, ids); },
            [&](size_t token, size_t) { ids.push_back(specials_[token].id); });
      });
      memory = std::move(dropout.memory);
      batch.offsets[i + 1] = static_cast<int64_t>(ids.size());
      joined.give(i, std::move(ids));
    }
  });
  for (size_t i = 0; i < texts.size(); ++i) batch.offsets[i + 1] += batch.offsets[i];
  batch.ids = joined.release();
  return batch;
}

}  // namespace bpe
