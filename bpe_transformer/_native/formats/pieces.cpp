#include "formats/pieces.hpp"

#include <cmath>
#include <cstring>

#include "text/unicode.hpp"

namespace bpe {

namespace {

enum Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
constexpr uint8_t kNormal = 1, kMostKind = 6;

// Takes the next field off the front of `data`; false for one that is damaged or of an unknown type.
struct Field {
  uint64_t number = 0, value = 0;  // the value of kVarint, else the size
  uint8_t wire = 0;
  std::string_view bytes;

  static bool varint(std::string_view& data, uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      if (data.empty()) return false;
      const auto byte = static_cast<uint8_t>(data[0]);
      data.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool take(std::string_view& data) {
    uint64_t tag = 0;
    if (!varint(data, tag) || tag >> 3 == 0) return false;
    number = tag >> 3;
    wire = tag & 7;
    if (wire == kVarint) return varint(data, value);
    if (wire == kFixed32 || wire == kFixed64) value = wire == kFixed32 ? 4 : 8;
    else if (wire != kBytes || !varint(data, value)) return false;
    if (value > data.size()) return false;
    bytes = data.substr(0, value);
    data.remove_prefix(value);
    return true;
  }
};

bool add_piece(std::string_view message, Pieces& pieces) {
  std::string_view text;
  float score = 0;
  uint64_t kind = kNormal, last = 0;
  Field field;
  while (!message.empty()) {
    if (!field.take(message) || field.number <= last) return false;
    last = field.number;
    if (field.number == 1 && field.wire == kBytes) text = field.bytes;
    else if (field.number == 2 && field.wire == kFixed32) std::memcpy(&score, field.bytes.data(), sizeof score);
    else if (field.number == 3 && field.wire == kVarint) kind = field.value;
    else return false;
  }
  const auto* const data = reinterpret_cast<const uint8_t*>(text.data());
  if (text.empty() || unicode::valid_prefix(data, text.size()) != text.size()) return false;
  if (!std::isfinite(score) || kind < kNormal || kind > kMostKind) return false;
  pieces.texts.push_back(text);
  pieces.scores.push_back(score);
  pieces.kinds.push_back(static_cast<uint8_t>(kind));
  return true;
}

}  // namespace

std::optional<Pieces> read_pieces(std::string_view file) {
  Pieces pieces;
  Field field;
  while (!file.empty()) {
    const char* const begin = file.data();
    if (!field.take(file)) return std::nullopt;
    if (field.number != 1) pieces.rest.append(begin, file.data());
    else if (field.wire != kBytes || !add_piece(field.bytes, pieces)) return std::nullopt;
  }
  return pieces;
}

}  // namespace bpe
