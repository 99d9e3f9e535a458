// Merges that are undone at the end of a word, as subword-nmt does for tokens that are not in its vocabulary.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/memory.hpp"

namespace bpe {

// What the ids from `first` on become in the end. They may not become more ids than they have symbols.
class Undone {
 public:
  Undone() = default;
  Undone(uint32_t first, std::vector<std::vector<uint32_t>> becomes) : first_(first), becomes_(std::move(becomes)) {}

  bool empty() const { return becomes_.empty(); }
  // Replaces ids in `out` from `from` on.
  void apply(IdBuffer& out, size_t from) const {
    if (empty()) return;
    const auto is_undone = [&](uint32_t id) { return id >= first_ && id - first_ < becomes_.size(); };
    uint32_t* const begin = out.data() + from;
    uint32_t* const end = out.data() + out.size();
    uint32_t* const found = std::find_if(begin, end, is_undone);
    if (found == end) return;
    const std::vector<uint32_t> rest(found, end);
    out.resize(static_cast<size_t>(found - out.data()));
    for (const uint32_t id : rest) {
      if (!is_undone(id)) {
        out.push_back(id);
      } else {
        const std::vector<uint32_t>& ids = becomes_[id - first_];
        out.append(ids.data(), ids.size());
      }
    }
  }

 private:
  uint32_t first_ = 0;
  std::vector<std::vector<uint32_t>> becomes_;
};

}  // namespace bpe
