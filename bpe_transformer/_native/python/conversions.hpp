// What the bindings share: conversions between Python's objects and the core's, calls that may take long, and the
// functions that fill the module.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/interruption.hpp"
#include "base/memory.hpp"
#include "base/spare_buffers.hpp"
#include "splitting/compiled/split_sequence.hpp"
#include "splitting/pattern.hpp"
#include "text/text.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace bpe {

// A split by a function of Python's.
struct PythonSplit {
  CustomSplit split;
  bool keeps_all;
};

}  // namespace bpe

// A pattern, from its number, a CompiledPattern or a CustomPattern, which live as long as the call.
template <>
struct nanobind::detail::type_caster<bpe::Pattern> {
  NB_TYPE_CASTER(bpe::Pattern, const_name("int | CompiledPattern | CustomPattern"))
  bool from_python(handle object, uint8_t, cleanup_list*) noexcept {
    int number = 0;
    if (nb::try_cast(object, number, false)) {
      value = {static_cast<bpe::Pattern::Name>(number)};
      return number >= 0 && number < bpe::Pattern::kCompiled;
    }
    const bpe::PythonSplit* python = nullptr;
    if (nb::try_cast(object, python, false) && python) {
      value = {bpe::Pattern::kCustom, nullptr, python->keeps_all, &python->split};
      return true;
    }
    const bpe::compiled::SplitSequence* sequence = nullptr;
    if (!nb::try_cast(object, sequence, false) || !sequence) return false;
    value = {bpe::Pattern::kCompiled, sequence, sequence->keeps_all()};
    return true;
  }
};

// Each adds its classes and functions to the module; in the file of its name.
void bind_exceptions(nb::module_& m);
void bind_text(nb::module_& m);
void bind_normalization(nb::module_& m);
void bind_splitting(nb::module_& m);
void bind_word_counts(nb::module_& m);
void bind_sorted_runs(nb::module_& m);
void bind_parallel_counter(nb::module_& m);
void bind_alphabet(nb::module_& m);
void bind_encoder(nb::module_& m);
void bind_decoder(nb::module_& m);
void bind_learner(nb::module_& m);
void bind_formats(nb::module_& m);
void bind_step_attention(nb::module_& m);

// --- arrays ----------------------------------------------------------------------------------------------------------

template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;
template <class T>
using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// NumPy arrays that own the core's memory.
template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto* const kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(kept->data(), {kept->size()}, owner);
}

// The same as a memoryview, for which NumPy is not imported.
template <class T>
using View = nb::ndarray<nb::memview, T, nb::ndim<1>>;
template <class T>
View<T> to_view(std::vector<T>&& values) {
  values.reserve(1);  // a view has no null pointer
  auto* const kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return View<T>(kept->data(), {kept->size()}, owner);
}

inline Array<uint32_t> to_array(bpe::IdBuffer&& ids) {
  auto* const kept = new bpe::IdBuffer(std::move(ids));
  nb::capsule owner(kept, [](void* p) noexcept {
    const std::unique_ptr<bpe::IdBuffer> done(static_cast<bpe::IdBuffer*>(p));
    bpe::SpareBuffers::give(std::move(*done));
  });
  kept->reserve(1);  // an array has no null pointer
  return Array<uint32_t>(kept->data(), {kept->size()}, owner);
}

// Python's ints of ids, kept from their first use on, since to find one costs a third of making it. Needs the GIL.
class IntObjects {
 public:
  // A new reference; null if there is no memory.
  static PyObject* of(uint32_t id) {
    if (id >= kMost) return PyLong_FromUnsignedLong(id);
    if (id >= objects_.size()) objects_.resize(std::max<size_t>(id + 1, std::min(kMost, 2 * objects_.size())));
    PyObject*& object = objects_[id];
    if (!object && !(object = PyLong_FromUnsignedLong(id))) return nullptr;
    return Py_NewRef(object);
  }

 private:
  static constexpr size_t kMost = size_t{1} << 18;  // at most some 10 MiB
  static inline std::vector<PyObject*> objects_;
};

inline nb::list to_list(const bpe::IdBuffer& ids) {
  constexpr size_t kIdsBetweenSignals = size_t{1} << 20;
  PyObject* const items = PyList_New(static_cast<Py_ssize_t>(ids.size()));
  if (!items) throw nb::python_error();
  nb::list list = nb::steal<nb::list>(items);  // items that are still missing are null, which its release allows
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i % kIdsBetweenSignals == kIdsBetweenSignals - 1 && PyErr_CheckSignals() != 0) throw nb::python_error();
    PyObject* const id = IntObjects::of(ids.data()[i]);
    if (!id) throw nb::python_error();
    PyList_SET_ITEM(items, static_cast<Py_ssize_t>(i), id);
  }
  return list;
}

// --- texts -----------------------------------------------------------------------------------------------------------

// A read-only view of any object with the buffer protocol, for as long as it lives.
class Buffer {
 public:
  explicit Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

// The UTF-8 of a str, or the bytes of a bytes, read in place: valid while the object lives.
inline bpe::Text text_of(nb::handle object) {
  Py_ssize_t size = 0;
  if (PyUnicode_Check(object.ptr())) {
    const char* const data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (!data) throw nb::python_error();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
  }
  char* data = nullptr;
  if (PyBytes_AsStringAndSize(object.ptr(), &data, &size) != 0) throw nb::python_error();
  return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

inline std::string_view view_of(nb::handle object) {
  const bpe::Text text = text_of(object);
  return {reinterpret_cast<const char*>(text.data), text.size};
}

// The same for the items of a list or tuple.
template <class Objects>
std::vector<bpe::Text> texts_of(const Objects& objects) {
  std::vector<bpe::Text> texts;
  texts.reserve(objects.size());
  for (const nb::handle object : objects) texts.push_back(text_of(object));
  return texts;
}

inline std::vector<std::string_view> views_of(const nb::list& objects) {
  std::vector<std::string_view> views;
  views.reserve(objects.size());
  for (const nb::handle object : objects) views.push_back(view_of(object));
  return views;
}

inline std::string to_string(nb::handle object) { return std::string(view_of(object)); }

inline nb::bytes to_bytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }

// Texts that lie in buffers, given as (buffer, starts, stops) with starts and stops of int32 or int64.
class Rows {
 public:
  explicit Rows(const nb::list& chunks) {
    for (const nb::handle chunk : chunks) {
      buffers_.push_back(std::make_unique<Buffer>(chunk[0]));
      Input<int32_t> starts, stops;
      if (nb::try_cast(chunk[1], starts, false) && nb::try_cast(chunk[2], stops, false))
        add(*buffers_.back(), starts, stops);
      else add(*buffers_.back(), nb::cast<Input<int64_t>>(chunk[1]), nb::cast<Input<int64_t>>(chunk[2]));
    }
  }
  std::vector<bpe::Text> texts;
  // Where the buffer of all texts ends; null if there are several.
  const uint8_t* memory_end() const {
    return buffers_.size() == 1 ? buffers_[0]->data() + buffers_[0]->size() : nullptr;
  }

 private:
  // Adds the texts buffer[starts[i]:stops[i]]. Throws if one is not inside the buffer.
  template <class Offset>
  void add(const Buffer& buffer, const Input<Offset>& starts, const Input<Offset>& stops) {
    if (starts.size() != stops.size()) throw nb::value_error("starts and stops are not equally many");
    texts.reserve(texts.size() + starts.size());
    for (size_t i = 0; i < starts.size(); ++i) {
      const Offset start = starts.data()[i], stop = stops.data()[i];
      if (start < 0 || stop < start || static_cast<size_t>(stop) > buffer.size())
        throw nb::value_error("offsets of the texts do not fit their buffer");
      texts.push_back({buffer.data() + start, static_cast<size_t>(stop - start)});
    }
  }

  std::vector<std::unique_ptr<Buffer>> buffers_;
};

inline void check_counts(const Rows& words, const Input<uint64_t>& counts) {
  if (words.texts.size() != counts.size()) throw nb::value_error("words and counts are not equally many");
}

// --- long calls
// --------------------------------------------------------------------------------------------------------

// Calls work() with the GIL; what Python raises, Ctrl-C among it, ends the call on its other threads too.
template <class Work>
void call_python(Work&& work) {
  const nb::gil_scoped_acquire acquired;
  try {
    work();
  } catch (const nb::python_error&) {
    if (const bpe::Checkpoint* const here = bpe::Checkpoint::current()) here->call().has_ended = true;
    throw;
  }
}

// Holds the GIL while one pre-token goes to Python: those of a custom pattern are given without it.
class PatternsGil {
 public:
  explicit PatternsGil(const bpe::Pattern& pattern) {
    if (pattern.name == bpe::Pattern::kCustom) held_.emplace();
  }

 private:
  std::optional<nb::gil_scoped_acquire> held_;
};

// Releases the GIL while it lives. Python handles signals on its main thread alone; a call of that thread with much to
// do looks for them from time to time, and throws what their handlers raise.
class LongCall {
 public:
  explicit LongCall(size_t bytes) {
    if (bytes >= kMuch && on_main_thread()) checkpoint_.emplace(call_, true);
    released_.emplace();
  }
  explicit LongCall(const std::vector<bpe::Text>& texts) : LongCall(size_of(texts)) {}

 private:
  static constexpr size_t kMuch = size_t{1} << 20;

  static bool on_main_thread() {
    const nb::object main = nb::module_::import_("threading").attr("main_thread")();
    return nb::cast<unsigned long>(main.attr("ident")) == PyThread_get_thread_ident();
  }
  static size_t size_of(const std::vector<bpe::Text>& texts) {
    size_t bytes = 0;
    for (const bpe::Text& text : texts) bytes += text.size;
    return bytes;
  }
  static void ask() {
    const nb::gil_scoped_acquire acquired;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }

  bpe::InterruptibleCall call_{&ask};
  std::optional<bpe::Checkpoint> checkpoint_;
  std::optional<nb::gil_scoped_release> released_;
};
