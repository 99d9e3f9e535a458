// The module. The files bindings*.cpp are the only ones that know Python: they convert, release the GIL, and translate
// exceptions.
#include <algorithm>
#include <system_error>

#include "counting/parallel_counter.hpp"
#include "encoding/decoder.hpp"
#include "python/conversions.hpp"

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a tokenizer in a cache that lives as long as the process is no leak
  m.attr("unicode_source") = bpe::unicode::kSource;
  m.attr("PLAIN") = static_cast<int>(bpe::SpecialPolicy::kPlain);
  m.attr("ALLOW") = static_cast<int>(bpe::SpecialPolicy::kAllow);
  m.attr("FORBID") = static_cast<int>(bpe::SpecialPolicy::kForbid);
  m.attr("PATTERNS") = nb::make_tuple("gpt2", "cl100k", "o200k", "whitespace", "llama3", "qwen2", "metaspace",
                                      "none");  // by number, as in bpe::Pattern

  // They carry plain numbers in `args`; the tokenizer turns them into the library's errors.
  static nb::object forbidden, unknown, bad_id, invalid;
  forbidden = nb::steal(PyErr_NewException("bpe_transformer._core.ForbiddenSpecial", PyExc_ValueError, nullptr));
  unknown = nb::steal(PyErr_NewException("bpe_transformer._core.UnknownCharacter", PyExc_ValueError, nullptr));
  invalid = nb::steal(PyErr_NewException("bpe_transformer._core.InvalidUtf8", PyExc_ValueError, nullptr));
  m.attr("InvalidUtf8") = invalid;
  m.attr("ForbiddenSpecial") = forbidden;
  bad_id = nb::steal(PyErr_NewException("bpe_transformer._core.BadId", PyExc_ValueError, nullptr));
  m.attr("UnknownCharacter") = unknown;
  m.attr("BadId") = bad_id;
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
    } catch (const std::system_error& problem) {
      PyErr_SetObject(PyExc_OSError, nb::make_tuple(problem.code().value(), problem.what()).ptr());
    }
  });

  // The byte position of the first byte of buffer[start:stop] that is not UTF-8, or stop.
  m.def("valid_prefix", [](nb::handle object, size_t start, size_t stop) {
    const Buffer buffer(object);
    const nb::gil_scoped_release release;
    return start + bpe::unicode::valid_prefix(buffer.data() + start, std::min(stop, buffer.size()) - start);
  });
  // The pre-tokens of a text, as the scanner splits it.
  m.def("split", [](int pattern, nb::handle object) {
    const bpe::Text text = text_of(object);
    nb::list pieces;
    bpe::each_pretoken(static_cast<bpe::Pattern>(pattern), text.data, text.data + text.size, text.data + text.size,
                       [&](const uint8_t* from, const uint8_t* to) {
                         pieces.append(nb::bytes(from, static_cast<size_t>(to - from)));
                       });
    return pieces;
  });
  // What the scanner's vector code may use here, the best last; the one in use; and a way to choose, for tests.
  m.def("simd_levels", [] {
    nb::list names;
    for (const std::string_view name : bpe::simd::levels()) names.append(nb::str(name.data(), name.size()));
    return names;
  });
  m.def("simd_level", [] { return std::string(bpe::simd::level()); });
  m.def("set_simd_level", [](const std::string& name) {
    if (!bpe::simd::set_level(name)) throw nb::value_error("this processor has no such level; see simd_levels()");
  });
  bind_counter(m);
  bind_counting(m);
  bind_learner(m);
  bind_encoder(m);
  bind_decoder(m);
  bind_recover(m);
}
