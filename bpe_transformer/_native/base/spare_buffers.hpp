// Memory of results that nobody needs any more, kept for the next ones: fresh memory costs a page fault every 4 KiB.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "base/memory.hpp"

namespace bpe {

// A few buffers for the whole process. Without locks, which a forked process might find locked for ever.
class SpareBuffers {
 public:
  // An empty buffer with room for `ids`: a spare one that fits, or a new one.
  static IdBuffer take(size_t ids) {
    for (std::atomic<IdBuffer*>& slot : slots_) {
      const std::unique_ptr<IdBuffer> spare(slot.exchange(nullptr, std::memory_order_acq_rel));
      if (!spare || spare->capacity() < ids) continue;
      if (spare->capacity() / 4 > ids) {  // whoever keeps a few ids should not keep megabytes
        give(std::move(*spare));
        continue;
      }
      spare->resize(0);
      return std::move(*spare);
    }
    IdBuffer fresh;
    fresh.reserve(ids);
    return fresh;
  }
  static void give(IdBuffer&& buffer) noexcept {
    if (buffer.capacity() < kLeast || buffer.capacity() > kMost) return;
    std::unique_ptr<IdBuffer> spare(new (std::nothrow) IdBuffer(std::move(buffer)));
    for (std::atomic<IdBuffer*>& slot : slots_) {
      if (!spare) return;
      IdBuffer *free = nullptr, *const offered = spare.release();
      if (!slot.compare_exchange_strong(free, offered, std::memory_order_acq_rel)) spare.reset(offered);
    }
  }

 private:
  static constexpr size_t kLeast = size_t{1} << 15, kMost = size_t{1} << 22;  // ids; a small one is cheap to make
  static inline std::atomic<IdBuffer*> slots_[2] = {};                        // at most 32 MiB
};

}  // namespace bpe
