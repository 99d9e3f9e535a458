#include "encoding/decoder.hpp"

namespace bpe {

Decoder::Decoder(const std::vector<std::string_view>& decoded_bytes, const std::vector<uint8_t>& flags, Prefix prefix,
                 bool squeezes)
    : prefix_(prefix), squeezes_(squeezes), marked_(prefix != Prefix::kNever) {
  size_t total = 0;
  for (const std::string_view bytes : decoded_bytes) total += bytes.size();
  blob_.reserve(total + kStep + 1);
  spans_.reserve(decoded_bytes.size());
  for (size_t id = 0; id < decoded_bytes.size(); ++id) {
    const std::string_view bytes = decoded_bytes[id];
    if (bytes.size() > UINT32_MAX) throw std::length_error("a token of more than 4 GiB");
    spans_.push_back({blob_.size(), static_cast<uint32_t>(bytes.size()), flags.at(id)});
    blob_.insert(blob_.end(), bytes.begin(), bytes.end());
    marked_ |= (flags[id] & kEndsWord) != 0;
  }
  blob_.resize(blob_.size() + kStep + 1);
}

}  // namespace bpe
