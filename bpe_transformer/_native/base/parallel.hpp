// Runs a function on several threads.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "base/interruption.hpp"

namespace bpe {

// The errors of several threads: the first one, unless the call was ended by its caller.
class FirstError {
 public:
  // Calls work() and keeps what it throws.
  template <class Work>
  void guard(Work&& work) {
    try {
      work();
      // NOLINTNEXTLINE(bugprone-empty-catch): the thread that ended the call knows why
    } catch (const Interrupted&) {
    } catch (...) {
      const Checkpoint* const here = Checkpoint::current();
      const std::lock_guard lock(mutex_);
      if (!first_ || (here && here->call().has_ended)) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

// Runs work(thread) for threads 0 to num_threads - 1, one of them the calling thread. Rethrows the first exception that
// a thread throws.
template <class Work>
void run_threads(int num_threads, Work&& work) {
  if (num_threads <= 1) return work(0);
  FirstError error;
  Checkpoint* const caller = Checkpoint::current();
  std::mutex mutex;
  std::condition_variable has_ended;
  size_t num_ended = 0;
  const auto on_thread = [&](int thread) {
    {
      std::optional<Checkpoint> checkpoint;
      if (caller) checkpoint.emplace(caller->call(), false);
      error.guard([&] { work(thread); });
    }
    const std::lock_guard lock(mutex);
    ++num_ended;
    has_ended.notify_one();
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(num_threads) - 1);
  int started = 1;
  try {
    for (; started < num_threads; ++started) threads.emplace_back(on_thread, started);
    // NOLINTNEXTLINE(bugprone-empty-catch): the calling thread does the work of those that could not be started
  } catch (const std::system_error&) {}
  error.guard([&] { work(0); });
  for (; started < num_threads; ++started) error.guard([&] { work(started); });
  if (caller) {
    error.guard([&] {
      std::unique_lock lock(mutex);
      while (!has_ended.wait_for(lock, Checkpoint::kInterval, [&] { return num_ended == threads.size(); })) {
        lock.unlock();
        caller->look();
        lock.lock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  error.rethrow();
}

}  // namespace bpe
