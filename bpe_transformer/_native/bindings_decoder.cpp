// The decoder for Python.
#include "bindings.hpp"

// Concatenates the bytes of ids. Returns (bytes, -1), or (b"", index of the first id that is out of range).
void bind_decoder(nb::module_& m) {
  struct Decoder {
    std::string blob;
    std::vector<size_t> starts{0};
  };
  nb::class_<Decoder>(m, "Decoder")
      .def("__init__", [](Decoder* self, const nb::list& tokens) {
        new (self) Decoder();
        for (const nb::handle token : tokens) {
          self->blob += view_of(token);
          self->starts.push_back(self->blob.size());
        }
      })
      .def("decode", [](const Decoder& self, const Input<int64_t>& ids) {
        std::string out;
        ptrdiff_t bad = -1;
        {
          const nb::gil_scoped_release release;
          for (size_t i = 0; i < ids.size(); ++i) {
            const int64_t id = ids.data()[i];
            if (id < 0 || static_cast<size_t>(id) + 1 >= self.starts.size()) {
              bad = static_cast<ptrdiff_t>(i);
              break;
            }
            const size_t start = self.starts[static_cast<size_t>(id)];
            out.append(self.blob, start, self.starts[static_cast<size_t>(id) + 1] - start);
          }
        }
        return bad < 0 ? nb::make_tuple(to_bytes(out), -1) : nb::make_tuple(nb::bytes("", 0), bad);
      });
}
