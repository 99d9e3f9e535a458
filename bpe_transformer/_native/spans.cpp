// Which bytes of a text each id stands for.
#include "encoder.hpp"

namespace bpe {

void Encoder::piece_spans(std::string_view piece, int64_t start, const uint32_t* widths, PieceCache& cache, IdBuffer& out,
                          std::vector<int64_t>& spans) const {
  const std::string_view word = alphabet_.word_of(piece);
  if (word.empty()) return;
  const size_t from = out.size();
  encode_piece(piece, cache, out);
  start += word.data() - piece.data();
  if (out.size() - from == 1) {  // also a whole pre-token that no merges lead to
    spans.insert(spans.end(), {start, start + static_cast<int64_t>(word.size())});
    return;
  }
  std::vector<size_t> ends;  // of each base symbol
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
    for (; i < spans.size(); ++i) spans[i] = static_cast<int64_t>(start) + std::max(spans[i] - shifted, int64_t{0});
  };
  each_part(text, policy, plain, [&](size_t token, size_t at) {
    out.push_back(specials_[token].id);
    const auto start = static_cast<int64_t>(at);
    spans.insert(spans.end(), {start, start + static_cast<int64_t>(specials_[token].bytes.size())});
  });
}

}  // namespace bpe
