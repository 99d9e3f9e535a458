// Normalisation for Python: Unicode's forms, SentencePiece's map, and sequences of steps.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

#include "normalization/charsmap.hpp"
#include "normalization/normalization_tables.hpp"
#include "normalization/normalizer.hpp"
#include "normalization/precompiled_charsmap.hpp"
#include "python/conversions.hpp"
#include "text/unicode.hpp"

namespace {

using bpe::Form;

nb::bytes normalize(int form, const nb::bytes& object) {
  std::string changed;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = bpe::normalized(static_cast<Form>(form), text);
  }
  return to_bytes(changed);
}

// (normalised text, for each of its bytes the start of its source, and the end)
nb::tuple aligned(std::string_view changed, bpe::Alignment&& alignment) {
  return nb::make_tuple(to_bytes(changed), to_array(std::move(alignment.starts)), to_array(std::move(alignment.ends)));
}

nb::tuple normalize_aligned(int form, const nb::bytes& object) {
  std::string changed;
  bpe::Alignment alignment;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = bpe::normalized(static_cast<Form>(form), text, &alignment);
  }
  return aligned(changed, std::move(alignment));
}

bool is_normalized(int form, nb::handle object) {
  const bpe::Text text = text_of(object);
  const LongCall call(text.size);
  if (bpe::first_change(static_cast<Form>(form), text) == text.size) return true;
  return bpe::normalized(static_cast<Form>(form), text) ==
         std::string_view(reinterpret_cast<const char*>(text.data), text.size);
}

// A string of `kept` stays as it is, and wins over longer ones of `map` that begin with it.
void make_charsmap(bpe::Charsmap* self, const std::optional<nb::bytes>& map, const nb::list& kept, bool squeeze) {
  std::vector<std::pair<std::string, std::string>> entries, same;
  if (map) entries = bpe::charsmap_entries(view_of(*map));
  for (const nb::handle one : kept) same.emplace_back(to_string(one), to_string(one));
  std::sort(same.begin(), same.end());
  same.erase(std::unique(same.begin(), same.end()), same.end());
  for (const auto& [key, text] : same)
    std::erase_if(entries, [&](const auto& entry) { return entry.first.starts_with(key); });
  const auto middle = entries.insert(entries.end(), same.begin(), same.end());
  std::inplace_merge(entries.begin(), middle, entries.end());
  new (self) bpe::Charsmap(std::move(entries), squeeze);
}

nb::list entries_of(const bpe::Charsmap& self) {
  nb::list all;
  for (const auto& [key, text] : self.entries()) all.append(nb::make_tuple(to_bytes(key), to_bytes(text)));
  return all;
}

// The matches that a function of Python's gives: a flat list of starts and ends.
bpe::FindMatches matches_of(nb::callable function) {
  return [function = std::move(function)](bpe::Text text, const bpe::FoundMatch& found) {
    std::vector<size_t> places;
    call_python([&] { places = nb::cast<std::vector<size_t>>(function(nb::bytes(text.data, text.size))); });
    size_t done = 0;
    for (size_t i = 0; i + 1 < places.size(); i += 2) {
      if (places[i] < done || places[i + 1] < places[i] || places[i + 1] > text.size)
        throw std::runtime_error("matches do not follow each other");
      done = places[i + 1];
      found(text.data + places[i], text.data + places[i + 1]);
    }
  };
}

bpe::Step to_step(const nb::tuple& step) {
  const std::string_view kind = view_of(step[0]);
  if (kind == "form") return bpe::form_step(static_cast<Form>(nb::cast<int>(step[1])));
  if (kind == "lowercase") return bpe::lowercase_step();
  if (kind == "prepend") return bpe::prepend_step(to_string(step[1]));
  if (kind == "charsmap") return bpe::charsmap_step(*nb::cast<const bpe::Charsmap*>(step[1]));
  if (kind == "graphemes") return bpe::graphemes_step(*nb::cast<const bpe::Charsmap*>(step[1]));
  const bpe::compiled::SplitSequence* compiled = nullptr;
  if (nb::try_cast(step[1], compiled, false) && compiled)
    return bpe::replace_step(compiled->stages()[0], to_string(step[2]));
  return bpe::replace_step(matches_of(nb::cast<nb::callable>(step[1])), to_string(step[2]));
}

// `steps` has to live as long: the maps and compiled patterns in it are not copied.
void make_normalizer(bpe::Normalizer* self, const nb::tuple& steps) {
  std::vector<bpe::Step> all;
  for (const nb::handle step : steps) all.push_back(to_step(nb::cast<nb::tuple>(step)));
  new (self) bpe::Normalizer(std::move(all));
}

nb::bytes normalize_by_steps(const bpe::Normalizer& self, const nb::bytes& object) {
  std::string buffer;
  bpe::Text changed{};
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = self.normalized(text, buffer);
  }
  return nb::bytes(changed.data, changed.size);
}

nb::tuple normalize_by_steps_aligned(const bpe::Normalizer& self, const nb::bytes& object) {
  std::string buffer;
  bpe::Text changed{};
  bpe::Alignment alignment;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = self.normalized(text, buffer, &alignment);
  }
  return aligned({reinterpret_cast<const char*>(changed.data), changed.size}, std::move(alignment));
}

}  // namespace

void bind_normalization(nb::module_& m) {
  m.attr("unicode_version") = bpe::unicode::kVersion;
  m.attr("FORMS") = nb::make_tuple("NFC", "NFD", "NFKC", "NFKD");  // by number, as in bpe::Form
  m.def("normalize", &normalize, "form"_a, "text"_a);
  m.def("normalize_aligned", &normalize_aligned, "form"_a, "text"_a);
  m.def("is_normalized", &is_normalized, "form"_a, "text"_a);
  m.def(
      "begins_segment", [](int form, uint32_t c) { return bpe::begins_segment(static_cast<Form>(form), c); }, "form"_a,
      "code_point"_a);
  nb::exception<bpe::DamagedCharsmap>(m, "DamagedCharsmap", PyExc_ValueError);
  nb::class_<bpe::Charsmap>(m, "Charsmap")
      .def("__init__", &make_charsmap, "map"_a.none(), "kept"_a, "squeeze"_a)
      .def_prop_ro("entries", &entries_of);
  nb::class_<bpe::Normalizer>(m, "Normalizer")
      .def("__init__", &make_normalizer, "steps"_a, nb::keep_alive<1, 2>())
      .def("normalize", &normalize_by_steps, "text"_a)
      .def("normalize_aligned", &normalize_by_steps_aligned, "text"_a);
}
