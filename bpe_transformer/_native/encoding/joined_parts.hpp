// Ids of parts that threads make in any order, one after another in one array.
#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "base/memory.hpp"

namespace bpe {

class JoinedParts {
 public:
  JoinedParts(size_t num_parts, size_t expected_ids) : ready_(num_parts), is_ready_(num_parts), begins_(num_parts) {
    all_.reserve(expected_ids);
  }

  // An empty buffer to make a part in.
  IdBuffer take() {
    if (ready_.size() == 1) return std::move(all_);
    const std::lock_guard lock(order_);
    if (idle_.empty()) return {};
    IdBuffer buffer = std::move(idle_.back());
    idle_.pop_back();
    return buffer;
  }

  // A part that is done. No thread waits for another's part: whoever completes a row of parts copies them.
  void give(size_t part, IdBuffer&& ids) {
    if (ready_.size() == 1) {
      all_ = std::move(ids);
      return;
    }
    size_t from, to;
    {
      const std::lock_guard lock(order_);
      ready_[part] = std::move(ids);
      is_ready_[part] = 1;
      from = turn_;
      size_t size = all_.size();
      for (; turn_ < ready_.size() && is_ready_[turn_]; size += ready_[turn_++].size()) begins_[turn_] = size;
      to = turn_;
      if (from == to) return;
      const std::unique_lock alone(memory_);
      all_.reserve(size - all_.size());
      all_.resize(size);
    }
    {
      const std::shared_lock together(memory_);
      for (size_t i = from; i < to; ++i)
        if (ready_[i].size())
          __builtin_memcpy(all_.data() + begins_[i], ready_[i].data(), ready_[i].size() * sizeof(uint32_t));
    }
    const std::lock_guard lock(order_);
    for (size_t i = from; i < to; ++i) {
      ready_[i].resize(0);
      idle_.push_back(std::move(ready_[i]));
    }
  }

  // After the last: where each part begins, and all ids.
  const std::vector<size_t>& begins() const { return begins_; }
  IdBuffer release() { return std::move(all_); }

 private:
  std::mutex order_;          // held for moments only
  std::shared_mutex memory_;  // alone to move all_, together to write to it
  std::vector<IdBuffer> ready_, idle_;
  std::vector<uint8_t> is_ready_;
  std::vector<size_t> begins_;
  size_t turn_ = 0;  // the first part that is not in all_
  IdBuffer all_;
};

}  // namespace bpe
