// Calls that may take long: without the GIL, and Ctrl-C ends them.
#pragma once

#include <optional>
#include <vector>

#include "base/interruption.hpp"
#include "python/conversions.hpp"

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
