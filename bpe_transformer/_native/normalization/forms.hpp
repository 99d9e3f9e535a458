// Unicode's normalization forms (Standard Annex 15), with the tables of one version of Unicode, and where the bytes of
// normalised text come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "normalization/alignment.hpp"
#include "text/text.hpp"

namespace bpe {

enum class Form : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// The first byte at or after `from`, where a segment begins, that normalisation may change; the text's size if it
// changes nothing. Bytes that are not UTF-8 stay as they are.
size_t first_change(Form form, Text text, size_t from = 0);
// The text in a form. Segments are normalised one by one: each begins with a character that normalisation neither
// reorders nor joins to what is before it. The bytes of a segment that changes come from all of it, others from
// themselves.
std::string normalized(Form form, Text text, Alignment* alignment = nullptr);
// Whether a segment may begin with a character.
bool begins_segment(Form form, uint32_t code_point);

}  // namespace bpe
