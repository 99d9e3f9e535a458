#include "formats/json_vocabulary.hpp"

#include <algorithm>

#include "formats/token_table.hpp"
#include "text/json_reader.hpp"

namespace bpe {

namespace {

constexpr int kMostIdDigits = 9;

class VocabularyReader : private JsonReader {
 public:
  explicit VocabularyReader(std::string_view document) : JsonReader(document), begin_(p_) {}

  bool read(JsonVocabulary& found) {
    if (!document() || !vocab_.begin || !merges_.begin) return false;
    const bool in_order = vocab_.begin < merges_.begin;
    const Span &first = in_order ? vocab_ : merges_, &second = in_order ? merges_ : vocab_;
    found.rest.reserve(
        static_cast<size_t>(end_ - begin_ - (vocab_.end - vocab_.begin) - (merges_.end - merges_.begin) + 4));
    found.rest.append(begin_, first.begin).append(in_order ? "{}" : "[]");
    found.rest.append(first.end, second.begin).append(in_order ? "[]" : "{}").append(second.end, end_);
    return read_names(found) && read_merges(found);
  }

 private:
  struct Span {
    const char *begin = nullptr, *end = nullptr;
  };

  bool document() {
    bool has_model = false;
    const bool whole = each_member([&](std::string_view key) {
      if (key != "model") return value(1);
      if (has_model) return false;
      has_model = true;
      return each_member([&](std::string_view inner) {
        if (inner == "vocab") return next_is('{') && skip(vocab_);
        if (inner == "merges") return next_is('[') && skip(merges_);
        return value(2);
      });
    });
    skip_space();
    return whole && p_ == end_;
  }
  bool skip(Span& span) {
    if (span.begin) return false;
    span.begin = p_;
    if (!value(2)) return false;
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
    p_ = vocab_.begin + 1;
    found.names.reserve(static_cast<size_t>(vocab_.end - vocab_.begin));
    if (take('}')) return false;
    do {
      const size_t start = found.names.size();
      uint32_t id = 0;
      if (!string(&found.names) || found.names.size() == start || !take(':') || !read_id(id)) return false;
      found.ends.push_back(found.names.size());
      found.ids.push_back(id);
    } while (take(','));
    return true;
  }
  bool read_id(uint32_t& id) {
    skip_space();
    int digits = 0;
    for (; *p_ >= '0' && *p_ <= '9' && digits < kMostIdDigits; ++p_, ++digits)
      id = 10 * id + static_cast<uint32_t>(*p_ - '0');
    return digits > 0 && (digits == 1 || p_[-digits] != '0') && (next_is(',') || next_is('}'));
  }

  bool read_merges(JsonVocabulary& found) {
    TokenTable table(found.ends.size());
    size_t start = 0;
    for (const size_t end : found.ends) {
      if (!table.add(std::string_view(found.names).substr(start, end - start))) return false;
      start = end;
    }
    p_ = merges_.begin + 1;
    if (take(']')) return true;
    std::vector<bool> is_made(found.ids.size());
    std::string names;
    do {
      names.clear();
      size_t middle = 0;
      if (!read_pair(names, middle)) return false;
      const std::string_view both = names;
      const uint32_t left = table.find(both.substr(0, middle)), right = table.find(both.substr(middle));
      const uint32_t merged = table.find(both);
      if (std::max({left, right, merged}) == TokenTable::kNone) return false;
      found.left.push_back(found.ids[left]);
      found.right.push_back(found.ids[right]);
      found.merged_ids.push_back(found.ids[merged]);
      found.makes_twice |= is_made[merged];
      is_made[merged] = true;
    } while (take(','));
    return true;
  }
  // The names of a merge, one after the other, and where the second begins: ["a", "b"] or "a b".
  bool read_pair(std::string& names, size_t& middle) {
    if (next_is('"')) {
      if (!string(&names)) return false;
      middle = names.find(' ');
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
};

}  // namespace

std::optional<JsonVocabulary> read_json_vocabulary(std::string_view document) {
  JsonVocabulary found;
  if (!VocabularyReader(document).read(found)) return std::nullopt;
  return found;
}

}  // namespace bpe
