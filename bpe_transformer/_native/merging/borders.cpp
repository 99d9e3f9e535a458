#include "merging/borders.hpp"

namespace bpe {

Borders::Borders(const std::vector<Merge>& merges, size_t num_ids) : halves_(num_ids) {
  for (uint32_t rank = 0; rank < merges.size(); ++rank)
    halves_[merges[rank].merged_id] = {merges[rank].left, merges[rank].right, rank + 1};
}

}  // namespace bpe
