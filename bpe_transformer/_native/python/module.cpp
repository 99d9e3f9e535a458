// The Python module _core, and the core's exceptions for Python. Only the files of this folder use Python: they
// convert, release the GIL and translate exceptions.
#include <string>
#include <system_error>

#include "counting/parallel_counter.hpp"
#include "encoding/decoder.hpp"
#include "encoding/errors.hpp"
#include "normalization/normalizer.hpp"
#include "python/conversions.hpp"

namespace {

// A subclass of ValueError that carries plain numbers in `args`; the tokenizer turns it into the library's errors.
nb::object new_exception(nb::module_& m, const char* name) {
  const std::string full_name = std::string("bpe_transformer._core.") + name;
  nb::object type = nb::steal(PyErr_NewException(full_name.c_str(), PyExc_ValueError, nullptr));
  if (!type.is_valid()) throw nb::python_error();
  m.attr(name) = type;
  return type;
}

}  // namespace

void bind_exceptions(nb::module_& m) {
  static nb::object forbidden, unknown, bad_id, invalid, too_long, grows;
  forbidden = new_exception(m, "ForbiddenSpecial");
  unknown = new_exception(m, "UnknownCharacter");
  bad_id = new_exception(m, "BadId");
  invalid = new_exception(m, "InvalidUtf8");
  too_long = new_exception(m, "WordTooLong");
  grows = new_exception(m, "TextGrows");
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const bpe::ForbiddenSpecial& problem) {
      PyErr_SetObject(forbidden.ptr(), nb::make_tuple(problem.token, problem.text, problem.position).ptr());
    } catch (const bpe::UnknownInText& problem) {
      PyErr_SetObject(unknown.ptr(), nb::make_tuple(problem.code_point, problem.text, problem.position).ptr());
    } catch (const bpe::BadId& problem) {
      PyErr_SetObject(bad_id.ptr(), nb::make_tuple(problem.position).ptr());
    } catch (const bpe::InvalidUtf8& problem) {
      PyErr_SetObject(invalid.ptr(), nb::make_tuple(problem.text, problem.position, problem.byte).ptr());
    } catch (const bpe::WordTooLong& problem) {
      const int64_t text = problem.text == bpe::WordTooLong::kNoText ? -1 : static_cast<int64_t>(problem.text);
      PyErr_SetObject(too_long.ptr(), nb::make_tuple(text, problem.position, problem.size).ptr());
    } catch (const bpe::TextGrows& problem) {
      PyErr_SetObject(grows.ptr(), nb::make_tuple(problem.most).ptr());
    } catch (const std::system_error& problem) {
      PyErr_SetObject(PyExc_OSError, nb::make_tuple(problem.code().value(), problem.what()).ptr());
    }
  });
}

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a tokenizer that is cached until the process ends is not a leak
  bind_exceptions(m);
  bind_text(m);
  bind_normalization(m);
  bind_splitting(m);
  bind_word_counts(m);
  bind_sorted_runs(m);
  bind_parallel_counter(m);
  bind_alphabet(m);
  bind_encoder(m);
  bind_decoder(m);
  bind_learner(m);
  bind_formats(m);
  bind_step_attention(m);
}
