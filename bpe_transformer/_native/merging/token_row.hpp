// Rows of tokens that cover stretches of a word, and how they are joined.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/memory.hpp"
#include "merging/borders.hpp"
#include "merging/merge_window.hpp"
#include "merging/ranks.hpp"

namespace bpe {

// The tokens of a word from one of its symbols to another.
struct TokenRow {
  size_t begin = 0, end = 0;  // symbols
  IdBuffer ids, starts;       // the tokens, and the symbol that each begins with

  size_t size() const { return ids.size(); }
  uint32_t id(size_t token) const { return ids.data()[token]; }
  size_t start(size_t token) const { return token < size() ? starts.data()[token] : end; }
  void clear(size_t from) {
    cut(0);
    begin = end = from;
  }
  void cut(size_t count) {
    if (count < size()) end = start(count);
    ids.resize(count), starts.resize(count);
  }
  // Appends the tokens of a window that begins at symbol `at`, up to symbol `stop` of the window.
  template <class AnyWindow>
  void append(const AnyWindow& window, size_t at, size_t stop) {
    ids.reserve(stop), starts.reserve(stop);
    uint32_t *id = ids.data() + size(), *start = starts.data() + size();
    for (size_t g = 0; 64 * g < stop; ++g) {
      uint64_t rest = window.starts(g);
      if (stop < 64 * g + 64) rest &= (uint64_t{1} << stop % 64) - 1;
      for (; rest; rest &= rest - 1) {
        const size_t symbol = 64 * g + static_cast<size_t>(std::countr_zero(rest));
        *id++ = window.id(symbol), *start++ = static_cast<uint32_t>(at + symbol);
      }
    }
    ids.resize(static_cast<size_t>(id - ids.data())), starts.resize(static_cast<size_t>(start - starts.data()));
    end = at + stop;
  }
};

// The tokens of a word, joined from overlapping rows; the last few may still change with what comes after. Two rows can
// be joined at a token that both have, or where a token of the first ends, one of the second begins and the two stay
// apart (see Borders). That is exact: a row of tokens is right if every two neighbours are what their own symbols lead
// to, since the first merge across a border would be one within two neighbours.
class JoinedTokens {
 public:
  JoinedTokens(const Ranks& ranks, const Borders& borders, IdBuffer& out)
      : ranks_(ranks), borders_(borders), out_(out) {}

  size_t begin() const { return row_.start(0); }  // the first symbol whose token may still change
  size_t end() const { return row_.end; }         // symbols
  uint32_t id(size_t token) const { return row_.id(token); }
  size_t stop(size_t token) const { return row_.start(token + 1); }
  // Finds the last token that begins at least `back` symbols before the end, or else the first one, and its first
  // symbol; false if it is no longer in memory.
  bool anchor(size_t back, size_t& token, size_t& start) const {
    token = row_.size();
    while (token && row_.start(token - 1) + back > end()) --token;
    if (token) --token;
    else if (is_settled_) return false;
    start = row_.start(token);
    return true;
  }

  // Joins a row to the end; false, without effect, if that is not possible.
  bool add(const TokenRow& row) {
    if (row.begin > end()) return false;
    size_t token = 0, other = 0;
    if (end()) {
      const auto same = [&] { return id(token) == row.id(other) && stop(token) == row.start(other + 1); };
      const auto apart = [&] { return token && borders_.apart(ranks_, id(token - 1), row.id(other)); };
      if (!find(row, token, other, same) && !(borders_.known() && find(row, token, other, apart))) return false;
    }
    row_.cut(token);
    row_.ids.append(row.ids.data() + other, row.size() - other);
    row_.starts.append(row.starts.data() + other, row.size() - other);
    row_.end = row.end;
    settle_some();
    return true;
  }

  // Replaces all tokens from number `token` on by a window's tokens up to symbol `stop` of the window.
  template <size_t kMax>
  void replace(size_t token, const MergeWindow<kMax>& window, size_t begin, size_t stop) {
    row_.cut(token);
    append(window, begin, stop);
  }

  // Appends a window's tokens up to symbol `stop` of the window.
  template <size_t kMax>
  void append(const MergeWindow<kMax>& window, size_t begin, size_t stop) {
    row_.append(window, begin, stop);
    settle_some();
  }

  void finish() { settle(row_.size()); }

 private:
  static constexpr size_t kKept = 2048;

  // Finds the first pair of tokens that begin with the same symbol and satisfy holds().
  template <class Holds>
  bool find(const TokenRow& row, size_t& token, size_t& other, Holds&& holds) const {
    token = row_.size(), other = 0;
    while (token && row_.start(token - 1) >= row.begin) --token;
    while (token < row_.size() && other < row.size()) {
      const size_t a = row_.start(token), b = row.start(other);
      if (a == b && holds()) return true;
      token += a <= b, other += b <= a;
    }
    return false;
  }

  void settle_some() {
    if (row_.size() > 4 * kKept) settle(row_.size() - kKept);
  }
  void settle(size_t count) {
    is_settled_ |= count > 0;
    out_.append(row_.ids.data(), count);
    row_.ids.drop(count), row_.starts.drop(count);
  }

  const Ranks& ranks_;
  const Borders& borders_;
  IdBuffer& out_;
  bool is_settled_ = false;
  TokenRow row_;  // the tokens that are not written yet
};

}  // namespace bpe
