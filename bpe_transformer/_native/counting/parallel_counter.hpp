// Counting the pre-tokens of texts, several threads at once, in as much memory as is allowed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "counting/sorted_runs.hpp"
#include "counting/word_counts.hpp"
#include "text/text.hpp"

namespace bpe {

// Thrown for bytes that are not UTF-8.
struct InvalidUtf8 {
  size_t text;      // number of the text
  size_t position;  // byte in it
  uint8_t byte;
};

// A table for every thread. How texts are cut for the threads does not show in the counts.
class Counting {
 public:
  // With `runs`, tables go there that would take more than `table_bytes` in all, sorting them included.
  Counting(int num_threads, Runs* runs, size_t table_bytes);

  // Each text splits on its own. One that is not UTF-8 throws InvalidUtf8; it is then counted in part.
  void add_texts(Pattern pattern, const std::vector<Text>& texts);
  void add_word(std::string_view word, uint64_t count) { tables_[0].add(word, count); }
  void add_words(const std::vector<Text>& words, const uint64_t* counts) {
    Dropped none;
    tables_[0].add_words(words, counts, 0, none);
  }

  WordCounts take();  // out of all tables, in one; what is in runs stays there
  void spill();       // all tables into runs

  uint64_t documents = 0, bytes = 0;  // so far, as whoever adds texts keeps account of them

 private:
  void fold();

  Runs* runs_;
  std::vector<WordCounts> tables_;
};

// The documents of one stream of bytes that arrives in blocks.
class DocumentStream {
 public:
  // An empty separator: all is one document. A newline: a document a line, without its "\n" or "\r\n".
  DocumentStream(Counting& counting, Pattern pattern, std::string separator)
      : counting_(counting), pattern_(pattern), separator_(std::move(separator)) {}

  // Counts what is certain and keeps the rest. Throws InvalidUtf8 with the position in the stream.
  void add(Text block);
  void finish();

  uint64_t counted() const { return base_; }  // bytes of the stream

 private:
  void count(bool finished);
  size_t find_cut(const uint8_t* begin);  // where the document that begins there can be cut last, else its begin
  Text without_return(const uint8_t* begin, const uint8_t* end) const;

  Counting& counting_;
  const Pattern pattern_;
  const std::string separator_;
  std::vector<uint8_t> buffer_;  // begins where a document begins, or at a cut
  size_t searched_ = 0;          // no separator begins before
  size_t uncut_ = 0;             // no cut before
  bool begun_ = false;           // the document that the buffer begins with is counted in part
  uint64_t base_ = 0;
};

}  // namespace bpe
