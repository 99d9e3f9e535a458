// The decoder for Python.
#include "encoding/decoder.hpp"
#include "python/conversions.hpp"

namespace {

using bpe::Decoder;

// The ids that a Python list, tuple or array holds, for one call.
class Ids {
 public:
  explicit Ids(nb::handle object) {
    if (PyList_CheckExact(object.ptr()) || PyTuple_CheckExact(object.ptr())) {
      read(object.ptr());
    } else if (!nb::try_cast(object, array_, false)) {
      throw nb::type_error("ids");  // the tokenizer converts other sequences, or says why it does not
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
  PyObject* const str = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), errors);
  if (!str) throw nb::python_error();
  return nb::steal(str);
}

void init(Decoder* self, const nb::list& tokens, const nb::bytes& flags, int prefix, bool squeezes) {
  if (flags.size() != tokens.size()) throw nb::value_error("tokens and flags are not equally many");
  const auto* const data = reinterpret_cast<const uint8_t*>(flags.c_str());
  new (self) Decoder(views_of(tokens), {data, data + flags.size()}, static_cast<Decoder::Prefix>(prefix), squeezes);
}

nb::bytes decode_bytes(const Decoder& self, nb::handle ids, bool skip_special) {
  bpe::Scratch scratch;
  return to_bytes(Ids(ids).decode(self, skip_special, scratch));
}

nb::object decode(const Decoder& self, nb::handle ids, bool skip_special, const char* errors) {
  bpe::Scratch scratch;
  return to_str(Ids(ids).decode(self, skip_special, scratch), errors);
}

nb::list decode_batch(const Decoder& self, const nb::list& rows, bool skip_special, const char* errors) {
  bpe::Scratch scratch;
  nb::list texts;
  for (const nb::handle row : rows) texts.append(to_str(Ids(row).decode(self, skip_special, scratch), errors));
  return texts;
}

// Calls use(start, size) for each row of an array of `num_ids` ids: row i has ids[row_starts[i]:row_starts[i + 1]].
template <class Use>
void each_row(const Input<int64_t>& row_starts, size_t num_ids, Use&& use) {
  for (size_t i = 0; i + 1 < row_starts.size(); ++i) {
    const int64_t from = row_starts.data()[i], to = row_starts.data()[i + 1];
    if (from < 0 || to < from || static_cast<size_t>(to) > num_ids)
      throw std::invalid_argument("row starts do not fit the ids");
    use(static_cast<size_t>(from), static_cast<size_t>(to - from));
  }
}

// The texts of rows of ids in one array.
nb::list decode_rows(const Decoder& self, const Input<uint32_t>& ids, const Input<int64_t>& row_starts,
                     bool skip_special, const char* errors) {
  bpe::Scratch scratch;
  nb::list texts;
  each_row(row_starts, ids.size(), [&](size_t from, size_t count) {
    texts.append(to_str(self.decode(ids.data() + from, count, skip_special, scratch), errors));
  });
  return texts;
}

// The bytes of such rows one after another, each with `end` after it.
nb::bytes join_rows(const Decoder& self, nb::handle object, const Input<int64_t>& row_starts, bool skip_special,
                    const nb::bytes& end) {
  const Ids ids(object);
  bpe::Scratch scratch;
  std::string out;
  {
    const std::string_view after = view_of(end);
    const nb::gil_scoped_release release;
    each_row(row_starts, ids.size(), [&](size_t from, size_t count) {
      try {
        out += ids.decode(self, from, count, skip_special, scratch);
      } catch (const bpe::BadId& problem) {
        throw bpe::BadId(from + problem.position);
      }
      out += after;
    });
  }
  return to_bytes(out);
}

}  // namespace

// Every method raises BadId for an id out of range, and TypeError for what it cannot read as ids.
void bind_decoder(nb::module_& m) {
  nb::class_<Decoder>(m, "Decoder")
      .def("__init__", &init, "tokens"_a, "flags"_a, "prefix"_a, "squeezes"_a)
      .def("decode_bytes", &decode_bytes, "ids"_a, "skip_special"_a)
      .def("decode", &decode, "ids"_a, "skip_special"_a, "errors"_a)
      .def("decode_batch", &decode_batch, "rows"_a, "skip_special"_a, "errors"_a)
      .def("decode_rows", &decode_rows, "ids"_a, "row_starts"_a, "skip_special"_a, "errors"_a)
      .def("join_rows", &join_rows, "ids"_a, "row_starts"_a, "skip_special"_a, "end"_a);
}
