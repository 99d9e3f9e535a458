// The pieces of a SentencePiece model, which are nearly all of its file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

struct Pieces {
  std::string rest;                     // the file without the pieces
  std::vector<std::string_view> texts;  // in the file
  std::vector<float> scores;
  std::vector<uint8_t> kinds;
};

// The pieces of a file (messages of the wire format of protobuf), if all are in their usual form: a text of UTF-8, then
// maybe a finite score and a kind from 1 to 6. Nothing otherwise: the caller reads the file more slowly, and says what
// is wrong with it. The rest is not checked.
std::optional<Pieces> read_pieces(std::string_view file);

}  // namespace bpe
