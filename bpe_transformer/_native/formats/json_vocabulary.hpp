// The names, ids and merges in a `tokenizer.json`, which are nearly all of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bpe {

struct JsonVocabulary {
  std::string rest;          // the document, with model.vocab and model.merges empty
  std::string names;         // of all tokens, in the order of the file, one after another
  std::vector<size_t> ends;  // of each name in them
  std::vector<uint32_t> ids;
  std::vector<uint32_t> left, right, merged_ids;  // ids, by rank
  bool makes_twice = false;                       // whether two merges make the same token
};

// The vocabulary in a document in its usual form; nothing for any other, such as one with a name that occurs twice,
// with an id that is no whole number, or with a merge of names that have no id: the caller reads those more slowly, and
// says what is wrong with them. The rest is not checked.
std::optional<JsonVocabulary> read_json_vocabulary(std::string_view document);

}  // namespace bpe
