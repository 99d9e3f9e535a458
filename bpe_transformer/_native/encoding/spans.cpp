#include "encoding/spans.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/parallel.hpp"

namespace bpe {

namespace {

// Appends the spans of ids whose base symbols follow each other without a gap: `widths` bytes, or characters, of which
// one that is not in the alphabet may have become its bytes. False, and nothing, if they do not add up to the text.
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

}  // namespace

void Encoder::piece_spans(std::string_view piece, int64_t start, const uint32_t* widths, PieceCache& cache,
                          IdBuffer& out, std::vector<int64_t>& spans) const {
  const std::string_view word = alphabet_.word_of(piece);
  if (word.empty()) return;
  const size_t from = out.size();
  encode_piece(piece, cache, out);
  start += word.data() - piece.data();
  if (out.size() - from == 1) {  // also a whole pre-token that no merges lead to
    spans.insert(spans.end(), {start, start + static_cast<int64_t>(word.size())});
    return;
  }
  thread_local std::vector<size_t> ends;  // of each base symbol
  ends.clear();
  alphabet_.each_symbol(word, [&](uint32_t, size_t end, bool joins) {
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

void Encoder::plain_spans(Pattern pattern, Text text, const uint32_t* widths, PieceCache& cache, IdBuffer& out,
                          std::vector<int64_t>& spans) const {
  if (!alphabet_.marks_end && !alphabet_.fuse_unknown) {  // nothing is left out, and one symbol never stands for many
    const size_t from = out.size();
    encode_plain(pattern, text, cache, out);
    if (add_spans(alphabet_, text, widths, out.data() + from, out.size() - from, spans)) return;
    out.resize(from);
  }
  const uint8_t* const end = text.data + text.size;
  each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
    const std::string_view piece(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
    try {
      piece_spans(piece, from - text.data, widths, cache, out, spans);
    } catch (const UnknownCharacter& cause) {
      const auto skipped = static_cast<size_t>(alphabet_.word_of(piece).data() - piece.data());
      throw UnknownInText(cause, 0, static_cast<size_t>(from - text.data) + skipped + cause.position);
    }
  });
}

void Encoder::encode_spans(Pattern pattern, Text text, const std::vector<SpecialPolicy>& policy, const uint32_t* widths,
                           PieceCache& cache, IdBuffer& out, std::vector<int64_t>& spans) const {
  const auto plain = [&](Text part, size_t start, size_t shift) {
    size_t i = spans.size();
    plain_spans(pattern, part, widths, cache, out, spans);
    const auto shifted = static_cast<int64_t>(shift);
    if (start || shift)
      for (; i < spans.size(); ++i) spans[i] = static_cast<int64_t>(start) + std::max(spans[i] - shifted, int64_t{0});
  };
  each_part(text, policy, plain, [&](size_t token, size_t at) {
    out.push_back(specials_[token].id);
    const auto start = static_cast<int64_t>(at);
    spans.insert(spans.end(), {start, start + static_cast<int64_t>(specials_[token].bytes.size())});
  });
}

// --- characters ------------------------------------------------------------------------------------------------------

CharactersBefore::CharactersBefore(Text text)
    : text_(text), valid_(unicode::valid_prefix(text.data, text.size) == text.size) {
  plain_ = valid_ && std::none_of(text.data, text.data + text.size, [](uint8_t byte) { return byte >= 0x80; });
}

int64_t to_characters(Text text, int64_t* spans, size_t count) {
  CharactersBefore starts(text), ends = starts;
  size_t last = 0;         // where the span before ends,
  int64_t until_last = 0;  // and how many characters begin before that
  for (size_t i = 0; i < count; ++i, spans += 2) {
    const auto start = static_cast<size_t>(spans[0]), end = static_cast<size_t>(spans[1]);
    if (start == last && starts.valid())
      spans[0] = until_last - (start < text.size && unicode::continues(text.data[start]));
    else spans[0] = start < text.size ? starts(start + 1) - 1 : starts(text.size);
    if (end == start) {
      spans[1] = spans[0];
      continue;
    }
    spans[1] = until_last = ends(end);
    last = end;
  }
  return ends(text.size);
}

// --- batches ---------------------------------------------------------------------------------------------------------

namespace {

// Appends text number i.
void add_text(const Encoder& encoder, Pattern pattern, Text text, size_t i, const std::vector<SpecialPolicy>& policy,
              const uint32_t* widths, bool characters, PieceCache& cache, SpanBatch& batch) {
  const size_t from = batch.ids.size();
  at_text(i, [&] { encoder.encode_spans(pattern, text, policy, widths, cache, batch.ids, batch.spans); });
  batch.offsets.push_back(static_cast<int64_t>(batch.ids.size()));
  batch.lengths.push_back(characters ? to_characters(text, batch.spans.data() + 2 * from, batch.ids.size() - from)
                                     : static_cast<int64_t>(text.size));
}

void append(SpanBatch& all, const SpanBatch& part) {
  const size_t before = all.ids.size();
  all.ids.reserve(part.ids.size());
  if (part.ids.size()) __builtin_memcpy(all.ids.data() + before, part.ids.data(), part.ids.size() * sizeof(uint32_t));
  all.ids.resize(before + part.ids.size());
  for (size_t i = 1; i < part.offsets.size(); ++i)
    all.offsets.push_back(static_cast<int64_t>(before) + part.offsets[i]);
  all.spans.insert(all.spans.end(), part.spans.begin(), part.spans.end());
  all.lengths.insert(all.lengths.end(), part.lengths.begin(), part.lengths.end());
}

}  // namespace

SpanBatch encode_spans_batch(const Encoder& encoder, Pattern pattern, const std::vector<Text>& texts,
                             const std::vector<SpecialPolicy>& policy, const uint32_t* widths, bool characters,
                             int num_threads) {
  constexpr size_t kPartBytes = size_t{1} << 20;
  std::vector<size_t> starts;      // the first text of each part
  size_t bytes = 0, expected = 0;  // of a text of 4 bytes an id; memory that is not used costs nothing
  for (size_t i = 0; i < texts.size(); ++i) {
    expected += texts[i].size / 4 + 1;
    if (i == 0 || (num_threads > 1 && bytes >= kPartBytes)) starts.push_back(i), bytes = 0;
    bytes += texts[i].size + 1;
  }
  starts.push_back(texts.size());
  std::vector<SpanBatch> parts(starts.size() - 1);
  SpanBatch all;
  SpanBatch& one = parts.size() == 1 ? parts[0] : all;
  one.ids.reserve(expected), one.spans.reserve(2 * expected);
  std::atomic<size_t> next{0};
  run_threads(static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(num_threads, 1)), parts.size())),
              [&](int) {
                Encoder::Borrowed cache(encoder);
                for (size_t part; (part = next.fetch_add(1)) < parts.size();)
                  for (size_t i = starts[part]; i < starts[part + 1]; ++i)
                    add_text(encoder, pattern, texts[i], i, policy, widths, characters, *cache, parts[part]);
              });
  if (parts.size() == 1) return std::move(parts[0]);
  for (SpanBatch& part : parts) {
    append(all, part);
    part = {};
  }
  return all;
}

}  // namespace bpe
