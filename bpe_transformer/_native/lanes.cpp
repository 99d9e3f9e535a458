#include "lanes.hpp"

#include <algorithm>

namespace bpe {

Lanes::Lanes() : left{} {
  std::fill_n(&id[0][0][0], kGroups * kRows * kWidth, kBorder);
  std::fill_n(&key[0][0][0], kGroups * kRows * kWidth, kNoId);
}

void Lanes::load(size_t lane, const uint32_t* ids, const uint32_t* keys, size_t size) {
  uint32_t* const to = &id[lane / kWidth][2][lane % kWidth];
  uint32_t* const to_key = &key[lane / kWidth][2][lane % kWidth];
  for (size_t i = 0; i < size; ++i) to[i * kWidth] = ids[i];
  for (size_t i = 0; i + 1 < size; ++i) to_key[i * kWidth] = keys[i] | static_cast<uint32_t>(i + 1);
  to[size * kWidth] = kBorder;
  left[lane] = ~uint64_t{0} >> (62 - size);
}

}  // namespace bpe
