// Which vector instructions the core uses: the best that this processor has, chosen at run time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace bpe::simd {

enum class Level : uint8_t { kPlain, kNeon, kAvx2, kAvx512 };
inline constexpr size_t kNumLevels = 4;

// The level in use: at first the best one, or the one that the environment variable BPE_TRANSFORMER_SIMD names.
Level level();
std::string_view name(Level level);  // "plain", "neon", "avx2", "avx512"
// The levels that this processor supports, the best last.
std::vector<Level> supported_levels();
// Takes the supported level of that name; false if there is none.
bool set_level(std::string_view name);

// One implementation of a function for each level; those of levels that this kind of processor never has are null.
template <class Kernel>
using Kernels = std::array<Kernel, kNumLevels>;
#if defined(__x86_64__)
#define BPE_KERNELS(function) {function##_plain, nullptr, function##_avx2, function##_avx512}
#elif defined(__aarch64__)
#define BPE_KERNELS(function) {function##_plain, function##_neon, nullptr, nullptr}
#else
#define BPE_KERNELS(function) {function##_plain, nullptr, nullptr, nullptr}
#endif

// The one for the level in use.
template <class Kernel>
const Kernel& chosen(const Kernels<Kernel>& kernels) {
  return kernels[static_cast<size_t>(level())];
}

}  // namespace bpe::simd
