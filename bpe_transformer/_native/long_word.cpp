#include "long_word.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "memory.hpp"
#include "window.hpp"

namespace bpe {

namespace {

using Narrow = Window<64>;
using Wide = Window<1024>;

// The tokens of a word as far as windows over it have been joined; the last few may be wrong, for want of what comes after. Two rows
// of tokens that have a token in common are one, up to it from the first and after it from the second: ids are those of a word if
// every two neighbours are those of their own symbols, since the first merge across a border would have to be one within two neighbours.
class Joined {
 public:
  explicit Joined(uint32_t* ids) : ids_(ids) {}

  size_t end() const { return end_; }  // symbols
  // The last token that begins at least `back` symbols before the end, else the first, and its first symbol; false if it is too far
  // back to be known.
  bool anchor(size_t back, size_t& token, size_t& start) const {
    token = tokens_.size();
    while (token && starts_.data()[token - 1] + back > end_) --token;
    if (token) --token;
    else if (settled_) return false;
    start = starts_.data()[token];
    return true;
  }
  uint32_t id(size_t token) const { return tokens_.data()[token]; }
  size_t stop(size_t token) const { return token + 1 < starts_.size() ? starts_.data()[token + 1] : end_; }

  // Goes on with a window that begins at symbol `begin`; false, and nothing done, if the two have no token in common.
  bool add(const Narrow& window, size_t begin) {
    size_t first = 0, token = tokens_.size();
    if (end_) {
      uint64_t have = 0;
      while (token && starts_.data()[token - 1] >= begin) have |= uint64_t{1} << (starts_.data()[--token] - begin);
      const auto stop = [](uint64_t starts, uint64_t bit, size_t end) {
        const uint64_t after = starts & ~(bit | (bit - 1));
        return after ? static_cast<size_t>(std::countr_zero(after)) : end;
      };
      uint64_t common = have & window.starts();
      for (;; common &= common - 1) {
        if (!common) return false;
        const uint64_t bit = common & -common;
        first = static_cast<size_t>(std::countr_zero(bit));
        const size_t same = token + static_cast<size_t>(std::popcount(have & (bit - 1)));
        if (stop(have, bit, end_ - begin) == stop(window.starts(), bit, window.size()) && id(same) == window.id(first)) {
          token = same;
          break;
        }
      }
    }
    replace(token, window, begin, first, window.size());
    return true;
  }

  // Replaces what follows token number `token` - 1 by a window's tokens from symbol `first` to `stop` of it.
  template <size_t kMost>
  void replace(size_t token, const Window<kMost>& window, size_t begin, size_t first, size_t stop) {
    tokens_.resize(token), starts_.resize(token);
    tokens_.reserve(kMost), starts_.reserve(kMost);
    for (size_t g = first / 64; 64 * g < stop; ++g) {
      uint64_t rest = window.starts(g);
      if (g == first / 64) rest = rest >> first % 64 << first % 64;
      for (; rest; rest &= rest - 1) {
        const size_t symbol = 64 * g + static_cast<size_t>(std::countr_zero(rest));
        if (symbol >= stop) break;
        tokens_.push_back(window.id(symbol)), starts_.push_back(static_cast<uint32_t>(begin + symbol));
      }
    }
    end_ = begin + stop;
    if (tokens_.size() > 2 * kKept) settle(tokens_.size() - kKept);
  }

  // The number of tokens, all of them written to where the symbols were.
  size_t finish() {
    settle(tokens_.size());
    return settled_;
  }

 private:
  static constexpr size_t kKept = 2048;

  // Tokens are never more than the symbols before them, of which none is asked for any more.
  void settle(size_t count) {
    std::copy_n(tokens_.data(), count, ids_ + settled_);
    settled_ += count;
    const size_t rest = tokens_.size() - count;
    std::memmove(tokens_.data(), tokens_.data() + count, rest * sizeof(uint32_t));
    std::memmove(starts_.data(), starts_.data() + count, rest * sizeof(uint32_t));
    tokens_.resize(rest), starts_.resize(rest);
  }

  uint32_t* const ids_;
  size_t settled_ = 0, end_ = 0;
  IdBuffer tokens_, starts_;  // those not settled, and the symbol that each begins with
};

class LongWord {
 public:
  LongWord(const Ranks& ranks, const std::vector<uint32_t>& made, uint32_t* ids, size_t n)
      : ranks_(ranks), made_(made), ids_(ids), n_(n), joined_(ids) {}

  size_t merge() {
    for (size_t begin = 0;;) {
      const size_t windows = load(begin), first = begin;
      merge_lanes();
      size_t w = 0;
      while (w < windows && joined_.add(lanes_[lane_of_[w]], begin)) ++w, begin += kStride;
      if (joined_.end() == n_ && w == windows) return joined_.finish();
      if (w == windows) continue;
      size_t token;  // that the next window begins with
      if (joined_.anchor(kNarrow - kStride, token, begin) && begin >= first + kStride / 2) continue;
      if (!bridge()) return 0;
      if (joined_.end() == n_) return joined_.finish();
      if (!joined_.anchor(1, token, begin)) return 0;
    }
  }

 private:
  // Windows side by side: what one waits for, memory mostly, is time for the others. A stride of whole periods of two, three and
  // four symbols makes many of them equal in a word that repeats itself.
  static constexpr size_t kNarrow = 64, kStride = 48, kLanes = 8, kWindows = 64, kWide = 1024;

  size_t load(size_t begin) {
    used_ = 0;
    size_t windows = 0;
    for (size_t at = begin; windows < kWindows; at += kStride) {
      const size_t size = std::min(n_ - at, kNarrow);
      const bool again = windows && size == kNarrow && std::memcmp(ids_ + at, ids_ + at - kStride, kNarrow * sizeof(uint32_t)) == 0;
      if (!again) {
        if (used_ == kLanes) break;
        lanes_[used_++].load(ranks_, ids_ + at, size);
      }
      lane_of_[windows++] = static_cast<uint8_t>(used_ - 1);
      if (at + size == n_) break;
    }
    return windows;
  }

  void merge_lanes() {
    const simd::WhereLeast find = simd::where_least();
    Narrow* active[kLanes];
    size_t count = 0;
    while (count < used_) active[count] = &lanes_[count], ++count;
    while (count)
      for (size_t i = 0; i < count;)
        if (active[i]->step(ranks_, made_, find)) ++i;
        else active[i] = active[--count];
  }

  // Where narrow windows do not agree, which long tokens may be the cause of: goes on with a wide one, which begins with a token.
  bool bridge() {
    constexpr size_t kProgress = kWide / 4, kUnsure = kWide / 8;
    const simd::WhereLeast find = simd::where_least();
    for (const size_t back : {kNarrow / 2, kWide / 8, kWide / 4}) {
      size_t token, begin;
      if (!joined_.anchor(back, token, begin)) return false;
      const size_t size = std::min(n_ - begin, kWide);
      if (!wide_) wide_ = std::make_unique<Wide>();
      if (!(size == kWide && wide_->size() == kWide && std::equal(ids_ + begin, ids_ + begin + size, wide_symbols_))) {
        std::copy_n(ids_ + begin, size, wide_symbols_);
        wide_->load(ranks_, ids_ + begin, size);
        while (wide_->step(ranks_, made_, find)) {}
      }
      if (begin && (wide_->id(0) != joined_.id(token) || wide_->next(0) != joined_.stop(token) - begin)) continue;
      size_t stop = size;
      if (begin + size < n_)
        for (stop = size - kUnsure; stop && !wide_->starts_at(stop); --stop) {}
      if (begin + stop < n_ && begin + stop < joined_.end() + kProgress) return false;
      joined_.replace(token, *wide_, begin, 0, stop);
      return true;
    }
    return false;
  }

  const Ranks& ranks_;
  const std::vector<uint32_t>& made_;
  uint32_t* const ids_;
  const size_t n_;
  Joined joined_;
  Narrow lanes_[kLanes];
  size_t used_ = 0;             // of them
  uint8_t lane_of_[kWindows];   // by window
  std::unique_ptr<Wide> wide_;
  uint32_t wide_symbols_[kWide];
};

}  // namespace

size_t merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& made, uint32_t* ids, size_t n) {
  return n > UINT32_MAX ? 0 : LongWord(ranks, made, ids, n).merge();
}

}  // namespace bpe
