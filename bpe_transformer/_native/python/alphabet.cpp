// The base alphabet for Python.
#include "merging/alphabet.hpp"

#include <nanobind/stl/unordered_map.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "python/conversions.hpp"

namespace {

using bpe::Alphabet;
using IdOfSymbol = std::unordered_map<uint32_t, uint32_t>;

Alphabet of_bytes(const std::vector<uint32_t>& id_of_byte) {
  if (id_of_byte.size() != 256) throw nb::value_error("a byte alphabet has 256 ids");
  Alphabet alphabet;
  std::copy(id_of_byte.begin(), id_of_byte.end(), alphabet.id_of_byte.begin());
  return alphabet;
}

// `unknown`: the id of <unk>, negative if there is none.
Alphabet of_symbols(const IdOfSymbol& inner, const IdOfSymbol& last, bool marks_end, int64_t unknown,
                    bool fuse_unknown) {
  Alphabet alphabet;
  alphabet.bytes = false;
  alphabet.marks_end = marks_end;
  alphabet.inner = bpe::SymbolIds(inner);
  alphabet.last = bpe::SymbolIds(last);
  alphabet.unknown = unknown < 0 ? bpe::kNoId : static_cast<uint32_t>(unknown);
  alphabet.fuse_unknown = fuse_unknown;
  return alphabet;
}

Alphabet of_some_bytes(const IdOfSymbol& inner, const IdOfSymbol& last, bool marks_end, int64_t unknown,
                       bool fuse_unknown) {
  Alphabet alphabet = of_symbols(inner, last, marks_end, unknown, fuse_unknown);
  alphabet.some_bytes = true;
  return alphabet;
}

Alphabet of_characters(const IdOfSymbol& inner, const IdOfSymbol& last, bool marks_end, int64_t unknown,
                       std::vector<uint32_t> fallback, bool fuse_unknown) {
  if (!fallback.empty() && fallback.size() != 256) throw nb::value_error("byte fallback takes 256 ids");
  Alphabet alphabet = of_symbols(inner, last, marks_end, unknown, fuse_unknown);
  alphabet.fallback = std::move(fallback);
  return alphabet;
}

}  // namespace

void bind_alphabet(nb::module_& m) {
  nb::class_<Alphabet>(m, "Alphabet")
      .def_static("of_bytes", &of_bytes, "id_of_byte"_a)
      .def_static("of_some_bytes", &of_some_bytes, "inner"_a, "last"_a, "marks_end"_a, "unknown"_a, "fuse_unknown"_a)
      .def_static("of_characters", &of_characters, "inner"_a, "last"_a, "marks_end"_a, "unknown"_a, "fallback"_a,
                  "fuse_unknown"_a);
}
