#include "attention/step_attention.hpp"

#include <algorithm>
#include <vector>

#include "base/parallel.hpp"
#include "simd/simd.hpp"

namespace bpe::attention {

void attend(const Step& step, int num_threads) {
  static constexpr simd::Kernels<AttendRows> kKernels = BPE_KERNELS(attend_rows);
  constexpr size_t kWorkOfThread = size_t{1} << 22;  // multiplications that take longer than starting a thread
  const AttendRows rows = simd::chosen(kKernels);
  const size_t work = step.num_rows * step.num_queries * step.num_heads * step.num_slots * step.width;
  const size_t most = std::min(step.num_rows, 1 + work / kWorkOfThread);
  const size_t threads =
      std::clamp<size_t>(static_cast<size_t>(std::max(num_threads, 1)), 1, std::max<size_t>(most, 1));
  run_threads(static_cast<int>(threads), [&](int thread) {
    std::vector<uint32_t> slots(step.num_slots + kSpare);
    std::vector<float> weights(step.num_slots + kSpare);
    const auto number = static_cast<size_t>(thread);
    rows(step, step.num_rows * number / threads, step.num_rows * (number + 1) / threads,
         {slots.data(), weights.data()});
  });
}

}  // namespace bpe::attention
