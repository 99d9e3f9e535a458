// The recovery of merges for Python.
#include "learning/recover_merges.hpp"
#include "python/conversions.hpp"

// recover(tokens by rank, characters) -> (left, right, made, stuck, incomplete), all ranks. See recover.hpp.
void bind_recover(nb::module_& m) {
  m.def("recover", [](const nb::list& tokens, bool characters) {
    std::vector<std::string_view> views;
    views.reserve(tokens.size());
    for (const nb::handle token : tokens) views.push_back(view_of(token));
    bpe::Recovered found;
    {
      const nb::gil_scoped_release release;
      found = bpe::recover(views, characters);
    }
    return nb::make_tuple(to_array(std::move(found.left)), to_array(std::move(found.right)),
                          to_array(std::move(found.made)), to_array(std::move(found.stuck)),
                          to_array(std::move(found.incomplete)));
  });
}
