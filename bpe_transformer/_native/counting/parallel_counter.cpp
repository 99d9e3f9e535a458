#include "counting/parallel_counter.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/parallel.hpp"
#include "splitting/cuts.hpp"

namespace bpe {

namespace {

constexpr size_t kChunkBytes = 1 << 18;  // of a text that one thread takes at a time
constexpr size_t kTextBytes = 16;        // that a text costs besides its bytes
constexpr size_t kSlack = 16;            // of a stream's buffer, so that its last words are read as fast as others
constexpr size_t kFoldWords = 1 << 17;   // in another thread's table before it is merged into the first
constexpr size_t kLeastTable = 1 << 16;

// What one thread takes at a time: whole texts, or a stretch of one text that can be split into pre-tokens by itself.
struct Portion {
  size_t first, last;  // of the texts
  Text stretch;        // of the first text, if `last` is `first`
  size_t position;     // of the stretch
};

void cut(std::vector<Portion>& portions, const Pattern& pattern, const Text& text, size_t number) {
  const uint8_t* const end = text.data + text.size;
  for (const uint8_t* begin = text.data; begin < end;) {
    const uint8_t* const to =
        static_cast<size_t>(end - begin) > kChunkBytes ? next_cut(pattern, begin + kChunkBytes, end) : end;
    portions.push_back(
        {number, number, {begin, static_cast<size_t>(to - begin)}, static_cast<size_t>(begin - text.data)});
    begin = to;
  }
}

// Texts that are to be normalised stay whole.
std::vector<Portion> portions_of(const Pattern& pattern, const std::vector<Text>& texts, bool are_whole) {
  std::vector<Portion> portions;
  size_t first = 0, bytes = 0;
  const auto end_portion = [&](size_t last) {
    if (first < last) portions.push_back({first, last, {}, 0});
    first = last;
    bytes = 0;
  };
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!are_whole && texts[i].size > kChunkBytes) {
      end_portion(i);
      cut(portions, pattern, texts[i], i);
      first = i + 1;
      continue;
    }
    bytes += texts[i].size + kTextBytes;
    if (bytes >= kChunkBytes) end_portion(i + 1);
  }
  end_portion(texts.size());
  return portions;
}

// Whether texts that lie one behind the other in one piece of memory are all UTF-8, which is found out at once: with
// what lies between them, if that is little. False where it would have to be looked at each of them.
bool all_utf8(const Text* first, const Text* last) {
  constexpr ptrdiff_t kMostBetween = 16;
  const uint8_t* end = first->data;
  const uint8_t* const begin = first->data;
  const uint8_t* const stop = last[-1].data + last[-1].size;
  for (const Text* text = first; text < last; ++text) {
    if (text->data < end || text->data - end > kMostBetween) return false;
    end = text->data + text->size;
    if (text->size && (unicode::continues(*text->data) || (end < stop && unicode::continues(*end)))) return false;
  }
  return unicode::valid_prefix(begin, static_cast<size_t>(stop - begin)) == static_cast<size_t>(stop - begin);
}

// Calls use(text, number) for normalised texts; those that are not UTF-8 stay as they are.
template <class Use>
void each_normalized(const Normalizer& normalizer, bool are_utf8, const Text* first, const Text* last, Use&& use) {
  std::string buffer;
  for (const Text* text = first; text < last; ++text) {
    const bool is_valid = are_utf8 || unicode::valid_prefix(text->data, text->size) == text->size;
    const Text changed = is_valid ? normalizer.normalized(*text, buffer) : *text;
    use(&changed, static_cast<size_t>(text - first));
  }
}

// Of two problems that with the first place.
template <class Problem>
void keep_first(std::optional<Problem>& kept, const Problem& here) {
  if (!kept || std::pair(here.text, here.position) < std::pair(kept->text, kept->position)) kept = here;
}

// The number of bytes at the end that begin an incomplete character.
size_t incomplete(const uint8_t* begin, const uint8_t* end) {
  for (size_t back = 1; back <= 3 && back <= static_cast<size_t>(end - begin); ++back) {
    const uint8_t byte = *(end - back);
    if (unicode::continues(byte)) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

ParallelCounter::ParallelCounter(int num_threads, WordCountsSink* sink, size_t table_bytes, size_t longest_word,
                                 const Normalizer* normalizer)
    : sink_(sink),
      tables_(static_cast<size_t>(std::max(num_threads, 1))),
      longest_word_(longest_word),
      normalizer_(normalizer) {
  for (WordCounts& table : tables_) table.set_longest(longest_word);
  if (sink)
    for (WordCounts& table : tables_) table.spill_to(sink, std::max(kLeastTable, table_bytes / tables_.size() / 2));
}

uint64_t ParallelCounter::add_texts(const Pattern& pattern, const std::vector<Text>& texts, TextMemory memory) {
  const Normalizer* const normalizer = memory.is_normalized ? nullptr : normalizer_;
  const std::vector<Portion> portions = portions_of(pattern, texts, normalizer != nullptr);
  std::mutex guard;
  std::optional<InvalidUtf8> invalid;  // the first one
  std::optional<WordTooLong> too_long;
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> counted{0};  // bytes
  const auto count = [&](WordCounts& counts, const Text* first, const Text* last, size_t number, size_t position) {
    const bool are_utf8 = memory.is_utf8 || (memory.end && all_utf8(first, last));
    for (const Text* text = first; text < last && !are_utf8; ++text) {
      const size_t valid = unicode::valid_prefix(text->data, text->size);
      if (valid == text->size) continue;
      const std::lock_guard lock(guard);
      return keep_first(invalid, {number + static_cast<size_t>(text - first), position + valid, text->data[valid]});
    }
    uint64_t bytes_here = 0;
    try {
      counts.count_texts(pattern, first, last, normalizer ? nullptr : memory.end, bytes_here);
      counted += bytes_here;
    } catch (WordTooLong& here) {
      const auto* const data = reinterpret_cast<const uint8_t*>(here.data);
      const Text* const text = std::find_if(first, last, [&](const Text& one) {
        return !std::less<>()(data, one.data) && std::less<>()(data, one.data + one.size);
      });
      here.text = number + static_cast<size_t>(text - first);
      here.position = position + static_cast<size_t>(data - text->data);
      const std::lock_guard lock(guard);
      keep_first(too_long, here);
    } catch (...) {
      counted += bytes_here;
      next = portions.size();
      throw;
    }
  };
  const auto count_portions = [&](int thread) {
    WordCounts& counts = tables_[static_cast<size_t>(thread)];
    for (size_t i; (i = next.fetch_add(1)) < portions.size();) {
      const Portion& portion = portions[i];
      const Text* const first = texts.data() + portion.first;
      if (normalizer)
        each_normalized(*normalizer, memory.is_utf8, first, texts.data() + portion.last,
                        [&](const Text* text, size_t i) { count(counts, text, text + 1, portion.first + i, 0); });
      else if (portion.first == portion.last)
        count(counts, &portion.stretch, &portion.stretch + 1, portion.first, portion.position);
      else count(counts, first, texts.data() + portion.last, portion.first, 0);
    }
  };
  try {
    run_threads(static_cast<int>(std::min(tables_.size(), std::max<size_t>(portions.size(), 1))), count_portions);
  } catch (...) {
    bytes += counted;
    throw;
  }
  if (invalid) throw *invalid;
  if (too_long) throw *too_long;
  fold();
  return counted;
}

void ParallelCounter::fold() {
  if (sink_) return;  // tables spill instead
  for (size_t i = 1; i < tables_.size(); ++i) {
    if (tables_[i].size() < kFoldWords) continue;
    tables_[0].merge(tables_[i]);
    tables_[i].clear();
  }
}

WordCounts ParallelCounter::take() {
  WordCounts all;
  std::swap(all, tables_[0]);
  tables_[0].set_longest(longest_word_);
  all.set_longest(SIZE_MAX);
  if (sink_) tables_[0].spill_to(sink_, all.limit());
  for (size_t i = 1; i < tables_.size(); ++i) {
    all.merge(tables_[i]);
    tables_[i].clear();
  }
  return all;
}

void ParallelCounter::spill() {
  for (WordCounts& table : tables_) {
    sink_->write(table);
    table.clear();
  }
}

void DocumentStream::add(Text block) {
  const size_t wanted = buffer_.size() + block.size + kSlack;
  if (buffer_.capacity() < wanted) buffer_.reserve(wanted + wanted / 8);
  buffer_.insert(buffer_.end(), block.data, block.data + block.size);
  count(false);
  check_uncut();
}

void DocumentStream::finish() {
  count(true);
  buffer_ = {};
}

// Refuses a stretch without a cut that is longer than a word may be: it is likely one word, and reading on would only
// take more memory.
void DocumentStream::check_uncut() const {
  if (buffer_.size() <= counting_.longest_word() || counting_.longest_word() == SIZE_MAX) return;
  WordTooLong problem(nullptr, buffer_.size());
  problem.position = base_;
  throw problem;
}

// Removes the "\r" of a line that ends with "\r\n".
Text DocumentStream::without_return(const uint8_t* begin, const uint8_t* end) const {
  if (separator_ == "\n" && end > begin && end[-1] == '\r') --end;
  return {begin, static_cast<size_t>(end - begin)};
}

size_t DocumentStream::find_cut(const uint8_t* begin, const uint8_t* end) {
  const uint8_t* const data = buffer_.data();
  // the end may hold half a separator or half a character
  const size_t open = std::max(separator_.empty() ? 0 : separator_.size() - 1, incomplete(begin, end));
  const uint8_t* to = end - std::min(open, static_cast<size_t>(end - begin));
  while (to > begin && to < end && unicode::continues(*to)) --to;
  const uint8_t* const from = std::max(begin, data + uncut_);
  if (from < to)
    if (const uint8_t* const found = last_cut(pattern_, from, to)) return static_cast<size_t>(found - data);
  uncut_ = static_cast<size_t>(std::max(begin, std::max(data + 4, to) - 4) - data);
  return static_cast<size_t>(begin - data);
}

void DocumentStream::count(bool finished) {
  std::vector<Text> texts;
  const size_t size = buffer_.size();
  buffer_.resize(size + kSlack);
  const uint8_t* const data = buffer_.data();
  const uint8_t* const end = data + size;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const uint8_t* begin = data;  // of the document that is not complete
  uint64_t documents = 0;
  bool begun = begun_;
  if (!separator_.empty()) {
    const auto find = [&](size_t at) {
      return separator_.size() == 1 ? all.find(separator_[0], at) : all.find(separator_, at);
    };
    for (size_t at = searched_; (at = find(at)) != all.npos; searched_ = at) {
      texts.push_back(without_return(begin, data + at));
      at += separator_.size();
      begin = data + at;
      ++documents;
      begun = false;
    }
    searched_ = std::max(searched_, size - std::min(size, separator_.size() - 1));
  }
  size_t counted = size;
  if (finished) {
    texts.push_back({begin, static_cast<size_t>(end - begin)});  // a line that has no end keeps its "\r"
    if (begin < end || begun || separator_.empty()) ++documents;
  } else {
    counted = find_cut(begin, end);
    if (data + counted > begin) {
      texts.push_back({begin, static_cast<size_t>(data + counted - begin)});
      begun = true;
    }
  }
  try {
    counting_.bytes += counting_.add_texts(pattern_, texts, {data + buffer_.size(), false, true});
  } catch (InvalidUtf8& invalid) {
    invalid.position += base_ + static_cast<size_t>(texts[invalid.text].data - data);
    throw;
  } catch (WordTooLong& problem) {
    problem.position += base_ + static_cast<size_t>(texts[problem.text].data - data);
    problem.text = WordTooLong::kNoText;
    throw;
  }
  base_ += counted;
  counting_.documents += documents;
  begun_ = begun;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(counted));
  buffer_.resize(size - counted);
  searched_ -= std::min(searched_, counted);
  uncut_ -= std::min(uncut_, counted);
}

}  // namespace bpe
