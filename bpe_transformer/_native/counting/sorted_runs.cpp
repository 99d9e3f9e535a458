#include "counting/sorted_runs.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>

namespace bpe {

namespace {

constexpr size_t kWriteBuffer = 1 << 16;
constexpr size_t kLeastReadBuffer = 4096;

uint64_t first_eight(std::string_view word) {
  uint64_t first = 0;
  __builtin_memcpy(&first, word.data(), std::min<size_t>(word.size(), 8));
  return __builtin_bswap64(first);
}

size_t varint_size(uint64_t value) { return value < 128 ? 1 : (std::bit_width(value) + 6) / 7; }

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

void WordColumns::add(std::string_view word, uint64_t count) {
  bytes.insert(bytes.end(), word.begin(), word.end());
  row_starts.push_back(static_cast<int64_t>(bytes.size()));
  counts.push_back(count);
}

WordColumns WordStream::take(size_t max_bytes, uint64_t min_count, Dropped& dropped) {
  WordColumns columns;
  std::string_view word;
  uint64_t count;
  for (size_t seen = 0; columns.bytes.size() + 16 * seen < max_bytes; ++seen) {
    if (!next(word, count)) {
      columns.is_last = true;
      break;
    }
    if (count < min_count) dropped.add(count);
    else columns.add(word, count);
  }
  return columns;
}

SortedWords::SortedWords(const WordCounts& words) {
  items_.reserve(words.size());
  words.each([&](std::string_view word, uint64_t count) { items_.push_back({first_eight(word), word, count}); });
  std::sort(items_.begin(), items_.end(),
            [](const Item& a, const Item& b) { return a.first != b.first ? a.first < b.first : a.word < b.word; });
}

bool SortedWords::next(std::string_view& word, uint64_t& count) {
  if (at_ == items_.size()) return false;
  word = items_[at_].word;
  count = items_[at_++].count;
  return true;
}

// Writes records: a word's size, its bytes and its count. Numbers take seven bits a byte, the lowest first.
class SortedRuns::Writer {
 public:
  Writer(int file, uint64_t at) : file_(file), at_(at) { buffer_.reserve(kWriteBuffer); }

  static uint64_t size_of(std::string_view word, uint64_t count) {
    return varint_size(word.size()) + word.size() + varint_size(count);
  }
  void add(std::string_view word, uint64_t count) {
    number(word.size());
    buffer_.insert(buffer_.end(), word.begin(), word.end());
    number(count);
    if (buffer_.size() >= kWriteBuffer - 32) flush();
  }
  void flush() {
    for (size_t done = 0; done < buffer_.size();) {
      const ssize_t written = ::pwrite(file_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(at_));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("cannot write the temporary file of counts");
      done += static_cast<size_t>(written);
      at_ += static_cast<uint64_t>(written);
    }
    buffer_.clear();
  }

 private:
  void number(uint64_t value) {
    for (; value >= 128; value >>= 7) buffer_.push_back(static_cast<char>(value | 128));
    buffer_.push_back(static_cast<char>(value));
  }

  int file_;
  uint64_t at_;
  std::vector<char> buffer_;
};

class SortedRuns::Reader : public WordStream {
 public:
  Reader(int file, const Run& run, size_t buffer) : file_(file), at_(run.begin), end_(run.end), buffer_(buffer) {}

  bool next(std::string_view& word, uint64_t& count) override {
    if (used_ - from_ < 20) refill(20);
    if (from_ == used_) return false;
    const uint64_t size = number();
    if (used_ - from_ < size + 10) refill(size + 10);
    word = {buffer_.data() + from_, size};
    from_ += size;
    count = number();
    return true;
  }

 private:
  uint64_t number() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(buffer_[from_++]);
      value |= uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
  }
  // Buffers at least `wanted` bytes, unless the run ends before.
  void refill(size_t wanted) {
    std::copy(buffer_.begin() + static_cast<ptrdiff_t>(from_), buffer_.begin() + static_cast<ptrdiff_t>(used_),
              buffer_.begin());
    used_ -= from_;
    from_ = 0;
    if (buffer_.size() < wanted) buffer_.resize(wanted);
    while (used_ < wanted && at_ < end_) {
      const size_t room = std::min<uint64_t>(buffer_.size() - used_, end_ - at_);
      const ssize_t got = ::pread(file_, buffer_.data() + used_, room, static_cast<off_t>(at_));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) fail("cannot read the temporary file of counts");
      used_ += static_cast<size_t>(got);
      at_ += static_cast<uint64_t>(got);
    }
  }

  int file_;
  uint64_t at_, end_;
  std::vector<char> buffer_;
  size_t from_ = 0, used_ = 0;
};

// Merges several streams, each with a weight on its counts; the counts of equal words are added.
class SortedRuns::Merged : public WordStream {
 public:
  explicit Merged(Dropped& dropped) : dropped_(dropped) {}

  void add(std::unique_ptr<WordStream> stream, Weight weight) {
    sources_.push_back({std::move(stream), weight, {}, 0});
    if (!advance(sources_.back())) return;
    heap_.push_back(sources_.size() - 1);
    std::push_heap(heap_.begin(), heap_.end(), later_);
  }

  bool next(std::string_view& word, uint64_t& count) override {
    if (heap_.empty()) return false;
    word_.assign(sources_[heap_.front()].word);
    count = 0;
    while (!heap_.empty() && sources_[heap_.front()].word == word_) {
      std::pop_heap(heap_.begin(), heap_.end(), later_);
      Source& source = sources_[heap_.back()];
      count = saturating_add(count, source.count);
      if (advance(source)) std::push_heap(heap_.begin(), heap_.end(), later_);
      else heap_.pop_back();
    }
    word = word_;
    return true;
  }

 private:
  struct Source {
    std::unique_ptr<WordStream> stream;
    Weight weight;
    std::string_view word;
    uint64_t count;
  };
  struct Later {
    const std::vector<Source>& sources;
    bool operator()(size_t a, size_t b) const { return sources[a].word > sources[b].word; }
  };

  bool advance(Source& source) {  // to the next word whose weighted count is not 0
    uint64_t count;
    while (source.stream->next(source.word, count)) {
      source.count = source.weight.of(count);
      if (source.count) return true;
      dropped_.add(count);
    }
    return false;
  }

  Dropped& dropped_;
  std::string word_;
  std::vector<Source> sources_;
  std::vector<size_t> heap_;
  Later later_{sources_};
};

void SortedRuns::write(const WordCounts& words) {
  if (words.size() == 0) return;
  uint64_t bytes = 0;
  words.each([&](std::string_view word, uint64_t count) { bytes += Writer::size_of(word, count); });
  uint64_t at;
  {
    const std::lock_guard lock(guard_);
    at = end_;
    end_ += bytes;
  }
  SortedWords sorted(words);
  Writer writer(file_, at);
  std::string_view word;
  for (uint64_t count; sorted.next(word, count);) writer.add(word, count);
  writer.flush();
  const std::lock_guard lock(guard_);
  runs_.push_back({at, at + bytes, words.total()});
}

uint64_t SortedRuns::total(const Group& group) const {
  uint64_t sum = 0;
  for (size_t i = group.first; i < group.last; ++i) sum = saturating_add(sum, runs_[i].total);
  return sum;
}

std::unique_ptr<WordStream> SortedRuns::merged(const std::vector<Group>& groups, size_t memory,
                                               Dropped& dropped) const {
  const size_t buffer = std::clamp<size_t>(memory / (runs_.size() + 1), kLeastReadBuffer, 1 << 20);
  auto all = std::make_unique<Merged>(dropped);
  for (const Group& group : groups) {
    auto one = std::make_unique<Merged>(dropped);
    for (size_t i = group.first; i < group.last; ++i) one->add(std::make_unique<Reader>(file_, runs_[i], buffer), {});
    all->add(std::move(one), group.weight);
  }
  return all;
}

}  // namespace bpe
