// Attention of a decoding step: one query, or the few of a sentence's beams, over the keys of the past.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpe::attention {

// An array of rows, heads and places (queries or slots) with `width` floats each, which lie together. The steps from
// one row, head and place to the next are in floats.
template <class Float>
struct Heads {
  Float* data;
  ptrdiff_t row, head, place;
};

// softmax(q · k / sqrt(width)) v for every query of every row and head (Vaswani et al. 2017, equation 1).
struct Step {
  Heads<const float> queries, keys, values;
  Heads<float> out;
  const uint8_t* visible;  // null: every query sees every slot; else one byte a slot, not 0 where it is seen
  ptrdiff_t visible_row, visible_query;
  size_t num_rows, num_queries, num_heads, num_kv_heads, num_slots, width;
};

// Memory of a thread for the slots that a query sees and for their weights, with room for kSpare more than num_slots.
struct Scratch {
  uint32_t* slots;
  float* weights;
};
inline constexpr size_t kSpare = 16;

// Does rows `first` to `last` - 1.
using AttendRows = void (*)(const Step& step, size_t first, size_t last, Scratch scratch);
void attend_rows_plain(const Step& step, size_t first, size_t last, Scratch scratch);
void attend_rows_neon(const Step& step, size_t first, size_t last, Scratch scratch);
void attend_rows_avx2(const Step& step, size_t first, size_t last, Scratch scratch);
void attend_rows_avx512(const Step& step, size_t first, size_t last, Scratch scratch);

// All rows, on more threads than one where there is work for them.
void attend(const Step& step, int num_threads);

}  // namespace bpe::attention
