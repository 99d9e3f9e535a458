// Attention of a decoding step over arrays of NumPy, which may be views of a framework's tensors.
#include "attention/step_attention.hpp"

#include <optional>

#include <nanobind/stl/optional.h>

#include "python/conversions.hpp"

namespace {

template <class Float>
using Floats = nb::ndarray<Float, nb::ndim<4>, nb::device::cpu>;  // (rows, heads, places, width)
using Visible = nb::ndarray<const bool, nb::ndim<3>, nb::device::cpu>;

template <class Float>
bpe::attention::Heads<Float> heads_of(const Floats<Float>& array) {
  if (array.size() > 0 && array.shape(3) > 1 && array.stride(3) != 1)
    throw nb::value_error("the features of a head do not lie together");
  return {array.data(), array.stride(0), array.stride(1), array.stride(2)};
}

// The step from one row or query to the next; 0 where one serves all.
ptrdiff_t step_of(const Visible& visible, size_t axis, size_t size) {
  if (visible.shape(axis) == size) return visible.stride(axis);
  if (visible.shape(axis) != 1) throw nb::value_error("visible is for another number of rows or queries");
  return 0;
}

void attend_step(const Floats<const float>& queries, const Floats<const float>& keys, const Floats<const float>& values,
                 const Floats<float>& out, const std::optional<Visible>& visible, int num_threads) {
  const size_t rows = queries.shape(0), heads = queries.shape(1), places = queries.shape(2), width = queries.shape(3);
  const size_t slots = keys.shape(2), kv_heads = keys.shape(1);
  for (size_t axis = 0; axis < 4; ++axis) {
    if (keys.shape(axis) != values.shape(axis) || queries.shape(axis) != out.shape(axis))
      throw nb::value_error("keys and values, or queries and out, have different shapes");
  }
  if (keys.shape(0) != rows || keys.shape(3) != width || kv_heads == 0 || heads % kv_heads != 0 || width == 0)
    throw nb::value_error("queries and keys do not fit each other");
  if (queries.size() == 0) return;
  bpe::attention::Step step{heads_of(queries),
                            heads_of(keys),
                            heads_of(values),
                            heads_of(out),
                            nullptr,
                            0,
                            0,
                            rows,
                            places,
                            heads,
                            kv_heads,
                            slots,
                            width};
  if (visible) {
    if (visible->shape(2) != slots || (slots > 1 && visible->stride(2) != 1))
      throw nb::value_error("visible is for another number of slots");
    step.visible = reinterpret_cast<const uint8_t*>(visible->data());
    step.visible_row = step_of(*visible, 0, rows);
    step.visible_query = step_of(*visible, 1, places);
  }
  const nb::gil_scoped_release release;
  bpe::attention::attend(step, num_threads);
}

}  // namespace

void bind_step_attention(nb::module_& m) {
  m.def("attend_step", &attend_step, "queries"_a, "keys"_a, "values"_a, "out"_a, "visible"_a.none(), "num_threads"_a);
}
