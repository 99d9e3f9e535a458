// Unicode's forms and SentencePiece's normalisation for Python.
#include <nanobind/stl/string.h>

#include "normalization/charsmap.hpp"
#include "normalization/forms.hpp"
#include "normalization/normalization_tables.hpp"
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

void make_charsmap(bpe::Charsmap* self, const nb::list& entries, bool squeeze) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const nb::handle entry : entries) pairs.emplace_back(to_string(entry[0]), to_string(entry[1]));
  new (self) bpe::Charsmap(std::move(pairs), squeeze);
}

nb::bytes normalize_by_map(const bpe::Charsmap& self, const nb::bytes& object) {
  std::string changed;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = self.normalized(text);
  }
  return to_bytes(changed);
}

nb::tuple normalize_by_map_aligned(const bpe::Charsmap& self, const nb::bytes& object) {
  std::string changed;
  bpe::Alignment alignment;
  {
    const bpe::Text text = text_of(object);
    const LongCall call(text.size);
    changed = self.normalized(text, &alignment);
  }
  return aligned(changed, std::move(alignment));
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
  nb::class_<bpe::Charsmap>(m, "Charsmap")
      .def("__init__", &make_charsmap, "entries"_a, "squeeze"_a)
      .def("normalize", &normalize_by_map, "text"_a)
      .def("normalize_aligned", &normalize_by_map_aligned, "text"_a);
}
