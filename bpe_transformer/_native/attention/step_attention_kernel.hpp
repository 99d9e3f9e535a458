// attend_rows in vectors of sixteen floats, which the compiler turns into the instructions of the file that includes
// this.
#pragma once

#include <cstdint>
#include <cstring>

#include "attention/step_attention.hpp"

namespace {  // internal linkage: each file that includes this is compiled for another processor

constexpr size_t kLanes = bpe::attention::kSpare;
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(kLanes * sizeof(int32_t))));

inline Floats load(const float* p) {
  Floats out;
  std::memcpy(&out, p, sizeof out);
  return out;
}

inline void store(float* p, Floats values) { std::memcpy(p, &values, sizeof values); }

// The floats of row r, head h and place p.
template <class Float>
inline Float* at(const bpe::attention::Heads<Float>& heads, size_t r, size_t h, size_t p) {
  return heads.data + static_cast<ptrdiff_t>(r) * heads.row + static_cast<ptrdiff_t>(h) * heads.head +
         static_cast<ptrdiff_t>(p) * heads.place;
}

// The lanes of a vector in another order.
#if defined(__clang__)
#define BPE_SHUFFLED(values, ...) __builtin_shufflevector(values, values, __VA_ARGS__)
#else
#define BPE_SHUFFLED(values, ...) __builtin_shuffle(values, Ints{__VA_ARGS__})
#endif

inline float sum_of(Floats values) {
  values += BPE_SHUFFLED(values, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  values += BPE_SHUFFLED(values, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  values += BPE_SHUFFLED(values, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  values += BPE_SHUFFLED(values, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  return values[0];
}

inline float dot(const float* a, const float* b, size_t width) {
  Floats sums{};
  size_t i = 0;
  for (; i + kLanes <= width; i += kLanes) sums += load(a + i) * load(b + i);
  float total = sum_of(sums);
  for (; i < width; ++i) total += a[i] * b[i];
  return total;
}

// e^x for x <= 0 with an error of some 1e-7: 2^n · e^r, r in ±ln(2) / 2 by its Taylor series; 0 below -87.
inline Floats exp_of(Floats x) {
  const Floats low = Floats{} - 87.0f;
  x = x > low ? x : low;
  const Ints n = __builtin_convertvector(x * 1.44269504f - 0.5f, Ints);  // rounds to the nearest: x is not above 0
  const Floats whole = __builtin_convertvector(n, Floats);
  const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  constexpr float kFactors[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  Floats series = Floats{} + 1.0f / 5040;
  for (const float factor : kFactors) series = series * r + factor;
  const Ints bits = (n + 127) << 23;
  Floats power;
  std::memcpy(&power, &bits, sizeof power);
  return series * power;
}

// Turns scores, of which there is room for whole vectors, into weights whose sum is 1.
inline void softmax(float* scores, size_t size) {
  const size_t room = (size + kLanes - 1) / kLanes * kLanes;
  for (size_t i = size; i < room; ++i) scores[i] = -__builtin_inff();  // weighs e^-87, as exp_of has it
  Floats highest = load(scores);
  for (size_t i = kLanes; i < room; i += kLanes) {
    const Floats next = load(scores + i);
    highest = next > highest ? next : highest;
  }
  float most = highest[0];
  for (size_t i = 1; i < kLanes; ++i) most = highest[i] > most ? highest[i] : most;
  Floats totals{};
  for (size_t i = 0; i < room; i += kLanes) {
    const Floats weights = exp_of(load(scores + i) - most);
    store(scores + i, weights);
    totals += weights;
  }
  const float scale = 1.0f / sum_of(totals);
  for (size_t i = 0; i < room; i += kLanes) store(scores + i, load(scores + i) * scale);
}

inline void attend_one(const bpe::attention::Step& step, const float* query, size_t row, size_t head, float* out,
                       const uint32_t* slots, size_t num_slots, float* weights) {
  const size_t width = step.width;
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(width));
  const float* const keys = at(step.keys, row, head, 0);
  for (size_t i = 0; i < num_slots; ++i)
    weights[i] = scale * dot(query, keys + static_cast<ptrdiff_t>(slots[i]) * step.keys.place, width);
  softmax(weights, num_slots);
  const float* const values = at(step.values, row, head, 0);
  size_t place = 0;
  for (; place + kLanes <= width; place += kLanes) {
    Floats sums{};
    for (size_t i = 0; i < num_slots; ++i)
      sums += weights[i] * load(values + static_cast<ptrdiff_t>(slots[i]) * step.values.place + place);
    store(out + place, sums);
  }
  for (; place < width; ++place) {
    float total = 0;
    for (size_t i = 0; i < num_slots; ++i)
      total +=
          weights[i] * values[static_cast<ptrdiff_t>(slots[i]) * step.values.place + static_cast<ptrdiff_t>(place)];
    out[place] = total;
  }
}

inline void attend_rows(const bpe::attention::Step& step, size_t first, size_t last, bpe::attention::Scratch scratch) {
  uint32_t* const slots = scratch.slots;
  const size_t queries_of_key = step.num_heads / step.num_kv_heads;
  for (size_t row = first; row < last; ++row) {
    for (size_t query = 0; query < step.num_queries; ++query) {
      size_t num_slots = 0;
      const uint8_t* const visible = step.visible ? step.visible + static_cast<ptrdiff_t>(row) * step.visible_row +
                                                        static_cast<ptrdiff_t>(query) * step.visible_query
                                                  : nullptr;
      for (size_t slot = 0; slot < step.num_slots; ++slot) {
        slots[num_slots] = static_cast<uint32_t>(slot);
        num_slots += !visible || visible[slot] != 0;
      }
      for (size_t head = 0; head < step.num_heads; ++head) {
        float* const out = at(step.out, row, head, query);
        if (num_slots == 0) {
          for (size_t i = 0; i < step.width; ++i) out[i] = 0;
          continue;
        }
        attend_one(step, at(step.queries, row, head, query), row, head / queries_of_key, out, slots, num_slots,
                   scratch.weights);
      }
    }
  }
}

}  // namespace
