// Words in the order of their bytes: from a table, and from sorted runs in a file, to which tables are spilled.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "counting/word_counts.hpp"

namespace bpe {

// Words and counts as columns: word i is bytes[row_starts[i]] to bytes[row_starts[i + 1]].
struct WordColumns {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> row_starts{0};
  std::vector<uint64_t> counts;
  bool is_last = false;  // whether the stream has no more

  size_t size() const { return counts.size(); }
  void add(std::string_view word, uint64_t count);
};

// Words with their counts, in the order of their bytes.
class WordStream {
 public:
  virtual ~WordStream() = default;
  virtual bool next(std::string_view& word, uint64_t& count) = 0;  // `word` is valid until the next call

  // The next words, of about `bytes` bytes, without those rarer than `min_count`.
  WordColumns take(size_t bytes, uint64_t min_count, Dropped& dropped);
};

// The words of a table, which must outlive this unchanged.
class SortedWords : public WordStream {
 public:
  explicit SortedWords(const WordCounts& words);
  bool next(std::string_view& word, uint64_t& count) override;

 private:
  struct Item {
    uint64_t first;  // the first eight bytes as a big-endian number
    std::string_view word;
    uint64_t count;
  };
  std::vector<Item> items_;
  size_t at_ = 0;
};

// Sorted runs, one after another in a file. Throws std::system_error if the file cannot be written or read.
class SortedRuns : public WordCountsSink {
 public:
  explicit SortedRuns(int file) : file_(file) {}

  void write(const WordCounts& words) override;

  size_t size() const { return runs_.size(); }
  uint64_t bytes() const { return end_; }

  // Runs number first to last - 1 as one corpus, with a weight on its counts.
  struct Group {
    size_t first, last;
    Weight weight;
  };
  uint64_t total(const Group& group) const;  // occurrences, unweighted

  // The words of all groups, read with buffers of about `memory` bytes.
  std::unique_ptr<WordStream> merged(const std::vector<Group>& groups, size_t memory, Dropped& dropped) const;

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
