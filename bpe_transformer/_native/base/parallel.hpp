// Runs a function on several threads.
#pragma once

#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace bpe {

// Runs work(thread) for threads 0 to num_threads - 1, one of them the calling thread. Throws the first exception of
// any.
template <class Work>
void run_threads(int num_threads, Work&& work) {
  if (num_threads <= 1) return work(0);
  std::exception_ptr first;
  std::mutex guard;
  auto guarded = [&](int thread) {
    try {
      work(thread);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (!first) first = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(num_threads) - 1);
  int started = 1;
  try {
    for (; started < num_threads; ++started) threads.emplace_back(guarded, started);
    // NOLINTNEXTLINE(bugprone-empty-catch): the calling thread does the work of those that could not be started
  } catch (const std::system_error&) {}
  guarded(0);
  for (; started < num_threads; ++started) guarded(started);
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace bpe
