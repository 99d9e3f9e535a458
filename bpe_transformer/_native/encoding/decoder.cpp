#include "encoding/decoder.hpp"

namespace bpe {

Decoder::Decoder(const std::vector<std::string_view>& surfaces, const std::vector<uint8_t>& flags, Prefix prefix)
    : prefix_(prefix), marked_(prefix != Prefix::kNever) {
  size_t total = 0;
  for (const std::string_view surface : surfaces) total += surface.size();
  blob_.reserve(total + kStep + 1);
  spans_.reserve(surfaces.size());
  for (size_t id = 0; id < surfaces.size(); ++id) {
    const std::string_view surface = surfaces[id];
    if (surface.size() > UINT32_MAX) throw std::length_error("a token of more than 4 GiB");
    spans_.push_back({blob_.size(), static_cast<uint32_t>(surface.size()), flags.at(id)});
    blob_.insert(blob_.end(), surface.begin(), surface.end());
    marked_ |= (flags[id] & kEndsWord) != 0;
  }
  blob_.resize(blob_.size() + kStep + 1);
}

}  // namespace bpe
