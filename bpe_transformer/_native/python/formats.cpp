// Files of vocabularies for Python.
#include <optional>

#include "formats/json_vocabulary.hpp"
#include "formats/pieces.hpp"
#include "formats/rank_lines.hpp"
#include "formats/recover_merges.hpp"
#include "python/conversions.hpp"
#include "text/unicode.hpp"

namespace {

// Parts of `bytes` that end at `ends`, each made to an object.
template <class Make>
nb::list parts_of(std::string_view bytes, const std::vector<size_t>& ends, const Make& make) {
  PyObject* const items = PyList_New(static_cast<Py_ssize_t>(ends.size()));
  if (!items) throw nb::python_error();
  nb::list list = nb::steal<nb::list>(items);
  size_t start = 0;
  for (size_t i = 0; i < ends.size(); start = ends[i++]) {
    PyObject* const part = make(bytes.data() + start, static_cast<Py_ssize_t>(ends[i] - start));
    if (!part) throw nb::python_error();
    PyList_SET_ITEM(items, static_cast<Py_ssize_t>(i), part);
  }
  return list;
}

// (tokens, ranks) of a `.tiktoken` file in its usual form, else None; see formats/rank_lines.hpp.
nb::object read_rank_lines(const nb::bytes& data) {
  std::optional<bpe::RankLines> found = bpe::read_rank_lines(view_of(data));
  if (!found) return nb::none();
  const nb::list tokens = parts_of(found->bytes, found->ends, PyBytes_FromStringAndSize);
  return nb::make_tuple(tokens, to_array(std::move(found->ranks)));
}

// (left, right, merged ids, unreachable, incomplete), all ranks; see formats/recover_merges.hpp.
nb::tuple recover_merges(const nb::list& tokens, bool characters) {
  const std::vector<std::string_view> views = views_of(tokens);
  bpe::RecoveredMerges found;
  {
    const LongCall call(SIZE_MAX);
    found = bpe::recover_merges(views, characters);
  }
  return nb::make_tuple(to_array(std::move(found.left)), to_array(std::move(found.right)),
                        to_array(std::move(found.merged_ids)), to_array(std::move(found.unreachable)),
                        to_array(std::move(found.incomplete)));
}

// (rest, names, ids, left, right, merged ids, makes_twice) of a `tokenizer.json` in its usual form, else None; see
// formats/json_vocabulary.hpp.
nb::object read_json_vocabulary(const nb::bytes& document) {
  std::optional<bpe::JsonVocabulary> found;
  {
    const bpe::Text text = text_of(document);
    const nb::gil_scoped_release release;
    if (bpe::unicode::valid_prefix(text.data, text.size) == text.size)
      found = bpe::read_json_vocabulary({reinterpret_cast<const char*>(text.data), text.size});
  }
  if (!found) return nb::none();
  const nb::list names = parts_of(found->names, found->ends, PyUnicode_FromStringAndSize);
  return nb::make_tuple(to_bytes(found->rest), names, to_array(std::move(found->ids)), to_array(std::move(found->left)),
                        to_array(std::move(found->right)), to_array(std::move(found->merged_ids)), found->makes_twice);
}

// (rest, texts, scores, kinds) of a SentencePiece model with pieces in their usual form, else None; see
// formats/pieces.hpp.
nb::object read_pieces(const nb::bytes& file) {
  std::optional<bpe::Pieces> found;
  {
    const bpe::Text text = text_of(file);
    const nb::gil_scoped_release release;
    found = bpe::read_pieces({reinterpret_cast<const char*>(text.data), text.size});
  }
  if (!found) return nb::none();
  nb::list texts;
  for (const std::string_view text : found->texts) texts.append(to_bytes(text));
  return nb::make_tuple(to_bytes(found->rest), texts, to_array(std::move(found->scores)),
                        to_array(std::move(found->kinds)));
}

// The bytes that each name stands for by `byte_of`, which has the byte of every character or -1; None if a name has a
// character that stands for no byte.
nb::object tokens_of_names(const nb::list& names, const Input<int16_t>& byte_of) {
  std::string bytes;
  std::vector<size_t> ends;
  ends.reserve(names.size());
  for (const nb::handle name : names) {
    if (!PyUnicode_Check(name.ptr())) throw nb::type_error("a name is no text");
    const auto size = PyUnicode_GET_LENGTH(name.ptr());
    const int kind = static_cast<int>(PyUnicode_KIND(name.ptr()));
    const void* const data = PyUnicode_DATA(name.ptr());
    for (Py_ssize_t i = 0; i < size; ++i) {
      const Py_UCS4 code_point = PyUnicode_READ(kind, data, i);
      if (code_point >= byte_of.size() || byte_of.data()[code_point] < 0) return nb::none();
      bytes.push_back(static_cast<char>(byte_of.data()[code_point]));
    }
    ends.push_back(bytes.size());
  }
  return parts_of(bytes, ends, PyBytes_FromStringAndSize);
}

}  // namespace

void bind_formats(nb::module_& m) {
  m.def("read_rank_lines", &read_rank_lines, "data"_a);
  m.def("recover_merges", &recover_merges, "tokens"_a, "characters"_a);
  m.def("read_json_vocabulary", &read_json_vocabulary, "document"_a);
  m.def("read_pieces", &read_pieces, "file"_a);
  m.def("tokens_of_names", &tokens_of_names, "names"_a, "byte_of"_a);
}
