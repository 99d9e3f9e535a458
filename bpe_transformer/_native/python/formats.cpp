// Files of vocabularies for Python.
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

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
  return nb::make_tuple(tokens, to_view(std::move(found->ranks)));
}

// The same of lines of a mark, a rank and tokens; see formats/rank_lines.hpp.
nb::object read_rank_words(const nb::bytes& text) {
  std::optional<bpe::RankLines> found = bpe::read_rank_words(view_of(text));
  if (!found) return nb::none();
  const nb::list tokens = parts_of(found->bytes, found->ends, PyBytes_FromStringAndSize);
  return nb::make_tuple(tokens, to_view(std::move(found->ranks)));
}

// The text; nothing if it is not UTF-8.
std::optional<std::string_view> utf8_in(bpe::Text text) {
  if (bpe::unicode::valid_prefix(text.data, text.size) != text.size) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(text.data), text.size);
}

// (rest, tokens, ranks) of a `tekken.json` in its usual form, else None; see formats/rank_lines.hpp.
nb::object read_tekken(const nb::bytes& document) {
  std::optional<bpe::TekkenTokens> found;
  {
    const bpe::Text text = text_of(document);
    const nb::gil_scoped_release release;
    if (const auto utf8 = utf8_in(text)) found = bpe::read_tekken(*utf8);
  }
  if (!found) return nb::none();
  const nb::list tokens = parts_of(found->tokens.bytes, found->tokens.ends, PyBytes_FromStringAndSize);
  return nb::make_tuple(to_bytes(found->rest), tokens, to_view(std::move(found->tokens.ranks)));
}

// (left, right, merged ids, unreachable, incomplete), all ranks, the first three plus `first`; see
// formats/recover_merges.hpp.
nb::tuple recover_merges(const nb::list& tokens, bool characters, uint32_t first) {
  const std::vector<std::string_view> views = views_of(tokens);
  bpe::RecoveredMerges found;
  {
    const LongCall call(SIZE_MAX);
    found = bpe::recover_merges(views, characters);
    for (auto* column : {&found.left, &found.right, &found.merged_ids})
      for (uint32_t& rank : *column) rank += first;
  }
  return nb::make_tuple(to_view(std::move(found.left)), to_view(std::move(found.right)),
                        to_view(std::move(found.merged_ids)), to_view(std::move(found.unreachable)),
                        to_view(std::move(found.incomplete)));
}

nb::object to_vocabulary(std::optional<bpe::JsonVocabulary>&& found) {
  if (!found) return nb::none();
  bpe::NumberedMerges& merges = found->merges;
  return nb::make_tuple(to_bytes(found->rest), nb::cast(std::move(found->names)), to_view(std::move(found->ids)),
                        to_view(std::move(merges.left)), to_view(std::move(merges.right)),
                        to_view(std::move(merges.merged)), merges.makes_twice);
}

// (rest, names, ids, left, right, merged ids, makes_twice) of a `tokenizer.json` in its usual form, else None; see
// formats/json_vocabulary.hpp.
nb::object read_json_vocabulary(const nb::bytes& document) {
  std::optional<bpe::JsonVocabulary> found;
  {
    const bpe::Text text = text_of(document);
    const nb::gil_scoped_release release;
    if (const auto utf8 = utf8_in(text)) found = bpe::read_json_vocabulary(*utf8);
  }
  return to_vocabulary(std::move(found));
}

// The same of GPT-2's two files; the rest is empty.
nb::object read_gpt2_vocabulary(const nb::bytes& vocab, const nb::bytes& merges) {
  std::optional<bpe::JsonVocabulary> found;
  {
    const bpe::Text names = text_of(vocab), lines = text_of(merges);
    const nb::gil_scoped_release release;
    const auto names_utf8 = utf8_in(names), lines_utf8 = utf8_in(lines);
    if (names_utf8 && lines_utf8) found = bpe::read_gpt2_vocabulary(*names_utf8, *lines_utf8);
  }
  return to_vocabulary(std::move(found));
}

// (left, right, merged, makes_twice) of lines of merges, as numbers of names of UTF-8 that are all different; None if a
// line is not two of them, of which the names and what they make are among `names`. See formats/named_merges.hpp.
nb::object read_merge_lines(const nb::bytes& lines, const nb::list& names, std::string_view header) {
  std::optional<bpe::NumberedMerges> found;
  const std::optional<bpe::NamedMerges> named = bpe::read_merge_lines(view_of(lines), header);
  try {
    if (named) found = bpe::numbered(*named, views_of(names));
  } catch (nb::python_error& error) {  // a name with half a surrogate pair
    if (!error.matches(PyExc_UnicodeEncodeError)) throw;
  }
  if (!found) return nb::none();
  return nb::make_tuple(to_view(std::move(found->left)), to_view(std::move(found->right)),
                        to_view(std::move(found->merged)), found->makes_twice);
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

// Whether every number is the one before it and one.
bool counts_up(const Input<uint32_t>& numbers) {
  for (size_t i = 1; i < numbers.size(); ++i)
    if (numbers.data()[i] != numbers.data()[i - 1] + 1) return false;
  return true;
}

// The numbers below `size` that are in neither of two lists.
nb::list others_than(size_t size, const Input<uint32_t>& some, const std::vector<size_t>& more) {
  std::vector<bool> is_there(size);
  const auto add = [&](size_t number) {
    if (number >= size) throw nb::index_error();
    is_there[number] = true;
  };
  for (size_t i = 0; i < some.size(); ++i) add(some.data()[i]);
  for (const size_t number : more) add(number);
  nb::list others;
  for (size_t number = 0; number < size; ++number)
    if (!is_there[number]) others.append(number);
  return others;
}

// The tokens with `mark` replaced by a space, but those of `kept`; what holds no mark is the same object.
nb::list with_spaces(const nb::list& tokens, std::string_view mark, const std::vector<size_t>& kept) {
  nb::list spaced = nb::steal<nb::list>(PyList_New(static_cast<Py_ssize_t>(tokens.size())));
  std::vector<bool> is_kept(tokens.size());
  for (const size_t id : kept)
    if (id < is_kept.size()) is_kept[id] = true;
  std::string text;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const nb::handle token = tokens[id];
    const std::string_view bytes = view_of(token);
    size_t at = is_kept[id] ? bytes.npos : bytes.find(mark), done = 0;
    PyObject* item = nullptr;
    if (at == bytes.npos) {
      item = token.inc_ref().ptr();
    } else {
      text.clear();
      for (; at != bytes.npos; done = at + mark.size(), at = bytes.find(mark, done))
        text.append(bytes.substr(done, at - done)).push_back(' ');
      text.append(bytes.substr(done));
      item = to_bytes(text).release().ptr();
    }
    PyList_SET_ITEM(spaced.ptr(), static_cast<Py_ssize_t>(id), item);
  }
  return spaced;
}

// Whether one of these tokens holds `mark` after something else.
bool holds_mark_inside(const nb::list& tokens, const Input<uint32_t>& ids, std::string_view mark) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids.data()[i] >= tokens.size()) throw nb::index_error();
    std::string_view token = view_of(tokens[ids.data()[i]]);
    while (token.starts_with(mark)) token.remove_prefix(mark.size());
    if (token.find(mark) != token.npos) return true;
  }
  return false;
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

// The same of the names of a file; the tokens of numbers in `others`, which is in order, are the names themselves.
nb::object tokens_of(const bpe::Names& names, const Input<int16_t>& byte_of, const std::vector<size_t>& others) {
  std::string bytes;
  std::vector<size_t> ends;
  bytes.reserve(names.bytes.size());
  ends.reserve(names.size());
  auto other = others.begin();
  for (size_t number = 0; number < names.size(); ++number) {
    const std::string_view name = names[number];
    if (other != others.end() && *other == number) {
      bytes.append(name);
      ++other;
    } else {
      const auto* p = reinterpret_cast<const uint8_t*>(name.data());
      for (const auto* const end = p + name.size(); p < end;) {
        const bpe::unicode::Symbol symbol = bpe::unicode::decode(p, end);
        if (symbol.code_point >= byte_of.size() || byte_of.data()[symbol.code_point] < 0) return nb::none();
        bytes.push_back(static_cast<char>(byte_of.data()[symbol.code_point]));
        p += symbol.length;
      }
    }
    ends.push_back(bytes.size());
  }
  return parts_of(bytes, ends, PyBytes_FromStringAndSize);
}

nb::list all_names(const bpe::Names& names) { return parts_of(names.bytes, names.ends, PyUnicode_FromStringAndSize); }

nb::object iterator_of(const bpe::Names& names) { return nb::iter(all_names(names)); }

nb::str name_of(const bpe::Names& names, size_t number) {
  if (number >= names.size()) throw nb::index_error();
  const std::string_view name = names[number];
  return nb::str(name.data(), name.size());
}

}  // namespace

void bind_formats(nb::module_& m) {
  nb::class_<bpe::Names>(m, "Names")
      .def("__len__", &bpe::Names::size)
      .def("__getitem__", &name_of, "number"_a)
      .def("as_list", &all_names)
      .def("__iter__", &iterator_of)
      .def("tokens", &tokens_of, "byte_of"_a, "others"_a);
  m.def("read_rank_lines", &read_rank_lines, "data"_a);
  m.def("read_rank_words", &read_rank_words, "text"_a);
  m.def("read_tekken", &read_tekken, "document"_a);
  m.def("recover_merges", &recover_merges, "tokens"_a, "characters"_a, "first"_a);
  m.def("read_json_vocabulary", &read_json_vocabulary, "document"_a);
  m.def("read_gpt2_vocabulary", &read_gpt2_vocabulary, "vocab"_a, "merges"_a);
  m.def("read_merge_lines", &read_merge_lines, "lines"_a, "names"_a, "header"_a);
  m.def("read_pieces", &read_pieces, "file"_a);
  m.def("counts_up", &counts_up, "numbers"_a);
  m.def("others_than", &others_than, "size"_a, "some"_a, "more"_a);
  m.def("with_spaces", &with_spaces, "tokens"_a, "mark"_a, "kept"_a);
  m.def("holds_mark_inside", &holds_mark_inside, "tokens"_a, "ids"_a, "mark"_a);
  m.def("tokens_of_names", &tokens_of_names, "names"_a, "byte_of"_a);
}
