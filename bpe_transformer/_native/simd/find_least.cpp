#include "simd/find_least.hpp"

#include "simd/simd.hpp"

namespace bpe::simd {

FindLeast find_least() {
  static constexpr Kernels<FindLeast> kKernels = BPE_KERNELS(find_least);
  return chosen(kKernels);
}

}  // namespace bpe::simd
