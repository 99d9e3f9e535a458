#include "merging/long_word.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/interruption.hpp"
#include "merging/parallel_rounds.hpp"
#include "merging/short_word.hpp"
#include "merging/windowed_merge.hpp"

namespace bpe {

namespace {

// Goes through a word block by block: rounds of certain merges, then the few merges left between two final borders.
class LongWord {
 public:
  LongWord(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders, const Claims& claims,
           Symbols::Reader symbols, IdBuffer& out)
      : ranks_(ranks),
        merged_ids_(merged_ids),
        borders_(borders),
        table_(claims.table()),
        reader_(symbols),
        out_(out) {}

  bool merge() {
    do {
      pass_checkpoint();
      take();
      if (!repeats()) {
        merge_certain();
        const size_t stop = complete_ ? block_->size : last_border();
        if (!finish(stop)) return false;
        block_->drop(stop, claim::kNone);
        if (block_->size <= SymbolBlock::kMax / 2) continue;
      }
      if (!merge_open()) return false;
    } while (!complete_ || block_->size);
    return true;
  }

 private:
  // Fills the block with the next symbols.
  void take() {
    constexpr size_t kBytes = size_t{1} << 13;
    begin_ = block_->size;
    while (block_->size < SymbolBlock::kMax && !complete_) {
      const size_t count = std::min(SymbolBlock::kMax - block_->size, symbols_.size() - taken_);
      block_->append(symbols_.data() + taken_, count);
      taken_ += count;
      if (taken_ < symbols_.size()) break;
      symbols_.resize(0), taken_ = 0;
      complete_ = !reader_.next(kBytes, symbols_);
    }
  }

  // Whether the new symbols repeat themselves, in which case windows merge them only once.
  bool repeats() const {
    const size_t begin = std::min(begin_, block_->size), count = block_->size - begin, period = kWindowStride;
    const uint32_t* const ids = block_->id.data() + begin;
    return count >= 8 * period && std::memcmp(ids, ids + period, (count - period) * sizeof(uint32_t)) == 0;
  }

  // Rounds of certain merges, until they are few.
  void merge_certain() {
    constexpr size_t kFew = 16, kMaxRounds = 16;
    const RoundKernel& kernel = round_kernel();
    block_->end_with(complete_ ? claim::kNone : claim::kUnknown);
    kernel.look_up(table_, *block_);
    for (size_t round = 0; round < kMaxRounds; ++round) {
      const size_t count = kernel.merge(table_, *block_);
      kernel.look_up(table_, *block_);
      if (count * kFew < block_->size) break;
    }
    begin_ = SymbolBlock::kMax;
  }

  // The symbol after the last final border, 0 if there is none.
  size_t last_border() const {
    size_t stop = std::max<size_t>(block_->size, 1) - 1;
    while (stop && !block_->is_border(stop - 1)) --stop;
    return stop;
  }

  // Completes the merges of the first symbols, which end at a final border, and appends their ids.
  bool finish(size_t stop) {
    const SymbolBlock& block = *block_;
    size_t done = 0;
    for (size_t i = 0; i + 1 < stop; ++i) {
      if (block.rank(i) == claim::kNoRank) continue;
      size_t begin = i, end = i + 2;
      while (begin > done && !block.is_border(begin - 1)) --begin;
      while (end < stop && !block.is_border(end - 1)) ++end;
      out_.append(block.id.data() + done, begin - done);
      if (!merge_some(block.id.data() + begin, end - begin)) return false;
      done = end, i = end - 1;
    }
    out_.append(block.id.data() + done, stop - done);
    return true;
  }

  bool merge_some(const uint32_t* ids, size_t count) {
    const size_t from = out_.size();
    if (count <= kShortWord) {
      out_.append(ids, count);
      out_.resize(from + merge_short(ranks_, merged_ids_, out_.data() + from, count));
      return true;
    }
    return merge_by_windows(
        ranks_, merged_ids_, borders_,
        [&](IdBuffer& out) {
          out.append(ids, count);
          return std::exchange(count, 0) > 0;
        },
        out_);
  }

  // Merges with windows, from a block that shows no final border, or that repeats itself, up to the next border.
  bool merge_open() {
    bool is_first = true, is_last = false;
    return merge_by_windows(
        ranks_, merged_ids_, borders_,
        [&](IdBuffer& out) {
          if (is_last) return false;
          if (!std::exchange(is_first, false)) take();
          size_t stop = block_->size;
          if (!repeats()) {
            merge_certain();
            for (stop = 1; stop < block_->size && !block_->is_border(stop - 1);) ++stop;
            is_last = stop < block_->size;
            if (!is_last && !complete_)
              stop -= std::min(stop, SymbolBlock::kWidth);  // a later look at the last ones may find a border
          }
          const uint32_t before = is_last ? claim::kNone : claim::kUnknown;
          is_last |= complete_;
          out.append(block_->id.data(), stop);
          block_->drop(stop, before);
          return true;
        },
        out_);
  }

  const Ranks& ranks_;
  const std::vector<uint32_t>& merged_ids_;
  const Borders& borders_;
  const Claims::Table table_;
  Symbols::Reader reader_;
  IdBuffer& out_;
  IdBuffer symbols_;       // the next symbols for the block,
  size_t taken_ = 0;       // of which so many are in it
  bool complete_ = false;  // the block holds the word's last symbol
  size_t begin_ = 0;       // of the new symbols in the block
  const std::unique_ptr<SymbolBlock> block_ = std::make_unique<SymbolBlock>();
};

}  // namespace

bool merge_long_word(const Ranks& ranks, const std::vector<uint32_t>& merged_ids, const Borders& borders,
                     const Claims* claims, Symbols::Reader symbols, IdBuffer& out) {
  constexpr size_t kBytes = size_t{1} << 15;
  if (!claims)
    return merge_by_windows(ranks, merged_ids, borders, [&](IdBuffer& to) { return symbols.next(kBytes, to); }, out);
  const size_t from = out.size();
  if (LongWord(ranks, merged_ids, borders, *claims, symbols, out).merge()) return true;
  out.resize(from);
  return false;
}

}  // namespace bpe
