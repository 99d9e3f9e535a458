// Counts the pre-tokens of texts, with several threads and bounded memory.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "counting/word_counts.hpp"
#include "normalization/normalizer.hpp"
#include "text/text.hpp"

namespace bpe {

// Thrown for bytes that are not UTF-8.
struct InvalidUtf8 : std::runtime_error {
  InvalidUtf8(size_t text, size_t position, uint8_t byte)
      : std::runtime_error("not UTF-8"), text(text), position(position), byte(byte) {}
  size_t text;      // number of the text
  size_t position;  // byte in it
  uint8_t byte;
};

// What is known of the memory that texts lie in.
struct TextMemory {
  const uint8_t* end = nullptr;  // of the piece that all of them lie in, null if there are several
  bool is_utf8 = false;          // that all of it is was looked at before
  bool is_normalized = false;
};

// Word counts with one table for each thread. The counts do not depend on how texts are divided among threads.
class ParallelCounter {
 public:
  // With a sink, tables that would take more than `table_bytes` in all, with the memory to sort them, are written
  // there. Words of more than `longest_word` bytes are refused: WordTooLong. Texts are normalised unless `normalizer`
  // is null; it has to outlive this.
  ParallelCounter(int num_threads, WordCountsSink* sink, size_t table_bytes, size_t longest_word = SIZE_MAX,
                  const Normalizer* normalizer = nullptr);
  ParallelCounter(const ParallelCounter&) = delete;
  ParallelCounter& operator=(const ParallelCounter&) = delete;

  // Each text is normalised and split by itself. Returns the bytes of normalised text. Throws InvalidUtf8 for the first
  // text that is not UTF-8, WordTooLong for the first that holds such a word, with its place in normalised text, or
  // TextGrows; some of it may be counted. What else a split or a normalisation throws, of the caller's too, ends all
  // threads; then `bytes` are added here.
  uint64_t add_texts(const Pattern& pattern, const std::vector<Text>& texts, TextMemory memory = {});
  void add_words(const std::vector<Text>& words, const uint64_t* counts) {
    Dropped none;
    tables_[0].add_words(words, counts, 0, none);
  }

  WordCounts take();  // the counts of all tables, in one; words that were written to the sink stay there
  void spill();       // writes all tables to the sink
  size_t longest_word() const { return longest_word_; }
  int num_threads() const { return static_cast<int>(tables_.size()); }

  uint64_t documents = 0, bytes = 0;  // so far; kept up by the callers that add texts

 private:
  void fold();

  WordCountsSink* sink_;
  std::vector<WordCounts> tables_;
  size_t longest_word_;
  const Normalizer* normalizer_;
};

// The documents of one stream of bytes that arrives in blocks.
class DocumentStream {
 public:
  // An empty separator: the stream is one document. A newline: each line is a document, without its "\n" or "\r\n".
  DocumentStream(ParallelCounter& counting, const Pattern& pattern, std::string separator)
      : counting_(counting), pattern_(pattern), separator_(std::move(separator)) {}

  // Counts up to the last safe cut and keeps the rest. Throws InvalidUtf8 with the position in the stream,
  // and WordTooLong also for a stretch of such a length that cannot be cut.
  void add(Text block);
  void finish();

  uint64_t counted() const { return base_; }  // bytes of the stream so far

 private:
  void count(bool finished);
  void check_uncut() const;
  // The last cut of the document that begins there, else its beginning.
  size_t find_cut(const uint8_t* begin, const uint8_t* end);
  Text without_return(const uint8_t* begin, const uint8_t* end) const;

  ParallelCounter& counting_;
  const Pattern pattern_;
  const std::string separator_;
  std::vector<uint8_t> buffer_;  // from the beginning of a document, or from a cut
  size_t searched_ = 0;          // no separator begins before this
  size_t uncut_ = 0;             // no cut lies before this
  bool begun_ = false;           // some of the buffer's first document is already counted
  uint64_t base_ = 0;
};

}  // namespace bpe
