// Errors in a text that is being encoded, with their position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "merging/alphabet.hpp"

namespace bpe {

// A special token in a text that may not hold it.
struct ForbiddenSpecial : std::runtime_error {
  ForbiddenSpecial(size_t token, size_t position)
      : std::runtime_error("special token"), token(token), position(position) {}
  size_t token;     // index into the encoder's special tokens
  size_t text = 0;  // index in the batch
  size_t position;  // byte in the text
};

// UnknownCharacter with the text that holds it.
struct UnknownInText : std::runtime_error {
  UnknownInText(const UnknownCharacter& cause, size_t text, size_t position)
      : std::runtime_error(cause.what()), code_point(cause.code_point), text(text), position(position) {}
  uint32_t code_point;
  size_t text;      // index in the batch
  size_t position;  // byte in the text
};

// Calls work(); errors that it throws name text number i.
template <class Work>
void for_text(size_t i, Work&& work) {
  try {
    work();
  } catch (UnknownInText& problem) {
    problem.text = i;
    throw;
  } catch (ForbiddenSpecial& problem) {
    problem.text = i;
    throw;
  }
}

}  // namespace bpe
