#include "rows/row_texts.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace bpe {

namespace {

// Where the first byte in [p, end) is that is one of three; end if none is.
const char* find_one_of(const char* p, const char* end, char a, char b, char c) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    const auto equal = [](uint64_t word, char byte) {
      const uint64_t other = word ^ (ones * static_cast<uint8_t>(byte));
      return (other - ones) & ~other & high;
    };
    for (; end - p >= 8; p += 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      if (const uint64_t found = equal(word, a) | equal(word, b) | equal(word, c))
        return p + (std::countr_zero(found) >> 3);  // carries mark none wrongly but those after the first
    }
  }
  while (p < end && *p != a && *p != b && *p != c) ++p;
  return p;
}

class RowReader {
 public:
  RowReader(std::string_view data, bool is_last, const CsvFormat& format, RowTexts& texts)
      : p_(data.data()), end_(data.data() + data.size()), is_last_(is_last), format_(format), texts_(texts) {
    place_.assign(format.num_fields, kNotWanted);
    for (size_t i = 0; i < format.positions.size(); ++i) place_[format.positions[i]] = i;
    found_.resize(format.positions.size());
  }

  CsvTaken read() {
    const char* const begin = p_;
    while (p_ < end_) {
      const char* const row = p_;
      if (end_of_line()) continue;  // an empty line
      const Outcome outcome = read_row();
      if (outcome != kRead) return {static_cast<size_t>(row - begin), outcome == kIncomplete};
      texts_.texts.insert(texts_.texts.end(), found_.begin(), found_.end());
    }
    return {static_cast<size_t>(p_ - begin), true};
  }

 private:
  enum Outcome : uint8_t { kRead, kIncomplete, kOdd };
  static constexpr size_t kNotWanted = SIZE_MAX;

  Outcome at_end() const { return is_last_ ? kOdd : kIncomplete; }

  // Takes the end of a line, if one is here.
  bool end_of_line() {
    if (p_ < end_ && *p_ == '\n') return ++p_, true;
    if (end_ - p_ >= 2 && p_[0] == '\r' && p_[1] == '\n') return p_ += 2, true;
    return false;
  }

  Outcome read_row() {
    for (size_t field = 0; field < format_.num_fields; ++field) {
      const size_t place = place_[field];
      const uint8_t* const start = texts_.end;
      const bool quoted = format_.is_quoted && p_ < end_ && *p_ == '"';
      const Outcome outcome = quoted ? quoted_field(place != kNotWanted) : plain_field(place != kNotWanted);
      if (outcome != kRead) return outcome;
      if (place != kNotWanted) found_[place] = {start, static_cast<size_t>(texts_.end - start)};
      const bool is_last_field = field + 1 == format_.num_fields;
      if (p_ == end_) return is_last_ && is_last_field ? kRead : at_end();
      if (is_last_field) break;
      if (*p_ != format_.separator) return end_ - p_ == 1 ? at_end() : kOdd;
      ++p_;
    }
    if (end_of_line()) return kRead;
    return end_ - p_ == 1 ? at_end() : kOdd;  // "\r" without "\n" so far
  }

  Outcome plain_field(bool wanted) {
    const char* const begin = p_;
    while ((p_ = find_one_of(p_, end_, format_.separator, '\n', '\r')) < end_) {
      if (format_.is_quoted || *p_ != '\r') break;
      const bool ends_line = end_ - p_ == 1 ? !is_last_ : p_[1] == '\n';
      if (ends_line) break;
      ++p_;  // of a .tsv, where it is part of the field
    }
    if (p_ < end_ && *p_ == '\r' && end_ - p_ == 1 && !is_last_) return kIncomplete;
    if (wanted) texts_.append(begin, p_);
    return kRead;
  }

  Outcome quoted_field(bool wanted) {
    ++p_;
    while (true) {
      const auto* const quote = static_cast<const char*>(std::memchr(p_, '"', static_cast<size_t>(end_ - p_)));
      if (!quote) return at_end();
      const bool is_doubled = end_ - quote >= 2 && quote[1] == '"';
      if (wanted) texts_.append(p_, quote + is_doubled);
      p_ = quote + 1 + is_doubled;
      if (!is_doubled) return p_ == end_ && !is_last_ ? kIncomplete : kRead;
    }
  }

  const char* p_;
  const char* const end_;
  const bool is_last_;
  const CsvFormat& format_;
  RowTexts& texts_;
  std::vector<size_t> place_;  // of each field among the wanted ones
  std::vector<Text> found_;    // of each wanted field
};

}  // namespace

CsvTaken read_csv_texts(std::string_view data, bool is_last, const CsvFormat& format, RowTexts& texts) {
  return RowReader(data, is_last, format, texts).read();
}

}  // namespace bpe
