// The bindings of the Encoder class, which lie in several files, and what they share.
#pragma once

#include <string_view>
#include <vector>

#include "encoding/encoder.hpp"
#include "python/conversions.hpp"

using EncoderClass = nb::class_<bpe::Encoder>;

// Each adds the methods of one way of encoding; in the file of its name.
void bind_spans(EncoderClass& encoder);
void bind_dropout(EncoderClass& encoder);

// The policies of all special tokens, from one byte each.
inline std::vector<bpe::SpecialPolicy> to_policies(const nb::bytes& policies) {
  const auto* const data = reinterpret_cast<const bpe::SpecialPolicy*>(policies.c_str());
  return {data, data + policies.size()};
}

// Calls work(), without the GIL if the text is long enough for releasing it to pay.
template <class Work>
void work_on(bpe::Text text, size_t long_text, Work&& work) {
  if (text.size < long_text) return work();
  const LongCall call(text.size);
  work();
}

// Calls encode(pretoken, start) for pre-tokens that follow each other, with the byte where each starts.
template <class Encode>
void encode_each(const nb::list& pretokens, Encode&& encode) {
  size_t position = 0;
  for (const nb::handle pretoken : pretokens) {
    const std::string_view bytes = view_of(pretoken);
    try {
      encode(bytes, position);
    } catch (const bpe::UnknownCharacter& cause) {
      throw bpe::UnknownInText(cause, 0, position + cause.position);
    }
    position += bytes.size();
  }
}
