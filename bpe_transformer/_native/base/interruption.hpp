// Ends calls that take long: their threads look from time to time whether the caller still wants the result.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>

namespace bpe {

// Thrown on the other threads of a call that its caller ended.
struct Interrupted : std::exception {};

// A call that its caller may end. `ask` is called from time to time on the thread that made the call; it throws to end
// it.
struct InterruptibleCall {
  void (*const ask)();
  std::atomic<bool> has_ended{false};
};

// Where one thread of a call may be ended, while this lives. Loops that may run for long pass it where nothing is half
// done.
class Checkpoint {
 public:
  static constexpr std::chrono::milliseconds kInterval{50};  // between two questions

  Checkpoint(InterruptibleCall& call, bool is_caller);
  ~Checkpoint() { current_ = outer_; }
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  // That of this thread, null where nobody may end its work.
  static Checkpoint* current() { return current_; }

  // For steps of some microseconds. Throws what the caller's question does, or Interrupted.
  void pass() {
    if (++passed_ % kPasses == 0) [[unlikely]]
      look();
  }
  // For steps of some milliseconds.
  void look();

  InterruptibleCall& call() const { return call_; }

 private:
  static constexpr uint32_t kPasses = 64;
  static thread_local constinit Checkpoint* current_;

  InterruptibleCall& call_;
  const bool is_caller_;
  Checkpoint* const outer_;
  uint32_t passed_ = 0;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
};

inline void pass_checkpoint() {
  if (Checkpoint* const here = Checkpoint::current()) here->pass();
}

}  // namespace bpe
