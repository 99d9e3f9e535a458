// The scanner for Python, and the vector instructions that it uses.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "python/conversions.hpp"
#include "simd/simd.hpp"
#include "splitting/cuts.hpp"
#include "splitting/scanner.hpp"

namespace {

// The pre-tokens of a text.
nb::list split(const bpe::Pattern& pattern, nb::handle object) {
  const bpe::Text text = text_of(object);
  const uint8_t* const end = text.data + text.size;
  constexpr size_t kBetweenSignals = size_t{1} << 20;
  nb::list pretokens;
  bpe::each_pretoken(pattern, text.data, end, end, [&](const uint8_t* from, const uint8_t* to) {
    const PatternsGil held(pattern);
    if (pretokens.size() % kBetweenSignals == kBetweenSignals - 1 && PyErr_CheckSignals() != 0)
      throw nb::python_error();
    pretokens.append(nb::bytes(from, static_cast<size_t>(to - from)));
  });
  return pretokens;
}

// The first place after `start`, and the last before `end`, where the text may be cut without changing how it splits;
// the text's size, and 0, if there is none. A symbol that ends at `end` may be incomplete.
size_t next_cut(const bpe::Pattern& pattern, const nb::bytes& object, size_t start) {
  const bpe::Text text = text_of(object);
  const nb::gil_scoped_release release;
  const uint8_t* const end = text.data + text.size;
  const uint8_t* const cut = bpe::next_cut(pattern, text.data + std::min(start, text.size), end);
  return static_cast<size_t>(cut - text.data);
}

size_t last_cut(const bpe::Pattern& pattern, const nb::bytes& object, size_t end) {
  const bpe::Text text = text_of(object);
  const nb::gil_scoped_release release;
  const uint8_t* stop = text.data + std::min(end, text.size);
  while (stop > text.data && bpe::unicode::continues(stop[-1])) --stop;
  if (stop > text.data) --stop;
  const uint8_t* const cut = bpe::last_cut(pattern, text.data, stop);
  return cut ? static_cast<size_t>(cut - text.data) : size_t{0};
}

// Stages are (expression, whether classes may hold classes, what is kept, what matches are joined with, whether they
// are final, whether they are found in names of bytes).
void compile(bpe::compiled::SplitSequence* self, const nb::sequence& stages) {
  if (nb::len(stages) == 0) throw nb::value_error("there are no stages");
  bpe::compiled::SplitSequence sequence;  // nanobind does not destroy an object whose construction fails
  for (const nb::handle stage : stages)
    sequence.add(view_of(stage[0]), nb::cast<bool>(stage[1]),
                 {.keeps = static_cast<bpe::compiled::Behavior::Keeps>(nb::cast<int>(stage[2])),
                  .joins = static_cast<bpe::compiled::Behavior::Joins>(nb::cast<int>(stage[3])),
                  .finishes = nb::cast<bool>(stage[4]),
                  .of_names = nb::cast<bool>(stage[5])});
  sequence.finish();
  new (self) bpe::compiled::SplitSequence(std::move(sequence));
}

// `function` gives lists of the spans of a text: start, end, whether it is a pre-token, start, … `rest` splits those
// that are not.
void init_custom(bpe::PythonSplit* self, nb::callable function, const bpe::Pattern& rest, bool keeps_all) {
  bpe::CustomSplit split;
  split.rest = rest;
  split.split = [function = std::move(function), keeps_all](bpe::Text text, const bpe::CustomSplit::Found& found) {
    size_t done = 0;
    call_python([&] {
      for (const nb::handle list : function(nb::bytes(text.data, text.size))) {
        const auto spans = nb::cast<std::vector<size_t>>(list);
        const nb::gil_scoped_release released;
        for (size_t i = 0; i + 2 < spans.size(); i += 3) {
          if (spans[i] < done || spans[i + 1] < spans[i] || spans[i + 1] > text.size || (keeps_all && spans[i] != done))
            throw std::runtime_error("a split gives spans that do not follow each other");
          done = spans[i + 1];
          found(spans[i], spans[i + 1], spans[i + 2] != 0);
        }
      }
    });
    if (keeps_all && done != text.size) throw std::runtime_error("a split drops text");
  };
  new (self) bpe::PythonSplit{std::move(split), keeps_all};
}

// For each stage, code points that hold characters of all its classes.
std::vector<std::vector<uint32_t>> samples(const bpe::compiled::SplitSequence& self) {
  std::vector<std::vector<uint32_t>> all;
  for (const bpe::compiled::Stage& stage : self.stages()) all.push_back(stage.automaton.classes().text_samples());
  return all;
}

size_t num_states(const bpe::compiled::SplitSequence& self) {
  size_t states = 0;
  for (const bpe::compiled::Stage& stage : self.stages()) states += stage.automaton.num_states();
  return states;
}

nb::str to_str(std::string_view text) { return nb::str(text.data(), text.size()); }

nb::list simd_levels() {
  nb::list names;
  for (const bpe::simd::Level level : bpe::simd::supported_levels()) names.append(to_str(bpe::simd::name(level)));
  return names;
}

void set_simd_level(const std::string& name) {
  if (!bpe::simd::set_level(name)) throw nb::value_error("this processor has no such level; see simd_levels()");
}

}  // namespace

void bind_splitting(nb::module_& m) {
  m.attr("PATTERNS") = nb::make_tuple("gpt2", "cl100k", "o200k", "whitespace", "llama3", "qwen2", "metaspace",
                                      "none");  // by number, as in bpe::Pattern
  nb::exception<bpe::compiled::Unsupported>(m, "UnsupportedPattern", PyExc_ValueError);
  nb::class_<bpe::compiled::SplitSequence>(m, "CompiledPattern")
      .def("__init__", &compile, "stages"_a)
      .def_prop_ro("samples", &samples)
      .def_prop_ro("num_states", &num_states)
      .def_prop_ro("can_cut", &bpe::compiled::SplitSequence::can_cut);
  nb::class_<bpe::PythonSplit>(m, "CustomPattern")
      .def("__init__", &init_custom, "function"_a, "rest"_a, "keeps_all"_a, nb::keep_alive<1, 3>());
  m.def("split", &split, "pattern"_a, "text"_a);
  m.def("next_cut", &next_cut, "pattern"_a, "text"_a, "start"_a);
  m.def("last_cut", &last_cut, "pattern"_a, "text"_a, "end"_a);
  // The levels that this processor supports, the best last; the one in use; and a way to choose, for tests.
  m.def("simd_levels", &simd_levels);
  m.def("simd_level", [] { return to_str(bpe::simd::name(bpe::simd::level())); });
  m.def("set_simd_level", &set_simd_level, "name"_a);
}
