// A pool of reusable objects for any number of threads.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace bpe {

// A pool whose lock never waits for long. A process that was forked while another thread held the lock would otherwise
// wait for ever, since that thread does not exist in it. Such a process finds the pool empty and creates its objects
// itself.
template <class T>
class Pool {
 public:
  std::unique_ptr<T> take() {  // null if the pool is empty
    std::unique_ptr<T> object;
    if (!lock()) return object;
    if (!idle_.empty()) {
      object = std::move(idle_.back());
      idle_.pop_back();
    }
    locked_.clear(std::memory_order_release);
    return object;
  }
  void give(std::unique_ptr<T> object) {
    if (!lock()) return;
    idle_.push_back(std::move(object));
    locked_.clear(std::memory_order_release);
  }

 private:
  bool lock() {
    for (int tries = 0; tries < 1000; ++tries) {
      if (!locked_.test_and_set(std::memory_order_acquire)) return true;
      if (tries >= 100) std::this_thread::yield();
    }
    return false;
  }
  std::atomic_flag locked_ = ATOMIC_FLAG_INIT;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace bpe
