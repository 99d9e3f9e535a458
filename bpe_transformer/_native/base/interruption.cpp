#include "base/interruption.hpp"

namespace bpe {

thread_local constinit Checkpoint* Checkpoint::current_ = nullptr;

Checkpoint::Checkpoint(InterruptibleCall& call, bool is_caller) : call_(call), is_caller_(is_caller), outer_(current_) {
  current_ = this;
}

void Checkpoint::look() {
  if (call_.has_ended.load(std::memory_order_relaxed)) throw Interrupted{};
  if (!is_caller_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - asked_ < kInterval) return;
  asked_ = now;
  try {
    call_.ask();
  } catch (...) {
    call_.has_ended = true;
    throw;
  }
}

}  // namespace bpe
