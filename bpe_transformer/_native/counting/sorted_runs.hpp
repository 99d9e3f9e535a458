// Words in the order of their bytes: out of a table, and out of sorted runs in a file, where tables go that grow too
// large.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "counting/word_counts.hpp"

namespace bpe {

// Words and counts side by side: word i is data[offsets[i], offsets[i + 1]).
struct Columns {
  std::vector<uint8_t> data;
  std::vector<int64_t> offsets{0};
  std::vector<uint64_t> counts;
  bool last = false;  // nothing comes after

  size_t size() const { return counts.size(); }
  void add(std::string_view word, uint64_t count);
};

// Words with their counts, in the order of their bytes.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual bool next(std::string_view& word, uint64_t& count) = 0;  // `word` lives until the next call

  // About `bytes` of what comes next, without words rarer than `min_count`.
  Columns take(size_t bytes, uint64_t min_count, Dropped& dropped);
};

// The words of a table, which must neither change nor go.
class SortedWords : public Stream {
 public:
  explicit SortedWords(const WordCounts& words);
  bool next(std::string_view& word, uint64_t& count) override;

 private:
  struct Item {
    uint64_t first;  // eight bytes, the first the highest
    std::string_view word;
    uint64_t count;
  };
  std::vector<Item> items_;
  size_t at_ = 0;
};

// Sorted runs, one after another in a file. Throws std::system_error when the file does not take them.
class Runs {
 public:
  explicit Runs(int file) : file_(file) {}

  void write(const WordCounts& words);  // from any thread

  size_t size() const { return runs_.size(); }
  uint64_t bytes() const { return end_; }

  // The runs from `first` on, up to `last`, as if they were one corpus, each count with a weight.
  struct Group {
    size_t first, last;
    Weight weight;
  };
  uint64_t total(const Group& group) const;  // occurrences, unweighted

  // All words of these groups, with buffers of about `memory` bytes.
  std::unique_ptr<Stream> merged(const std::vector<Group>& groups, size_t memory, Dropped& dropped) const;

 private:
  struct Run {
    uint64_t begin, end;  // in the file
    uint64_t total;
  };
  class Reader;
  class Writer;
  class Merged;

  int file_;
  std::mutex guard_;
  std::vector<Run> runs_;
  uint64_t end_ = 0;
};

}  // namespace bpe
