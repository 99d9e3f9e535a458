#include "long_word.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "lanes.hpp"
#include "memory.hpp"
#include "token_row.hpp"
#include "window.hpp"

namespace bpe {

namespace {

using Narrow = Window<64>;
using Wide = Window<1024>;

class LongWord {
 public:
  LongWord(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders, Symbols::Parts symbols, IdBuffer& out)
      : ranks_(ranks),
        made_(made),
        borders_(borders),
        parts_(symbols),
        joined_(ranks, borders, out),
        kernel_(ranks.table().slots ? simd::lanes() : nullptr) {}

  bool merge() {
    for (size_t begin = 0;; begin = joined_.end() - std::min(joined_.end(), kOverlap)) {
      fill(begin + kEnough);
      const bool many = kernel_ && n_ - begin > kFew * kStride + kNarrow;
      if (!(many ? merge_in_lanes(begin) : merge_few(begin))) return false;
      if (is_last(joined_.end())) break;
    }
    joined_.finish();
    return true;
  }

 private:
  static constexpr size_t kNarrow = 64, kWide = 1024, kLane = Lanes::kSymbols;

  // --- windows one by one --------------------------------------------------------------------------------------------

  // A few take turns: what one waits for, memory mostly, is time for the others. A stride of whole periods of two, three and four
  // symbols makes many of them equal in a word that repeats itself.
  static constexpr size_t kStride = 48, kOverlap = kNarrow - kStride, kFew = 8, kMostEqual = 64;

  bool merge_few(size_t begin) {
    size_t at[kMostEqual], lane_of[kMostEqual], count = 0, used = 0;
    for (; count < kMostEqual; ++count) {
      at[count] = begin + count * kStride;
      if (count && at[count - 1] + kNarrow >= n_) break;
      const bool again = count && repeats(at[count - 1], kStride, kNarrow);
      if (!again) {
        if (used == kFew) break;
        few_[used++].load(ranks_, symbols(at[count]), size_at(at[count], kNarrow));
      }
      lane_of[count] = used - 1;
    }
    take_turns(used);
    for (size_t i = 0; i < count; ++i) {
      row_.clear(at[i]);
      row_.append(few_[lane_of[i]], at[i], 0, size_at(at[i], kNarrow));
      if (!join(row_)) return false;
    }
    return true;
  }

  void take_turns(size_t used) {
    const simd::WhereLeast find = simd::where_least();
    Narrow* active[kFew];
    for (size_t i = 0; i < used; ++i) active[i] = &few_[i];
    while (used)
      for (size_t i = 0; i < used;)
        if (active[i]->step(ranks_, made_, find)) ++i;
        else active[i] = active[--used];
  }

  // --- windows side by side ------------------------------------------------------------------------------------------

  // Each lane makes a row of its own, window after window: one begins with the last token of the one before that is far enough from
  // its end to be right, as a rule; that it goes with the token before is made sure of.
  static constexpr size_t kTail = 4, kReach = 32, kLeastRow = 256, kMostRow = 2064;
  static constexpr size_t kEnough = Lanes::kLanes * kMostRow + kReach + kLane, kPart = size_t{1} << 15;  // bytes
  struct Run {
    Row row;
    size_t at, goal, windows_left;
    uint32_t id;          // of the token that the window is to begin with,
    size_t size;          // its symbols, 0 if there is none
    size_t back;          // the symbol that a window began with which went back, or 0
    bool done;
  };

  bool merge_in_lanes(size_t begin) {
    if (!lanes_) lanes_ = std::make_unique<Lanes>(), runs_ = std::make_unique<Run[]>(Lanes::kLanes);
    const size_t rest = n_ - begin, length = std::clamp(rest / Lanes::kLanes + 1, kLeastRow, kMostRow);
    const size_t count = std::min(Lanes::kLanes, (rest + length - 1) / length);
    const size_t reach = std::min(rest, count * length + kReach + kLane);
    key_.reserve(reach + simd::LaneKernel::kSlack);
    kernel_->keys(ranks_.table(), symbols(begin), reach, key_.data());
    const auto load = [&](size_t lane) {
      const size_t at = runs_[lane].at;
      lanes_->load(lane, symbols(begin + at), key_.data() + at, size_at(begin + at, kLane));
    };
    for (size_t i = 0; i < count; ++i) {
      Run& run = runs_[i];
      run.row.clear(begin + i * length);
      run.at = i * length, run.goal = run.at + length + kReach, run.windows_left = 4 * length / (kLane - kTail);
      run.size = run.back = 0, run.done = false;
      load(i);
    }
    for (uint32_t active = ~uint32_t{0} >> (Lanes::kLanes - count); active;) {
      kernel_->step(ranks_.table(), made_.data(), *lanes_);
      for (uint32_t idle = lanes_->idle_lanes() & active; idle; idle &= idle - 1) {
        const auto lane = static_cast<size_t>(std::countr_zero(idle));
        take(begin, {lanes_->starts(lane), lanes_->ids(lane), Lanes::kWidth}, runs_[lane]);
        if (runs_[lane].done) active &= ~(uint32_t{1} << lane);
        else load(lane);
      }
    }
    for (size_t i = 0; i < count; ++i)
      if (runs_[i].row.size() && !join(runs_[i].row)) return false;
    return reach_to(std::min(begin + count * length, n_));
  }

  // Takes what is right of a window's tokens, and of those after it as long as they are the same.
  void take(size_t begin, const Tokens& tokens, Run& run) {
    for (;;) {
      const size_t at = begin + run.at, size = size_at(at, kLane);
      const bool same = run.size && tokens.id(0) == run.id && tokens.stop(0, size) == run.size;
      if (run.row.size() && !same && !stay_apart(run.row.id(run.row.size() - 1), tokens.id(0))) return go_back(begin, run);
      const bool last = is_last(at + size);
      const uint64_t sure = tokens.begins & ((uint64_t{2} << (kLane - kTail)) - 1);
      const size_t stop = last ? size : 63 - static_cast<size_t>(std::countl_zero(sure));
      run.row.append(tokens, at, 0, stop);
      run.done = last || stop == 0 || run.at + stop >= run.goal || run.windows_left-- == 0;
      if (run.done) return;
      run.id = tokens.id(stop), run.size = tokens.stop(stop, size) - stop;
      run.at += stop;
      if (!repeats(at, stop, kLane)) return;
    }
  }

  void go_back(size_t begin, Run& run) {
    size_t token = run.row.size();
    while (token && run.row.start(token) + 2 * kTail > begin + run.at) --token;
    const size_t start = run.row.start(token);
    run.done = token == 0 || start <= run.back || run.windows_left-- == 0;  // else it would come to the same
    if (run.done) return;
    run.back = start;
    run.id = run.row.id(token), run.size = run.row.start(token + 1) - start;
    run.at = start - begin;
    run.row.cut(token);
  }

  // --- rows ----------------------------------------------------------------------------------------------------------

  // Has symbols made, up to symbol `until` if the word is so long.
  void fill(size_t until) {
    if (complete_ || n_ >= until) return;
    if (const size_t old = joined_.begin() - first_; old > symbols_.size() / 2) symbols_.drop(old), first_ += old;
    while (n_ < until && !complete_) {
      complete_ = !parts_.next(kPart, symbols_);
      n_ = first_ + symbols_.size();
    }
  }
  const uint32_t* symbols(size_t at) const { return symbols_.data() + (at - first_); }
  bool is_last(size_t end) const { return complete_ && end == n_; }

  // Of a window of up to `most` symbols: how many it has, and whether it is the same `period` symbols later.
  size_t size_at(size_t begin, size_t most) const { return std::min(n_ - begin, most); }
  bool repeats(size_t begin, size_t period, size_t most) const {
    return begin + period + most <= n_ && std::memcmp(symbols(begin), symbols(begin + period), most * sizeof(uint32_t)) == 0;
  }

  bool stay_apart(uint32_t left, uint32_t right) const { return borders_.known() && borders_.apart(ranks_, left, right); }

  bool join(const Row& row) {
    while (joined_.end() < row.end && !joined_.add(row))
      if (!patch() && !bridge()) return false;
    return true;
  }
  bool reach_to(size_t end) {
    while (joined_.end() < end)
      if (!patch() && !bridge()) return false;
    return true;
  }

  // Where rows do not agree: goes on with a window that begins with a token.
  bool patch() {
    fill(joined_.end() + kWide);
    size_t token, begin;
    if (!joined_.anchor(kOverlap, token, begin) || begin + kNarrow < joined_.end() + kStride / 2) return false;
    patch_.load(ranks_, symbols(begin), size_at(begin, kNarrow));
    while (patch_.step(ranks_, made_, simd::where_least())) {}
    const Tokens tokens{patch_.starts(), patch_.ids()};
    patched_.clear(begin);
    if (const size_t period = period_of(tokens, begin))
      for (; repeats(begin, period, kNarrow); begin += period) patched_.append(tokens, begin, 0, period);
    patched_.append(tokens, begin, 0, size_at(begin, kNarrow));
    return joined_.add(patched_);
  }

  // After how many symbols the tokens of a window come again, or 0.
  size_t period_of(const Tokens& tokens, size_t begin) const {
    size_t before = 0;  // the start of the token before
    for (uint64_t rest = tokens.begins & (tokens.begins - 1); rest; rest &= rest - 1) {
      const auto period = static_cast<size_t>(std::countr_zero(rest));
      const bool goes_on = tokens.id(0) == tokens.id(period) || stay_apart(tokens.id(before), tokens.id(0));
      if (goes_on && repeats(begin, period, kNarrow)) return period;
      before = period;
    }
    return 0;
  }

  // Where that does not do, which long tokens may be the cause of: goes on with a wide one.
  bool bridge() {
    constexpr size_t kProgress = kWide / 4, kUnsure = kWide / 8;
    const simd::WhereLeast find = simd::where_least();
    fill(joined_.end() + kWide);
    for (const size_t back : {kNarrow / 2, kWide / 8, kWide / 4}) {
      size_t token, begin;
      if (!joined_.anchor(back, token, begin)) return false;
      const size_t size = std::min(n_ - begin, kWide);
      if (!wide_) wide_ = std::make_unique<Wide>();
      if (!(size == kWide && wide_->size() == kWide && std::equal(symbols(begin), symbols(begin) + size, wide_symbols_))) {
        std::copy_n(symbols(begin), size, wide_symbols_);
        wide_->load(ranks_, symbols(begin), size);
        while (wide_->step(ranks_, made_, find)) {}
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
  const std::vector<uint32_t>& made_;
  const Borders& borders_;
  Symbols::Parts parts_;
  IdBuffer symbols_;             // from symbol `first_` on
  size_t first_ = 0, n_ = 0;     // n_: the first that is not there yet
  bool complete_ = false;        // there is none after those
  Joined joined_;
  const simd::LaneKernel* const kernel_;  // or null
  Narrow few_[kFew], patch_;
  Row row_, patched_;
  std::unique_ptr<Lanes> lanes_;
  std::unique_ptr<Run[]> runs_;
  IdBuffer key_;  // of each symbol with the next
  std::unique_ptr<Wide> wide_;
  uint32_t wide_symbols_[kWide];
};

}  // namespace

bool merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders, Symbols::Parts symbols,
                     IdBuffer& out) {
  const size_t from = out.size();
  if (LongWord(ranks, made, borders, symbols, out).merge()) return true;
  out.resize(from);
  return false;
}

}  // namespace bpe
