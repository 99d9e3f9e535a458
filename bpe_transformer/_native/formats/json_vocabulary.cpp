#include "formats/json_vocabulary.hpp"

#include <algorithm>

#include "formats/token_table.hpp"
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
    if (in_order) return true;
    p_ = merges_.begin;
    return read_merges(found);
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
        return next_is('[') && read_span(merges_, [&] { return vocab_.end ? read_merges(found) : value(2); });
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
    found.names.reserve(static_cast<size_t>(end_ - p_) / 4);
    do {
      const size_t start = found.names.size();
      uint32_t id = 0;
      if (!string(&found.names) || found.names.size() == start || !take(':') || !read_id(id)) return false;
      found.ends.push_back(found.names.size());
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

  bool read_merges(JsonVocabulary& found) {
    TokenTable table(found.ends.size());
    size_t start = 0;
    for (const size_t end : found.ends) {
      if (!table.add(std::string_view(found.names).substr(start, end - start))) return false;
      start = end;
    }
    if (!take('[')) return false;
    if (take(']')) return true;
    std::vector<bool> is_made(found.ids.size());
    std::string names;
    const std::string_view all = found.names;
    const auto is_token = [&](size_t number, std::string_view name) {
      if (number >= found.ends.size()) return false;
      const size_t begin = number ? found.ends[number - 1] : 0;
      return all.substr(begin, found.ends[number] - begin) == name;
    };
    uint32_t merged = TokenTable::kNone;
    do {
      names.clear();
      size_t middle = 0;
      if (!read_pair(names, middle)) return false;
      const std::string_view both = names;
      const uint32_t left = table.find(both.substr(0, middle)), right = table.find(both.substr(middle));
      // mostly what the next merge makes is the next token
      merged = is_token(size_t{merged} + 1, both) ? merged + 1 : table.find(both);
      if (std::max({left, right, merged}) == TokenTable::kNone) return false;
      found.left.push_back(found.ids[left]);
      found.right.push_back(found.ids[right]);
      found.merged_ids.push_back(found.ids[merged]);
      found.makes_twice |= is_made[merged];
      is_made[merged] = true;
    } while (take(','));
    return take(']');
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
