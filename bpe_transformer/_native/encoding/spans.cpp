#include "encoding/spans.hpp"

#include <algorithm>
#include <utility>

#include "base/interruption.hpp"
#include "encoding/batch.hpp"
#include "text/characters.hpp"

namespace bpe {

namespace {

// Appends the spans of ids whose base symbols follow each other without a gap: `widths` bytes, or characters; a
// character outside the alphabet may have become its bytes. Returns false, and appends nothing, if they do not add up
// to the text.
bool add_spans(const Alphabet& alphabet, Text text, const uint32_t* widths, const uint32_t* ids, size_t count,
               std::vector<int64_t>& spans) {
  const size_t before = spans.size();
  spans.resize(before + 2 * count);
  int64_t* to = spans.data() + before;
  size_t at = 0;
  if (alphabet.bytes || alphabet.some_bytes) {
    for (size_t i = 0; i < count; ++i) {
      *to++ = static_cast<int64_t>(at);
      *to++ = static_cast<int64_t>(at += widths[ids[i]]);
    }
  } else {
    for (size_t i = 0; i < count; ++i) {
      *to++ = static_cast<int64_t>(at);
      const bool is_byte = !alphabet.fallback.empty() && at < text.size && alphabet.fallback[text.data[at]] == ids[i];
      if (is_byte) ++at;
      for (uint32_t n = is_byte ? 0 : widths[ids[i]]; n && at < text.size; --n)
        at += text.data[at] < 0x80 ? 1 : unicode::decode(text.data + at, text.data + text.size).length;
      *to++ = static_cast<int64_t>(at);
    }
  }
  if (at != text.size) spans.resize(before);
  return at == text.size;
}

// Appends the ids and spans of one pre-token, which begins at byte `start`.
void pretoken_spans(const Encoder& encoder, std::string_view pretoken, int64_t start, const uint32_t* widths,
                    WordCache& cache, IdBuffer& out, std::vector<int64_t>& spans) {
  const std::string_view word = encoder.alphabet().word_of(pretoken);
  if (word.empty()) return;
  const size_t from = out.size();
  encoder.encode_pretoken(pretoken, cache, out);
  start += word.data() - pretoken.data();
  if (out.size() - from == 1) {  // may be a whole word, which merges do not lead to
    spans.insert(spans.end(), {start, start + static_cast<int64_t>(word.size())});
    return;
  }
  thread_local std::vector<size_t> ends;  // of each base symbol
  ends.clear();
  encoder.alphabet().each_symbol(word, [&](uint32_t, size_t end, bool joins) {
    if (joins) ends.back() = end;
    else ends.push_back(end);
  });
  int64_t at = start;
  size_t symbol = 0;
  for (size_t i = from; i < out.size(); ++i) {
    spans.push_back(at);
    symbol = std::min(symbol + widths[out.data()[i]], ends.size());
    if (symbol) at = start + static_cast<int64_t>(ends[symbol - 1]);
    spans.push_back(at);
  }
}

// The same for text in which no special token is looked for, and which gets no prefix space.
void plain_spans(const Encoder& encoder, const Pattern& pattern, Text text, const uint32_t* widths, WordCache& cache,
                 IdBuffer& out, std::vector<int64_t>& spans) {
  const Alphabet& alphabet = encoder.alphabet();
  const bool add_up = !alphabet.marks_end && !alphabet.fuse_unknown && !encoder.merger().merges_fallback();
  if (add_up && pattern.keeps_all) {  // every byte belongs to one symbol
    const size_t from = out.size();
    encoder.encode_plain(pattern, text, cache, out);
    if (add_spans(alphabet, text, widths, out.data() + from, out.size() - from, spans)) return;
    out.resize(from);
  }
  const uint8_t* const end = text.data + text.size;
  each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
    const std::string_view pretoken(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
    try {
      pretoken_spans(encoder, pretoken, from - text.data, widths, cache, out, spans);
    } catch (const UnknownCharacter& cause) {
      throw encoder.in_text(cause, text, from);
    }
  });
}

// The bytes of the character at a place of a text; 0 at its end.
int64_t character_at(Text text, size_t at) {
  return at < text.size ? unicode::decode(text.data + at, text.data + text.size).length : 0;
}

}  // namespace

int64_t encode_spans(const Encoder& encoder, const Pattern& pattern, Text text,
                     const std::vector<SpecialPolicy>& policies, const SpanForm& form, WordCache& cache, IdBuffer& out,
                     std::vector<int64_t>& spans) {
  const size_t first = spans.size();
  const bool trims = !form.trimming.empty();
  std::vector<TokenEdges> edges;  // if they are trimmed
  const auto plain = [&](Text segment, const TextStages::Source& source) {
    const size_t from = spans.size(), from_id = out.size();
    plain_spans(encoder, pattern, segment, form.widths, cache, out, spans);
    if (!source.is_text()) source.map(spans.data() + from, spans.data() + spans.size());
    if (!trims) return;
    for (size_t i = from_id; i < out.size(); ++i) edges.push_back(form.trimming.of(out.data()[i]));
    // of a space that was put there, the package takes the character after it for the place
    if ((source.before || source.prefix) && from < spans.size() && spans[from] == spans[from + 1])
      spans[from + 1] += character_at(text, static_cast<size_t>(spans[from]));
  };
  encoder.stages().for_each_segment(text, policies, true, plain, [&](uint32_t id, size_t start, size_t end) {
    out.push_back(id);
    spans.insert(spans.end(), {static_cast<int64_t>(start), static_cast<int64_t>(end)});
    if (trims) edges.push_back(TokenEdges::of({text.data + start, end - start}));
  });
  int64_t* const of_text = spans.data() + first;
  const int64_t length =
      form.characters ? to_characters(text, of_text, (spans.size() - first) / 2) : static_cast<int64_t>(text.size);
  if (trims) form.trimming.apply(text, edges, form.characters, of_text);
  return length;
}

// --- batches ---------------------------------------------------------------------------------------------------------

namespace {

void append(SpanBatch& all, const SpanBatch& shard) {
  const auto before = static_cast<int64_t>(all.ids.size());
  all.ids.append(shard.ids.data(), shard.ids.size());
  for (size_t i = 1; i < shard.row_starts.size(); ++i) all.row_starts.push_back(before + shard.row_starts[i]);
  all.spans.insert(all.spans.end(), shard.spans.begin(), shard.spans.end());
  all.lengths.insert(all.lengths.end(), shard.lengths.begin(), shard.lengths.end());
}

}  // namespace

SpanBatch encode_spans_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                             const std::vector<SpecialPolicy>& policies, const SpanForm& form, int num_threads) {
  constexpr size_t kShardBytes = size_t{1} << 20;
  const Shards shards(texts, num_threads > 1 ? kShardBytes : SIZE_MAX);
  size_t expected = 0;  // ids, of 4 bytes each; memory that is not used costs nothing
  for (const Text& text : texts) expected += text.size / 4 + 1;
  std::vector<SpanBatch> batches(shards.size());
  SpanBatch all;
  SpanBatch& first = batches.size() == 1 ? batches[0] : all;
  first.ids.reserve(expected), first.spans.reserve(2 * expected);
  shards.encode(encoder, num_threads, [&](size_t shard, WordCache& cache) {
    SpanBatch& batch = batches[shard];
    for (size_t i = shards.begin(shard); i < shards.end(shard); ++i) {
      pass_checkpoint();
      for_text(i, [&] {
        batch.lengths.push_back(
            encode_spans(encoder, pattern, texts[i], policies, form, cache, batch.ids, batch.spans));
      });
      batch.row_starts.push_back(static_cast<int64_t>(batch.ids.size()));
    }
  });
  if (batches.size() == 1) return std::move(batches[0]);
  for (SpanBatch& batch : batches) {
    append(all, batch);
    batch = {};
  }
  return all;
}

}  // namespace bpe
