// Unicode, and ids as text, for Python.
#include <algorithm>
#include <optional>

#include "python/conversions.hpp"
#include "rows/json_lines.hpp"
#include "rows/json_table.hpp"
#include "text/characters.hpp"
#include "text/ids_text.hpp"
#include "text/unicode.hpp"
#include "text/utf32_to_utf8.hpp"

namespace {

using Spans = nb::ndarray<int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CodePoints = nb::ndarray<const uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// The byte position of the first byte of buffer[start:stop] that is not UTF-8, or stop.
size_t valid_prefix(nb::handle object, size_t start, size_t stop) {
  const Buffer buffer(object);
  const nb::gil_scoped_release release;
  return start + bpe::unicode::valid_prefix(buffer.data() + start, std::min(stop, buffer.size()) - start);
}

// Replaces spans in bytes of a text by spans in characters; returns the text's number of characters.
int64_t spans_to_characters(const nb::bytes& object, Spans spans) {
  const bpe::Text text = text_of(object);
  if (spans.shape(1) != 2) throw nb::value_error("a span is a start and an end");
  for (size_t i = 0; i < spans.size(); ++i)
    if (spans.data()[i] < 0 || static_cast<size_t>(spans.data()[i]) > text.size)
      throw nb::value_error("a span is not in the text");
  const nb::gil_scoped_release release;
  return bpe::to_characters(text, spans.data(), spans.shape(0));
}

// (bytes, row starts) of rows of UTF-32, or None if one is not Unicode.
nb::object utf32_to_utf8(const CodePoints& rows) {
  std::optional<bpe::Utf8Rows> texts;
  {
    const nb::gil_scoped_release release;
    texts = bpe::utf32_to_utf8(rows.data(), rows.shape(0), rows.shape(1));
  }
  if (!texts) return nb::none();
  return nb::make_tuple(to_array(std::move(texts->bytes)), to_array(std::move(texts->row_starts)));
}

// (bytes, starts, stops, lines of missing values, whether a row has each column) of the texts in whole lines of JSON
// objects, or None; see rows/json_lines.hpp.
nb::object json_texts(nb::handle object, const nb::list& columns) {
  const Buffer buffer(object);
  std::vector<std::string> names;
  for (const std::string_view name : views_of(columns)) names.emplace_back(name);
  const std::unique_ptr<uint8_t[]> memory(new uint8_t[buffer.size() + 1]);
  bpe::RowTexts texts(memory.get());
  std::vector<int64_t> starts, stops;
  bool found = false;
  {
    const nb::gil_scoped_release release;
    const std::string_view lines(reinterpret_cast<const char*>(buffer.data()), buffer.size());
    found = bpe::unicode::valid_prefix(buffer.data(), buffer.size()) == buffer.size() &&
            bpe::read_json_texts(lines, names, texts);
    for (const bpe::Text& text : texts.texts) {
      starts.push_back(text.data - memory.get());
      stops.push_back(starts.back() + static_cast<int64_t>(text.size));
    }
  }
  if (!found) return nb::none();
  return nb::make_tuple(nb::bytes(memory.get(), static_cast<size_t>(texts.end - memory.get())),
                        to_array(std::move(starts)), to_array(std::move(stops)), to_array(std::move(texts.missing)),
                        to_array(std::move(texts.found)));
}

// The most bytes of an entry among entries that each follow their size, of four bytes; None if they do not fill the
// buffer.
nb::object longest_entry(nb::handle object) {
  const Buffer buffer(object);
  size_t longest = 0, place = 0;
  while (buffer.size() - place >= 4) {
    const uint8_t* const p = buffer.data() + place;
    const size_t size = p[0] | p[1] << 8 | p[2] << 16 | size_t{p[3]} << 24;
    if (buffer.size() - place - 4 < size) return nb::none();
    longest = std::max(longest, size);
    place += 4 + size;
  }
  return place == buffer.size() ? nb::cast(longest) : nb::none();
}

// How many bytes of buffer[start:stop] end a line.
size_t count_line_ends(nb::handle object, size_t start, size_t stop) {
  const Buffer buffer(object);
  const nb::gil_scoped_release release;
  stop = std::min(stop, buffer.size());
  start = std::min(start, stop);
  size_t number = 0;
  for (const uint8_t *p = buffer.data() + start, *const end = buffer.data() + stop; p < end;) {
    const uint8_t* const to = p + std::min<ptrdiff_t>(end - p, 192);  // so few that the sum fits a byte
    uint8_t here = 0;
    for (; p < to; ++p) here = static_cast<uint8_t>(here + (*p == '\n'));
    number += here;
  }
  return number;
}

// (bytes, ends, present) of the cells in whole lines of JSON objects, or None; see rows/json_table.hpp. A column is
// (name, kinds).
nb::object json_table(nb::handle object, const nb::list& columns, bool pass_over_others) {
  const Buffer buffer(object);
  std::vector<bpe::JsonTableColumn> wanted;
  for (const nb::handle column : columns) wanted.push_back({to_string(column[0]), nb::cast<uint8_t>(column[1])});
  bpe::JsonTable table;
  bool found = false;
  {
    const nb::gil_scoped_release release;
    const std::string_view lines(reinterpret_cast<const char*>(buffer.data()), buffer.size());
    found = bpe::unicode::valid_prefix(buffer.data(), buffer.size()) == buffer.size() &&
            bpe::read_json_table(lines, wanted, pass_over_others, table);
  }
  if (!found) return nb::none();
  return nb::make_tuple(to_bytes(table.bytes), to_array(std::move(table.ends)), to_array(std::move(table.present)));
}

nb::bytes lines_of_ids(const Input<uint32_t>& ids, const Input<int64_t>& row_starts, bool json) {
  const int64_t* const starts = row_starts.data();
  if (!row_starts.size() || starts[0] < 0 || static_cast<size_t>(starts[row_starts.size() - 1]) > ids.size() ||
      !std::is_sorted(starts, starts + row_starts.size()))
    throw nb::value_error("row starts do not fit the ids");
  bpe::ByteBuffer lines{};
  {
    const nb::gil_scoped_release release;
    lines = bpe::lines_of_ids(ids.data(), starts, row_starts.size() - 1, json);
  }
  return to_bytes({lines.data.get(), lines.size});
}

// (ids, row starts) of lines of ids, or None if a line is something else.
nb::object ids_of_lines(const nb::bytes& lines) {
  std::optional<bpe::IdRows> rows;
  {
    const bpe::Text text = text_of(lines);
    const nb::gil_scoped_release release;
    rows = bpe::ids_of_lines(text);
  }
  if (!rows) return nb::none();
  return nb::make_tuple(to_array(std::move(rows->ids)), to_array(std::move(rows->row_starts)));
}

}  // namespace

void bind_text(nb::module_& m) {
  m.attr("unicode_source") = bpe::unicode::kSource;
  m.def("valid_prefix", &valid_prefix, "buffer"_a, "start"_a, "stop"_a);
  m.def("spans_to_characters", &spans_to_characters, "text"_a, "spans"_a);
  m.def("utf32_to_utf8", &utf32_to_utf8, "rows"_a);
  m.def("longest_entry", &longest_entry, "entries"_a);
  m.def("count_line_ends", &count_line_ends, "buffer"_a, "start"_a, "stop"_a);
  m.def("json_texts", &json_texts, "lines"_a, "columns"_a);
  m.def("json_table", &json_table, "lines"_a, "columns"_a, "pass_over_others"_a);
  m.def("lines_of_ids", &lines_of_ids, "ids"_a, "row_starts"_a, "json"_a);
  m.def("ids_of_lines", &ids_of_lines, "lines"_a);
}
