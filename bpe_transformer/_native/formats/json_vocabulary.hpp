// The names, ids and merges in a `tokenizer.json`, which are nearly all of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/named_merges.hpp"

namespace bpe {

struct JsonVocabulary {
  std::string rest;  // the document, with model.vocab and model.merges empty
  Names names;       // of all tokens, in the order of the file
  std::vector<uint32_t> ids;
  NumberedMerges merges;  // by ids
};

// The vocabulary in a document in its usual form; nothing for any other, such as one with a name that occurs twice,
// with an id that is no whole number, or with a merge of names that have no id: the caller reads those more slowly, and
// says what is wrong with them. The rest is not checked.
std::optional<JsonVocabulary> read_json_vocabulary(std::string_view document);

// The same in GPT-2's two files: an object of names and ids, and lines of merges.
std::optional<JsonVocabulary> read_gpt2_vocabulary(std::string_view vocab, std::string_view merges);

}  // namespace bpe
