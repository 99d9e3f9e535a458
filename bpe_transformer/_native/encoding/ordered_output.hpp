// Collects arrays of ids that threads finish in any order, and joins them in the order of their numbers.
#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "base/memory.hpp"
#include "base/spare_buffers.hpp"

namespace bpe {

class OrderedOutput {
 public:
  OrderedOutput(size_t num_arrays, size_t expected_ids)
      : done_(num_arrays), is_done_(num_arrays), starts_(num_arrays), all_(SpareBuffers::take(expected_ids)) {}

  // An empty buffer for the next array.
  IdBuffer take_buffer() {
    if (done_.size() == 1) return std::move(all_);
    const std::lock_guard lock(order_);
    if (idle_.empty()) return {};
    IdBuffer buffer = std::move(idle_.back());
    idle_.pop_back();
    return buffer;
  }

  // Array number i, which is complete. No thread waits for another's array: the one that completes a run of arrays
  // copies them.
  void give(size_t i, IdBuffer&& ids) {
    if (done_.size() == 1) {
      all_ = std::move(ids);
      return;
    }
    size_t from, to;
    {
      const std::lock_guard lock(order_);
      done_[i] = std::move(ids);
      is_done_[i] = 1;
      from = next_;
      size_t size = all_.size();
      for (; next_ < done_.size() && is_done_[next_]; size += done_[next_++].size()) starts_[next_] = size;
      to = next_;
      if (from == to) return;
      const std::unique_lock alone(memory_);
      all_.reserve(size - all_.size());
      all_.resize(size);
    }
    {
      const std::shared_lock together(memory_);
      for (size_t k = from; k < to; ++k)
        if (done_[k].size())
          __builtin_memcpy(all_.data() + starts_[k], done_[k].data(), done_[k].size() * sizeof(uint32_t));
    }
    const std::lock_guard lock(order_);
    for (size_t k = from; k < to; ++k) {
      done_[k].resize(0);
      idle_.push_back(std::move(done_[k]));
    }
  }

  // Once all arrays are given: where each starts, and all ids.
  const std::vector<size_t>& starts() const { return starts_; }
  IdBuffer release() { return std::move(all_); }

 private:
  std::mutex order_;          // held only briefly
  std::shared_mutex memory_;  // exclusive to reallocate all_, shared to write to it
  std::vector<IdBuffer> done_, idle_;
  std::vector<uint8_t> is_done_;
  std::vector<size_t> starts_;
  size_t next_ = 0;  // the first array that is not in all_
  IdBuffer all_;
};

}  // namespace bpe
