#include "merging/windowed_merge.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "base/interruption.hpp"
#include "base/memory.hpp"
#include "merging/merge_window.hpp"
#include "merging/token_row.hpp"

namespace bpe {

namespace {

using Narrow = MergeWindow<64>;
using Wide = MergeWindow<1024>;

class WindowedMerge {
 public:
  WindowedMerge(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders,
                const MoreSymbols& more, IdBuffer& out)
      : ranks_(ranks), merged_ids_(merged_ids), borders_(borders), more_(more), joined_(ranks, borders, out) {}

  bool merge() {
    for (size_t begin = 0;; begin = joined_.end() - std::min(joined_.end(), kOverlap)) {
      pass_checkpoint();
      fill(begin + kEnough);
      if (!merge_few(begin)) return false;
      if (is_last(joined_.end())) break;
    }
    joined_.finish();
    return true;
  }

 private:
  static constexpr size_t kNarrow = 64, kWide = 1024;

  // --- windows one by one --------------------------------------------------------------------------------------------

  // Several windows are merged in turns, so that one computes while others wait for memory. In a word that repeats
  // itself every two, three or four symbols, the stride makes windows equal, and equal ones are merged once.
  static constexpr size_t kStride = kWindowStride, kOverlap = kNarrow - kStride, kFew = 8, kMaxEqual = 64;
  static constexpr size_t kEnough = kMaxEqual * kStride + kNarrow;  // symbols

  bool merge_few(size_t begin) {
    size_t at[kMaxEqual], which[kMaxEqual], count = 0, used = 0;
    for (; count < kMaxEqual; ++count) {
      at[count] = begin + count * kStride;
      if (count && at[count - 1] + kNarrow >= n_) break;
      const bool again = count && repeats(at[count - 1], kStride, kNarrow);
      if (!again) {
        if (used == kFew) break;
        few_[used++].load(ranks_, symbols(at[count]), size_at(at[count], kNarrow));
      }
      which[count] = used - 1;
    }
    take_turns(used);
    for (size_t i = 0; i < count; ++i) {
      row_.clear(at[i]);
      row_.append(few_[which[i]], at[i], size_at(at[i], kNarrow));
      if (!join(row_)) return false;
    }
    return true;
  }

  void take_turns(size_t used) {
    const simd::FindLeast find = simd::find_least();
    Narrow* active[kFew];
    for (size_t i = 0; i < used; ++i) active[i] = &few_[i];
    while (used)
      for (size_t i = 0; i < used;)
        if (active[i]->step(ranks_, merged_ids_, find)) ++i;
        else active[i] = active[--used];
  }

  // --- rows ----------------------------------------------------------------------------------------------------------

  // Reads symbols up to number `until`, or to the end of the word.
  void fill(size_t until) {
    if (complete_ || n_ >= until) return;
    if (const size_t old = joined_.begin() - first_; old > symbols_.size() / 2) symbols_.drop(old), first_ += old;
    while (n_ < until && !complete_) {
      complete_ = !more_(symbols_);
      n_ = first_ + symbols_.size();
    }
  }
  const uint32_t* symbols(size_t at) const { return symbols_.data() + (at - first_); }
  bool is_last(size_t end) const { return complete_ && end == n_; }

  // The size of a window of up to `most` symbols, and whether the same symbols come again `period` symbols later.
  size_t size_at(size_t begin, size_t most) const { return std::min(n_ - begin, most); }
  bool repeats(size_t begin, size_t period, size_t most) const {
    return begin + period + most <= n_ &&
           std::memcmp(symbols(begin), symbols(begin + period), most * sizeof(uint32_t)) == 0;
  }

  bool stay_apart(uint32_t left, uint32_t right) const {
    return borders_.known() && borders_.apart(ranks_, left, right);
  }

  bool join(const TokenRow& row) {
    while (joined_.end() < row.end && !joined_.add(row))
      if (!patch() && !bridge()) return false;
    return true;
  }

  // Where rows cannot be joined: continues with a window that begins at a known token.
  bool patch() {
    fill(joined_.end() + kWide);
    size_t token, begin;
    if (!joined_.anchor(kOverlap, token, begin) || begin + kNarrow < joined_.end() + kStride / 2) return false;
    patch_.load(ranks_, symbols(begin), size_at(begin, kNarrow));
    while (patch_.step(ranks_, merged_ids_, simd::find_least())) {}
    patched_.clear(begin);
    if (const size_t period = period_of(patch_, begin))
      for (; repeats(begin, period, kNarrow); begin += period) patched_.append(patch_, begin, period);
    patched_.append(patch_, begin, size_at(begin, kNarrow));
    return joined_.add(patched_);
  }

  // After how many symbols the tokens of a window repeat themselves, or 0.
  size_t period_of(const Narrow& tokens, size_t begin) const {
    size_t before = 0;  // the first symbol of the token before
    for (uint64_t rest = tokens.starts() & (tokens.starts() - 1); rest; rest &= rest - 1) {
      const auto period = static_cast<size_t>(std::countr_zero(rest));
      const bool goes_on = tokens.id(0) == tokens.id(period) || stay_apart(tokens.id(before), tokens.id(0));
      if (goes_on && repeats(begin, period, kNarrow)) return period;
      before = period;
    }
    return 0;
  }

  // Where that fails, for example because of long tokens: continues with a wide window.
  bool bridge() {
    constexpr size_t kProgress = kWide / 4, kUnsure = kWide / 8;
    const simd::FindLeast find = simd::find_least();
    fill(joined_.end() + kWide);
    for (const size_t back : {kNarrow / 2, kWide / 8, kWide / 4}) {
      size_t token, begin;
      if (!joined_.anchor(back, token, begin)) return false;
      const size_t size = std::min(n_ - begin, kWide);
      if (!wide_) wide_ = std::make_unique<Wide>();
      if (!(size == kWide && wide_->size() == kWide &&
            std::equal(symbols(begin), symbols(begin) + size, wide_symbols_))) {
        std::copy_n(symbols(begin), size, wide_symbols_);
        wide_->load(ranks_, symbols(begin), size);
        while (wide_->step(ranks_, merged_ids_, find)) {}
      }
      if (begin && (wide_->id(0) != joined_.id(token) || wide_->next(0) != joined_.stop(token) - begin)) continue;
      size_t stop = size;
      if (!is_last(begin + size))
        for (stop = size - kUnsure; stop && !wide_->starts_at(stop); --stop) {}
      if (!is_last(begin + stop) && begin + stop < joined_.end() + kProgress) return false;
      joined_.replace(token, *wide_, begin, stop);
      if (!is_last(begin + stop) && wide_->id(stop) == wide_->id(0))
        for (; repeats(begin, stop, kWide); begin += stop) joined_.append(*wide_, begin + stop, stop);
      return true;
    }
    return false;
  }

  const Ranks& ranks_;
  const std::vector<uint32_t>& merged_ids_;
  const Borders& borders_;
  const MoreSymbols& more_;
  IdBuffer symbols_;          // from number `first_` on
  size_t first_ = 0, n_ = 0;  // n_: the number of symbols read
  bool complete_ = false;     // the word has no more
  JoinedTokens joined_;
  Narrow few_[kFew], patch_;
  TokenRow row_, patched_;
  std::unique_ptr<Wide> wide_;
  uint32_t wide_symbols_[kWide];
};

}  // namespace

bool merge_by_windows(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders,
                      const MoreSymbols& more, IdBuffer& out) {
  const size_t from = out.size();
  if (WindowedMerge(ranks, merged_ids, borders, more, out).merge()) return true;
  out.resize(from);
  return false;
}

}  // namespace bpe
