#include "formats/json_vocabulary.hpp"

#include <utility>

#include "rows/json_reader.hpp"

namespace bpe {

namespace {

constexpr int kMostIdDigits = 9;

class VocabularyReader : private JsonReader {
 public:
  explicit VocabularyReader(std::string_view document) : JsonReader(document), begin_(p_) {}

  bool read(JsonVocabulary& found) {
    if (!document(found) || !vocab_.begin || !merges_.begin) return false;
    const bool in_order = vocab_.begin < merges_.begin;
    const Span &first = in_order ? vocab_ : merges_, &second = in_order ? merges_ : vocab_;
    found.rest.reserve(
        static_cast<size_t>(end_ - begin_ - (vocab_.end - vocab_.begin) - (merges_.end - merges_.begin) + 4));
    found.rest.append(begin_, first.begin).append(in_order ? "{}" : "[]");
    found.rest.append(first.end, second.begin).append(in_order ? "[]" : "{}").append(second.end, end_);
    return number(named_, found);
  }

  bool read_only_names(JsonVocabulary& found) {
    if (!read_names(found)) return false;
    skip_space();
    return p_ == end_;
  }
  // Adds merges, whose names have to be among those of `found`.
  static bool number(const NamedMerges& merges, JsonVocabulary& found) {
    std::vector<std::string_view> tokens;
    tokens.reserve(found.names.size());
    for (size_t i = 0; i < found.names.size(); ++i) tokens.push_back(found.names[i]);
    std::optional<NumberedMerges> numbered = bpe::numbered(merges, tokens);
    if (!numbered) return false;
    found.merges = std::move(*numbered);
    for (auto* column : {&found.merges.left, &found.merges.right, &found.merges.merged})
      for (uint32_t& number : *column) number = found.ids[number];
    return true;
  }

 private:
  struct Span {
    const char *begin = nullptr, *end = nullptr;
  };

  bool document(JsonVocabulary& found) {
    bool has_model = false;
    const bool whole = each_member([&](std::string_view key) {
      if (key != "model") return value(1);
      if (has_model) return false;
      has_model = true;
      return each_member([&](std::string_view inner) {
        if (inner == "vocab") return next_is('{') && read_span(vocab_, [&] { return read_names(found); });
        if (inner != "merges") return value(2);
        return next_is('[') && read_span(merges_, [&] { return read_merges(); });
      });
    });
    skip_space();
    return whole && p_ == end_;
  }
  template <class Read>
  bool read_span(Span& span, const Read& read) {
    if (span.begin) return false;
    span.begin = p_;
    if (!read()) return false;
    span.end = p_;
    return true;
  }
  template <class Read>
  bool each_member(const Read& read) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string_view key;
      if (!plain_key(key) || !take(':') || !read(key)) return false;
    } while (take(','));
    return take('}');
  }

  bool read_names(JsonVocabulary& found) {
    if (!take('{') || take('}')) return false;
    std::string& names = found.names.bytes;
    names.reserve(static_cast<size_t>(end_ - p_) / 4);
    do {
      const size_t start = names.size();
      uint32_t id = 0;
      if (!string(&names) || names.size() == start || !take(':') || !read_id(id)) return false;
      found.names.ends.push_back(names.size());
      found.ids.push_back(id);
    } while (take(','));
    return take('}');
  }
  bool read_id(uint32_t& id) {
    skip_space();
    int digits = 0;
    for (; p_ < end_ && *p_ >= '0' && *p_ <= '9' && digits < kMostIdDigits; ++p_, ++digits)
      id = 10 * id + static_cast<uint32_t>(*p_ - '0');
    return digits > 0 && (digits == 1 || p_[-digits] != '0') && (next_is(',') || next_is('}'));
  }

  bool read_merges() {
    if (!take('[')) return false;
    if (take(']')) return true;
    named_.names.reserve(static_cast<size_t>(end_ - p_) / 2);
    do {
      size_t middle = 0;
      if (!read_pair(named_.names, middle)) return false;
      named_.middles.push_back(middle);
      named_.ends.push_back(named_.names.size());
    } while (take(','));
    return take(']');
  }
  // Appends the names of a merge, and finds where the second begins: ["a", "b"] or "a b".
  bool read_pair(std::string& names, size_t& middle) {
    if (next_is('"')) {
      const size_t start = names.size();
      if (!string(&names)) return false;
      middle = names.find(' ', start);
      if (middle == names.npos || names.rfind(' ') != middle) return false;
      names.erase(middle, 1);
      return true;
    }
    if (!take('[') || !string(&names)) return false;
    middle = names.size();
    return take(',') && string(&names) && take(']');
  }

  const char* const begin_;
  Span vocab_, merges_;
  NamedMerges named_;
};

}  // namespace

std::optional<JsonVocabulary> read_json_vocabulary(std::string_view document) {
  JsonVocabulary found;
  if (!VocabularyReader(document).read(found)) return std::nullopt;
  return found;
}

std::optional<JsonVocabulary> read_gpt2_vocabulary(std::string_view vocab, std::string_view merges) {
  JsonVocabulary found;
  if (!VocabularyReader(vocab).read_only_names(found)) return std::nullopt;
  const std::optional<NamedMerges> named = read_merge_lines(merges, "#version");
  if (!named || !VocabularyReader::number(*named, found)) return std::nullopt;
  return found;
}

}  // namespace bpe
