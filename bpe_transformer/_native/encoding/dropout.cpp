#include "encoding/dropout.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "base/parallel.hpp"
#include "encoding/ordered_output.hpp"

namespace bpe {

namespace {

constexpr size_t kFewSymbols = 32;

// Merges up to kFewSymbols symbols in place; returns how many are left. Searches all ranks for the best merge each
// time, without branches that a processor could not predict.
size_t sample_few(const Merger& merger, uint32_t* id, size_t n, Dropout& dropout) {
  uint32_t ranks[kFewSymbols],
      held_back[kFewSymbols];  // of id[i] with id[i + 1]; those of dropped merges, which the next merge brings back
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = merger.rank(id[i], id[i + 1]);
  uint32_t dropped = 0;  // one bit for each place
  for (;;) {
    uint64_t first = uint64_t{kNoId} << 32;
    for (size_t i = 0; i + 1 < n; ++i) first = std::min(first, uint64_t{ranks[i]} << 32 | i);
    const auto best = static_cast<uint32_t>(first >> 32);
    if (best == kNoId) return n;
    const auto at = static_cast<size_t>(first & (kFewSymbols - 1));
    if (dropout.next()) {
      dropped |= uint32_t{1} << at;
      held_back[at] = std::exchange(ranks[at], kNoId);
      continue;
    }
    for (; dropped; dropped &= dropped - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(dropped));
      ranks[i] = held_back[i];
    }
    id[at] = merger.merged_id(best);
    --n;
    for (size_t i = at + 1; i < n; ++i) id[i] = id[i + 1];
    for (size_t i = at + 1; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (at + 1 < n) ranks[at] = merger.rank(id[at], id[at + 1]);
    if (at > 0) ranks[at - 1] = merger.rank(id[at - 1], id[at]);
  }
}

// The same for any number of symbols, with a heap.
size_t sample_many(const Merger& merger, uint32_t* id, uint32_t n, Dropout& dropout) {
  auto& [words, queue, dropped, next, previous] = dropout.workspace;
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
  Checkpoint* const checkpoint = Checkpoint::current();
  while (!queue.empty()) {
    if (checkpoint) checkpoint->pass();
    std::pop_heap(queue.begin(), queue.end());
    const Dropout::Candidate best = queue.back();
    queue.pop_back();
    const uint32_t other = next[best.place];
    if (id[best.place] != best.left || other == n || id[other] != best.right) continue;
    if (dropout.next()) {
      dropped.push_back(best);
      continue;
    }
    id[best.place] = merger.merged_id(best.rank);
    id[other] = kNoId;
    next[best.place] = next[other];
    if (next[other] != n) previous[next[other]] = best.place;
    for (const Dropout::Candidate& other_merge : dropped)
      queue.push_back(other_merge), std::push_heap(queue.begin(), queue.end());
    dropped.clear();
    if (previous[best.place] != n) put(previous[best.place], best.place);
    if (next[best.place] != n) put(best.place, next[best.place]);
  }
  return static_cast<size_t>(std::remove(id, id + n, kNoId) - id);
}

}  // namespace

// Algorithm 1 of the paper drops each possible merge anew before every step and makes the best that is left. Here
// merges are drawn from the best on until one is kept, which chooses the same merge with the same probability; those
// that were dropped on the way are possible again in the next step. If no merge of a word is dropped, as in most words,
// its ids are those of ordinary encoding, which the cache has.
static void sample_pretoken(const Encoder& encoder, std::string_view pretoken, Dropout& dropout, IdBuffer& out) {
  const Alphabet& alphabet = encoder.alphabet();
  const std::string_view word = alphabet.word_of(pretoken);
  const size_t from = out.size();
  size_t symbols = word.size();
  if (!alphabet.bytes) {
    symbols = 0;
    alphabet.each_symbol(word, [&](uint32_t, size_t, bool joins) { symbols += !joins; });
  }
  // Where ids are undone, how many there are does not say how many merges there were.
  if (!encoder.merger().undoes() && !dropout.peek()) {
    encoder.encode_pretoken(pretoken, *dropout.workspace.words, out);
    if (encoder.has_whole_words() && out.size() - from == 1) {  // may not come from merging
      out.resize(from);
      encoder.merger().encode(word, out);
    }
    if (dropout.keep_next(static_cast<uint32_t>(symbols - (out.size() - from)))) return;
    out.resize(from);
  }
  out.reserve(symbols);
  alphabet.split(word, out);
  uint32_t* const ids = out.data() + from;
  const size_t left = symbols <= kFewSymbols
                          ? sample_few(encoder.merger(), ids, symbols, dropout)
                          : sample_many(encoder.merger(), ids, static_cast<uint32_t>(symbols), dropout);
  out.resize(from + left);
  encoder.merger().undone().apply(out, from);
}

static void sample_plain(const Encoder& encoder, const Pattern& pattern, Text text, Dropout& dropout, IdBuffer& out) {
  const uint8_t* const end = text.data + text.size;
  const auto pretoken_of = [](const uint8_t* from, const uint8_t* to) {
    return std::string_view(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
  };
  const uint8_t* at = text.data;
  try {
    if (!pattern.keeps_all)
      return each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
        at = from;
        sample_pretoken(encoder, pretoken_of(from, to), dropout, out);
      });
    with_grammar(pattern, [&]<class Grammar>() {
      scan::Splitter<Grammar> splitter(pattern, text.data, end, end);
      const uint8_t* borders[scan::Splitter<Grammar>::kBlock + 1];
      borders[0] = text.data;
      while (const size_t n = splitter.next(borders + 1)) {
        pass_checkpoint();
        const auto places = dropout.workspace.words->small.places();
        for (size_t i = 0; i < n; ++i) {
          const std::string_view pretoken = pretoken_of(borders[i], borders[i + 1]);
          if (pretoken.size() <= ShortKey::kMaxBytes)
            __builtin_prefetch(&places.of(ShortKey::of(pretoken, static_cast<size_t>(end - borders[i])).hash()));
        }
        for (size_t i = 0; i < n; ++i) {
          at = borders[i];
          sample_pretoken(encoder, pretoken_of(at, borders[i + 1]), dropout, out);
        }
        borders[0] = borders[n];
      }
    });
  } catch (const UnknownCharacter& cause) {
    throw encoder.in_text(cause, text, at);
  }
}

EncodedBatch sample_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                          const std::vector<SpecialPolicy>& policies, double probability, uint64_t seed,
                          int num_threads) {
  constexpr size_t kMaxThreads = 1 << 10;
  EncodedBatch batch;
  batch.row_starts.resize(texts.size() + 1);
  OrderedOutput output(texts.size(), 0);
  std::atomic<size_t> next{0};
  run_threads(std::min(num_threads, static_cast<int>(std::min(texts.size(), kMaxThreads))), [&](int) {
    Encoder::BorrowedCache cache(encoder);
    Dropout::Workspace workspace;
    workspace.words = &*cache;
    for (size_t i; (i = next.fetch_add(1)) < texts.size();) {
      pass_checkpoint();
      IdBuffer ids = output.take_buffer();
      Dropout dropout(probability, seed, i);
      dropout.workspace = std::move(workspace);
      for_text(i, [&] {
        encoder.stages().for_each_segment(
            texts[i], policies, false,
            [&](Text segment, const TextStages::Source&) { sample_plain(encoder, pattern, segment, dropout, ids); },
            [&](uint32_t id, size_t, size_t) { ids.push_back(id); });
      });
      workspace = std::move(dropout.workspace);
      batch.row_starts[i + 1] = static_cast<int64_t>(ids.size());
      output.give(i, std::move(ids));
    }
  });
  for (size_t i = 0; i < texts.size(); ++i) batch.row_starts[i + 1] += batch.row_starts[i];
  batch.ids = output.release();
  return batch;
}

}  // namespace bpe
