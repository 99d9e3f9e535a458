#include "merging/long_word.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "merging/parallel_rounds.hpp"
#include "merging/short_word.hpp"
#include "merging/windowed_merge.hpp"

namespace bpe {

namespace {

// Part by part: rounds of sure merges, then what is left between two borders that nothing can merge across.
class LongWord {
 public:
  LongWord(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders, const Claims& claims,
           Symbols::Parts symbols, IdBuffer& out)
      : ranks_(ranks), made_(made), borders_(borders), table_(claims.table()), parts_(symbols), out_(out) {}

  bool merge() {
    do {
      take();
      if (!repeats()) {
        make_sure();
        const size_t stop = complete_ ? part_->size : last_border();
        if (!finish(stop)) return false;
        part_->drop(stop, claim::kNone);
        if (part_->size <= Part::kMost / 2) continue;
      }
      if (!merge_open()) return false;
    } while (!complete_ || part_->size);
    return true;
  }

 private:
  // As many symbols as the part has room for.
  void take() {
    constexpr size_t kBytes = size_t{1} << 13;
    begin_ = part_->size;
    while (part_->size < Part::kMost && !complete_) {
      const size_t count = std::min(Part::kMost - part_->size, symbols_.size() - taken_);
      part_->append(symbols_.data() + taken_, count);
      taken_ += count;
      if (taken_ < symbols_.size()) break;
      symbols_.resize(0), taken_ = 0;
      complete_ = !parts_.next(kBytes, symbols_);
    }
  }

  // Whether what was taken is the same again and again, which windows merge but once.
  bool repeats() const {
    const size_t begin = std::min(begin_, part_->size), count = part_->size - begin, period = kStretchStride;
    const uint32_t* const ids = part_->id.data() + begin;
    return count >= 8 * period && std::memcmp(ids, ids + period, (count - period) * sizeof(uint32_t)) == 0;
  }

  void make_sure() {
    constexpr size_t kFew = 16, kMostRounds = 16;
    const simd::RoundKernel& kernel = simd::rounds();
    part_->end_with(complete_ ? claim::kNone : claim::kUnknown);
    kernel.look_up(table_, *part_);
    for (size_t round = 0; round < kMostRounds; ++round) {
      const size_t count = kernel.merge(table_, *part_);
      kernel.look_up(table_, *part_);
      if (count * kFew < part_->size) break;
    }
    begin_ = Part::kMost;
  }

  // The symbol after it, 0 if there is none.
  size_t last_border() const {
    size_t stop = std::max<size_t>(part_->size, 1) - 1;
    while (stop && !part_->is_border(stop - 1)) --stop;
    return stop;
  }

  // Appends the ids of the first symbols, which are on their own.
  bool finish(size_t stop) {
    const Part& part = *part_;
    size_t done = 0;
    for (size_t i = 0; i + 1 < stop; ++i) {
      if (part.rank(i) == claim::kNoRank) continue;
      size_t begin = i, end = i + 2;
      while (begin > done && !part.is_border(begin - 1)) --begin;
      while (end < stop && !part.is_border(end - 1)) ++end;
      out_.append(part.id.data() + done, begin - done);
      if (!merge_some(part.id.data() + begin, end - begin)) return false;
      done = end, i = end - 1;
    }
    out_.append(part.id.data() + done, stop - done);
    return true;
  }

  bool merge_some(const uint32_t* ids, size_t count) {
    const size_t from = out_.size();
    if (count <= kShortWord) {
      out_.append(ids, count);
      out_.resize(from + merge_short(ranks_, made_, out_.data() + from, count));
      return true;
    }
    return merge_stretch(
        ranks_, made_, borders_,
        [&](IdBuffer& out) {
          out.append(ids, count);
          return std::exchange(count, 0) > 0;
        },
        out_);
  }

  // From a part on that no border is seen in, or that is best left to windows: up to the next border.
  bool merge_open() {
    bool is_first = true, is_last = false;
    return merge_stretch(
        ranks_, made_, borders_,
        [&](IdBuffer& out) {
          if (is_last) return false;
          if (!std::exchange(is_first, false)) take();
          size_t stop = part_->size;
          if (!repeats()) {
            make_sure();
            for (stop = 1; stop < part_->size && !part_->is_border(stop - 1);) ++stop;
            is_last = stop < part_->size;
            if (!is_last && !complete_)
              stop -= std::min(stop, Part::kWidth);  // those after these may be merged yet, and show a border
          }
          const uint32_t before = is_last ? claim::kNone : claim::kUnknown;
          is_last |= complete_;
          out.append(part_->id.data(), stop);
          part_->drop(stop, before);
          return true;
        },
        out_);
  }

  const Ranks& ranks_;
  const std::vector<uint32_t>& made_;
  const Borders& borders_;
  const Claims::Table table_;
  Symbols::Parts parts_;
  IdBuffer& out_;
  IdBuffer symbols_;       // to be taken,
  size_t taken_ = 0;       // but for these
  bool complete_ = false;  // the part holds the word's last symbol
  size_t begin_ = 0;       // of what was taken last, in the part
  const std::unique_ptr<Part> part_ = std::make_unique<Part>();
};

}  // namespace

bool merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& made, const Borders& borders,
                     const Claims* claims, Symbols::Parts symbols, IdBuffer& out) {
  constexpr size_t kBytes = size_t{1} << 15;
  if (!claims) return merge_stretch(ranks, made, borders, [&](IdBuffer& to) { return symbols.next(kBytes, to); }, out);
  const size_t from = out.size();
  if (LongWord(ranks, made, borders, *claims, symbols, out).merge()) return true;
  out.resize(from);
  return false;
}

}  // namespace bpe
