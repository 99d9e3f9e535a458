// The decoder for Python.
#include <algorithm>

#include "encoding/decoder.hpp"
#include "python/conversions.hpp"
#include "text/ids_text.hpp"

namespace {

using bpe::Decoder;

// Ids read from a Python object, for one call of decode.
class Ids {
 public:
  explicit Ids(nb::handle object) {
    if (PyList_CheckExact(object.ptr()) || PyTuple_CheckExact(object.ptr())) {
      read(object.ptr());
    } else if (!nb::try_cast(object, array_, false)) {
      throw nb::type_error("ids");  // the tokenizer converts what else may hold ids, or says why it does not
    }
  }
  size_t size() const { return array_.is_valid() ? array_.shape(0) : list_.size(); }
  std::string_view decode(const Decoder& decoder, bool skip_special, bpe::Scratch& scratch) const {
    return decode(decoder, 0, size(), skip_special, scratch);
  }
  // The text of `count` ids from number `from` on.
  std::string_view decode(const Decoder& decoder, size_t from, size_t count, bool skip_special,
                          bpe::Scratch& scratch) const {
    const auto of = [&](auto id) {
      return decoder.decode(static_cast<const decltype(id)*>(array_.data()) + from, count, skip_special, scratch);
    };
    if (!array_.is_valid()) return decoder.decode(list_.data() + from, count, skip_special, scratch);
    const nb::dlpack::dtype type = array_.dtype();
    if (type.code != static_cast<uint8_t>(nb::dlpack::dtype_code::Int) &&
        type.code != static_cast<uint8_t>(nb::dlpack::dtype_code::UInt))
      throw nb::type_error("ids");
    const bool is_signed = type.code == static_cast<uint8_t>(nb::dlpack::dtype_code::Int);
    switch (type.bits) {
      case 16: return is_signed ? of(int16_t{}) : of(uint16_t{});
      case 32: return is_signed ? of(int32_t{}) : of(uint32_t{});
      case 64: return is_signed ? of(int64_t{}) : of(uint64_t{});
      default: throw nb::type_error("ids");
    }
  }

 private:
  void read(PyObject* sequence) {
    const auto size = static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence));
    PyObject** const items = PySequence_Fast_ITEMS(sequence);
    list_.reserve(size);
    for (size_t i = 0; i < size; ++i) {
      if (!PyLong_CheckExact(items[i])) throw nb::type_error("ids");
      int overflow = 0;
      list_.push_back(PyLong_AsLongLongAndOverflow(items[i], &overflow));
      if (overflow) throw nb::type_error("ids");
    }
  }
  std::vector<long long> list_;
  nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig, nb::device::cpu> array_;
};

nb::object to_str(std::string_view text, const char* errors) {
  return nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), errors));
}

nb::object checked(nb::object object) {
  if (!object.is_valid()) throw nb::python_error();
  return object;
}

}  // namespace

// Every method raises BadId for an id out of range, and TypeError for what it cannot read as ids.
void bind_decoder(nb::module_& m) {
  nb::class_<Decoder>(m, "Decoder")
      .def("__init__",
           [](Decoder* self, const nb::list& surfaces, const nb::bytes& flags, int prefix) {
             if (flags.size() != surfaces.size()) throw nb::value_error("a flag a token");
             std::vector<std::string_view> views;
             views.reserve(surfaces.size());
             for (const nb::handle surface : surfaces) views.push_back(view_of(surface));
             const auto* const data = reinterpret_cast<const uint8_t*>(flags.c_str());
             new (self) Decoder(views, {data, data + flags.size()}, static_cast<Decoder::Prefix>(prefix));
           })
      .def("data",
           [](const Decoder& self, nb::handle ids, bool skip_special) {
             bpe::Scratch scratch;
             return to_bytes(Ids(ids).decode(self, skip_special, scratch));
           })
      .def("text",
           [](const Decoder& self, nb::handle ids, bool skip_special, const char* errors) {
             bpe::Scratch scratch;
             return checked(to_str(Ids(ids).decode(self, skip_special, scratch), errors));
           })
      .def("texts",
           [](const Decoder& self, const nb::list& rows, bool skip_special, const char* errors) {
             bpe::Scratch scratch;
             nb::list texts;
             for (const nb::handle row : rows)
               texts.append(checked(to_str(Ids(row).decode(self, skip_special, scratch), errors)));
             return texts;
           })
      // The texts of ids one after another: text i has ids[offsets[i]:offsets[i + 1]], as Encodings has them.
      .def("texts_at",
           [](const Decoder& self, const Input<uint32_t>& ids, const Input<int64_t>& offsets, bool skip_special,
              const char* errors) {
             bpe::Scratch scratch;
             nb::list texts;
             for (size_t i = 0; i + 1 < offsets.size(); ++i) {
               const int64_t from = offsets.data()[i], to = offsets.data()[i + 1];
               if (from < 0 || to < from || static_cast<size_t>(to) > ids.size())
                 throw nb::value_error("offsets do not fit the ids");
               const auto count = static_cast<size_t>(to - from);
               texts.append(checked(to_str(self.decode(ids.data() + from, count, skip_special, scratch), errors)));
             }
             return texts;
           })
      // The bytes of such texts, each with `end` after it.
      .def("joined_at", [](const Decoder& self, nb::handle object, const Input<int64_t>& offsets, bool skip_special,
                           const nb::bytes& end) {
        const Ids ids(object);
        bpe::Scratch scratch;
        std::string out;
        {
          const std::string_view after = view_of(end);
          const nb::gil_scoped_release release;
          for (size_t i = 0; i + 1 < offsets.size(); ++i) {
            const int64_t from = offsets.data()[i], to = offsets.data()[i + 1];
            if (from < 0 || to < from || static_cast<size_t>(to) > ids.size())
              throw std::invalid_argument("offsets do not fit the ids");
            try {
              out += ids.decode(self, static_cast<size_t>(from), static_cast<size_t>(to - from), skip_special, scratch);
            } catch (const bpe::BadId& problem) {
              throw bpe::BadId(static_cast<size_t>(from) + problem.position);
            }
            out += after;
          }
        }
        return to_bytes(out);
      });
  m.def("lines_of_ids", [](const Input<uint32_t>& ids, const Input<int64_t>& offsets, bool json) {
    const int64_t* const edges = offsets.data();
    if (!offsets.size() || edges[0] < 0 || static_cast<size_t>(edges[offsets.size() - 1]) > ids.size() ||
        !std::is_sorted(edges, edges + offsets.size()))
      throw nb::value_error("offsets do not fit the ids");
    bpe::Written lines{};
    {
      const nb::gil_scoped_release release;
      lines = bpe::lines_of_ids(ids.data(), offsets.data(), offsets.size() - 1, json);
    }
    return to_bytes({lines.data.get(), lines.size});
  });
  // (ids, offsets) of lines of ids, or None if a line is something else.
  m.def("ids_of_lines", [](const nb::bytes& lines) -> nb::object {
    std::optional<bpe::IdRows> rows;
    {
      const bpe::Text text = text_of(lines);
      const nb::gil_scoped_release release;
      rows = bpe::ids_of_lines(text);
    }
    if (!rows) return nb::none();
    return nb::make_tuple(to_array(std::move(rows->ids)), to_array(std::move(rows->offsets)));
  });
}
