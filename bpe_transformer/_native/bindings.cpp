// The only file that knows Python: converts, releases the GIL, translates exceptions.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unordered_map.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "counter.hpp"
#include "encoder.hpp"
#include "learner.hpp"
#include "tally.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;
template <class T>
using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto* const kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(kept->data(), {kept->size()}, owner);
}

Array<uint32_t> to_array(bpe::IdBuffer&& ids) {
  const size_t size = ids.size();
  uint32_t* const data = ids.release();
  nb::capsule owner(data ? data : new uint32_t[1], [](void* p) noexcept { delete[] static_cast<uint32_t*>(p); });
  return Array<uint32_t>(static_cast<uint32_t*>(owner.data()), {size}, owner);
}

nb::list to_list(const bpe::IdBuffer& ids) {
  nb::list list;
  for (size_t i = 0; i < ids.size(); ++i) list.append(ids.data()[i]);
  return list;
}

// A read-only view of any object with the buffer protocol, for as long as it lives.
class Buffer {
 public:
  explicit Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

// The UTF-8 of a str, or the bytes of a bytes, read in place: valid while the object lives.
bpe::Text text_of(nb::handle object) {
  Py_ssize_t size = 0;
  if (PyUnicode_Check(object.ptr())) {
    const char* const data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (!data) throw nb::python_error();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
  }
  char* data = nullptr;
  if (PyBytes_AsStringAndSize(object.ptr(), &data, &size) != 0) throw nb::python_error();
  return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

std::string_view view_of(nb::handle object) {
  const bpe::Text text = text_of(object);
  return {reinterpret_cast<const char*>(text.data), text.size};
}

std::vector<bpe::Text> texts_of(const nb::tuple& objects) {
  std::vector<bpe::Text> texts;
  texts.reserve(objects.size());
  for (const nb::handle object : objects) texts.push_back(text_of(object));
  return texts;
}

nb::bytes to_bytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }

std::string to_string(nb::handle object) { return std::string(view_of(object)); }

std::vector<std::string> to_strings(const nb::list& objects) {
  std::vector<std::string> strings;
  for (const nb::handle object : objects) strings.push_back(to_string(object));
  return strings;
}

std::vector<bpe::SpecialPolicy> to_policy(const nb::bytes& policy) {
  const auto* const data = reinterpret_cast<const bpe::SpecialPolicy*>(policy.c_str());
  return {data, data + policy.size()};
}

void bind_counter(nb::module_& m) {
  using bpe::WordCounts;
  nb::class_<WordCounts>(m, "WordCounts")
      .def(nb::init<>())
      .def("__len__", &WordCounts::size)
      .def_prop_ro("total", &WordCounts::total)
      .def_prop_ro("saturated", &WordCounts::saturated)
      .def("add", [](WordCounts& self, const nb::bytes& word, uint64_t count) {
        if (word.size() && count) self.add(view_of(word), count);
      })
      .def("merge", &WordCounts::merge, nb::call_guard<nb::gil_scoped_release>())
      .def("add_pieces", [](WordCounts& self, const nb::list& pieces) {
        for (const nb::handle piece : pieces)
          if (const std::string_view word = view_of(piece); !word.empty()) self.add(word, 1);
      })
      .def("count_texts", [](WordCounts& self, int pattern, const nb::tuple& objects, int num_threads) {
        const std::vector<bpe::Text> texts = texts_of(objects);
        const nb::gil_scoped_release release;
        bpe::count_texts(self, static_cast<bpe::Pattern>(pattern), texts, num_threads);
      })
      // Counts the pre-tokens of buffer[start:stop] and goes on to the next safe cut; returns where it stopped.
      .def("count_range", [](WordCounts& self, int pattern, nb::handle object, size_t start, size_t stop, int num_threads) {
        const Buffer buffer(object);
        const nb::gil_scoped_release release;
        const uint8_t* const end = buffer.data() + buffer.size();
        const uint8_t* const cut = stop < buffer.size() ? bpe::safe_cut(buffer.data() + stop, end) : end;
        bpe::count_range(self, static_cast<bpe::Pattern>(pattern), buffer.data() + start, cut, end, num_threads);
        return static_cast<size_t>(cut - buffer.data());
      })
      .def("words", [](const WordCounts& self) {  // of bpe::Alphabet::word_of: white space at the ends dropped
        auto words = std::make_unique<WordCounts>();
        bpe::Alphabet alphabet;
        alphabet.marks_end = true;
        self.each([&](std::string_view piece, uint64_t count) {
          if (const std::string_view word = alphabet.word_of(piece); !word.empty()) words->add(word, count);
        });
        return words.release();
      }, nb::rv_policy::take_ownership)
      // (code points inside words, code points that end a word if `marks_end`), both sorted
      .def("characters", [](const WordCounts& self, bool marks_end) {
        std::vector<uint8_t> seen(0x110000);
        bool valid = true;
        self.each([&](std::string_view word, uint64_t) {
          const auto* p = reinterpret_cast<const uint8_t*>(word.data());
          const auto* const end = p + word.size();
          while (p < end) {
            const bpe::unicode::Symbol s = bpe::unicode::decode(p, end);
            p += s.length;
            if (s.code_point == bpe::unicode::kInvalid) valid = false;
            else seen[s.code_point] |= marks_end && p == end ? 2 : 1;
          }
        });
        if (!valid) throw nb::value_error("a word is not UTF-8");
        std::vector<uint32_t> inner, last;
        for (uint32_t cp = 0; cp < seen.size(); ++cp) {
          if (seen[cp] & 1) inner.push_back(cp);
          if (seen[cp] & 2) last.push_back(cp);
        }
        return std::make_pair(std::move(inner), std::move(last));
      })
      // most frequent first, then by bytes
      .def("items", [](const WordCounts& self) {
        std::vector<std::pair<std::string, uint64_t>> items;
        items.reserve(self.size());
        self.each([&](std::string_view word, uint64_t count) { items.emplace_back(word, count); });
        std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
          return a.second != b.second ? a.second > b.second : a.first < b.first;
        });
        nb::list out;
        for (const auto& [word, count] : items) out.append(nb::make_tuple(to_bytes(word), count));
        return out;
      });
}

void bind_learner(nb::module_& m) {
  using bpe::Alphabet;
  using bpe::Learner;
  nb::class_<Alphabet>(m, "Alphabet")
      .def_static("of_bytes", [](const std::vector<uint32_t>& id_of_byte) {
        if (id_of_byte.size() != 256) throw nb::value_error("a byte alphabet has 256 ids");
        Alphabet alphabet;
        std::copy(id_of_byte.begin(), id_of_byte.end(), alphabet.id_of_byte.begin());
        return alphabet;
      })
      .def_static("of_characters", [](std::unordered_map<uint32_t, uint32_t> inner,
                                      std::unordered_map<uint32_t, uint32_t> last, bool marks_end, int64_t unknown,
                                      std::vector<uint32_t> fallback, bool fuse_unknown) {
        if (!fallback.empty() && fallback.size() != 256) throw nb::value_error("byte fallback takes 256 ids");
        Alphabet alphabet;
        alphabet.bytes = false;
        alphabet.marks_end = marks_end;
        alphabet.inner = std::move(inner);
        alphabet.last = std::move(last);
        alphabet.unknown = unknown < 0 ? bpe::kNoId : static_cast<uint32_t>(unknown);
        alphabet.fallback = std::move(fallback);
        alphabet.fuse_unknown = fuse_unknown;
        return alphabet;
      });
  nb::class_<Learner>(m, "Learner")
      .def("__init__", [](Learner* self, const bpe::WordCounts& words, const Alphabet& alphabet, const nb::list& base,
                          uint32_t first_merge_id, uint32_t max_merges, uint64_t min_frequency, const nb::list& never) {
        const std::vector<std::string> base_bytes = to_strings(base), never_bytes = to_strings(never);
        const nb::gil_scoped_release release;
        new (self) Learner(words, alphabet, base_bytes, first_merge_id, max_merges, min_frequency, never_bytes);
      })
      .def_prop_ro("tokens", &Learner::tokens)
      .def_prop_ro("words", &Learner::words)
      // Up to n merges, as columns; fewer when no pair is left.
      .def("run", [](Learner& self, size_t n) {
        std::vector<uint32_t> left, right, runner_left, runner_right;
        std::vector<uint64_t> count, runner_count, words_touched, tokens_left;
        {
          const nb::gil_scoped_release release;
          bpe::MergeRecord record{};
          while (left.size() < n && self.step(record)) {
            left.push_back(record.left);
            right.push_back(record.right);
            count.push_back(record.count);
            runner_left.push_back(record.runner_left);
            runner_right.push_back(record.runner_right);
            runner_count.push_back(record.runner_count);
            words_touched.push_back(record.words_touched);
            tokens_left.push_back(record.tokens_left);
          }
        }
        return nb::make_tuple(to_array(std::move(left)), to_array(std::move(right)), to_array(std::move(count)),
                              to_array(std::move(runner_left)), to_array(std::move(runner_right)),
                              to_array(std::move(runner_count)), to_array(std::move(words_touched)),
                              to_array(std::move(tokens_left)));
      });
}

bpe::IdBuffer concatenate(std::vector<bpe::IdBuffer>&& parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  size_t total = 0;
  for (const auto& part : parts) total += part.size();
  bpe::IdBuffer ids;
  ids.reserve(total);
  ids.resize(total);
  uint32_t* to = ids.data();
  for (const auto& part : parts) to = std::copy_n(part.data(), part.size(), to);
  return ids;
}

void bind_encoder(nb::module_& m) {
  using bpe::Encoder;
  nb::class_<Encoder>(m, "Encoder")
      .def("__init__", [](Encoder* self, const bpe::Alphabet& alphabet, const Input<uint32_t>& left,
                          const Input<uint32_t>& right, const Input<uint32_t>& made, const nb::list& specials,
                          const nb::list& whole) {
        std::vector<bpe::Merge> merges(left.size());
        for (size_t i = 0; i < merges.size(); ++i) merges[i] = {left.data()[i], right.data()[i], made.data()[i]};
        const auto named = [](const nb::list& list) {
          std::vector<bpe::SpecialToken> tokens;
          tokens.reserve(list.size());
          for (const nb::handle token : list) tokens.push_back({to_string(token[0]), nb::cast<uint32_t>(token[1])});
          return tokens;
        };
        new (self) Encoder(alphabet, merges, named(specials), named(whole));
      })
      .def("encode", [](const Encoder& self, int pattern, nb::handle object, const nb::bytes& policy) {
        const bpe::Text text = text_of(object);
        const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
        bpe::IdBuffer ids;
        const auto work = [&] {
          Encoder::Borrowed cache(self);
          self.encode(static_cast<bpe::Pattern>(pattern), text, policies, *cache, ids);
        };
        if (text.size < 4096) {
          work();
        } else {
          const nb::gil_scoped_release release;
          work();
        }
        return to_list(ids);
      })
      .def("encode_pieces", [](const Encoder& self, const nb::list& pieces) {
        Encoder::Borrowed cache(self);
        bpe::IdBuffer ids;
        size_t position = 0;
        for (const nb::handle piece : pieces) {
          const std::string_view bytes = view_of(piece);
          try {
            self.encode_piece(bytes, *cache, ids);
          } catch (const bpe::UnknownCharacter& cause) {
            throw bpe::UnknownInText(cause, 0, position + cause.position);
          }
          position += bytes.size();
        }
        return to_list(ids);
      })
      .def("tally", [](const Encoder& self, const bpe::WordCounts& words, size_t num_ids, int num_threads) {
        std::vector<uint64_t> sums;
        {
          const nb::gil_scoped_release release;
          sums = bpe::tally(self, words, num_ids, num_threads);
        }
        return to_array(std::move(sums));
      })
      .def("encode_batch", [](const Encoder& self, int pattern, const nb::tuple& objects, const nb::bytes& policy, int num_threads) {
        const std::vector<bpe::Text> texts = texts_of(objects);
        const std::vector<bpe::SpecialPolicy> policies = to_policy(policy);
        Encoder::Batch batch;
        bpe::IdBuffer ids;
        {
          const nb::gil_scoped_release release;
          batch = self.encode_batch(static_cast<bpe::Pattern>(pattern), texts, policies, num_threads);
          ids = concatenate(std::move(batch.parts));
        }
        return std::make_pair(to_array(std::move(ids)), to_array(std::move(batch.offsets)));
      });
}

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

}  // namespace

NB_MODULE(_core, m) {
  m.attr("unicode_source") = bpe::unicode::kSource;
  m.attr("PLAIN") = static_cast<int>(bpe::SpecialPolicy::kPlain);
  m.attr("ALLOW") = static_cast<int>(bpe::SpecialPolicy::kAllow);
  m.attr("FORBID") = static_cast<int>(bpe::SpecialPolicy::kForbid);
  m.attr("PATTERNS") = nb::make_tuple("gpt2", "cl100k", "o200k", "whitespace");  // by number, as in bpe::Pattern

  // Both carry plain numbers in `args`; the tokenizer turns them into the library's errors.
  static nb::object forbidden, unknown;
  forbidden = nb::steal(PyErr_NewException("bpe_transformer._core.ForbiddenSpecial", PyExc_ValueError, nullptr));
  unknown = nb::steal(PyErr_NewException("bpe_transformer._core.UnknownCharacter", PyExc_ValueError, nullptr));
  m.attr("ForbiddenSpecial") = forbidden;
  m.attr("UnknownCharacter") = unknown;
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const bpe::ForbiddenSpecial& problem) {
      PyErr_SetObject(forbidden.ptr(), nb::make_tuple(problem.token, problem.position).ptr());
    } catch (const bpe::UnknownInText& problem) {
      PyErr_SetObject(unknown.ptr(), nb::make_tuple(problem.code_point, problem.text, problem.position).ptr());
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
  bind_counter(m);
  bind_learner(m);
  bind_encoder(m);
  bind_decoder(m);
}
