// The recovery of merges for Python.
#include "learning/recover_merges.hpp"

#include "python/conversions.hpp"

namespace {

// (left, right, merged ids, unreachable, incomplete), all ranks; see learning/recover_merges.hpp.
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

}  // namespace

void bind_recover_merges(nb::module_& m) { m.def("recover_merges", &recover_merges, "tokens"_a, "characters"_a); }
