#include "simd/simd.hpp"

#include <atomic>
#include <cstdlib>
#include <optional>

namespace bpe::simd {

namespace {

constexpr std::array<std::string_view, kNumLevels> kNames{"plain", "neon", "avx2", "avx512"};

std::optional<Level> find_supported(std::string_view wanted) {
  for (const Level level : supported_levels())
    if (name(level) == wanted) return level;
  return std::nullopt;
}

std::atomic<Level>& current() {
  static std::atomic<Level> level = [] {
    const char* const wanted = std::getenv("BPE_TRANSFORMER_SIMD");
    return (wanted ? find_supported(wanted) : std::nullopt).value_or(supported_levels().back());
  }();
  return level;
}

}  // namespace

Level level() { return current().load(std::memory_order_relaxed); }

std::string_view name(Level level) { return kNames[static_cast<size_t>(level)]; }

std::vector<Level> supported_levels() {
  std::vector<Level> levels{Level::kPlain};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) levels.push_back(Level::kAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    levels.push_back(Level::kAvx512);
#elif defined(__aarch64__)
  levels.push_back(Level::kNeon);
#endif
  return levels;
}

bool set_level(std::string_view wanted) {
  const std::optional<Level> found = find_supported(wanted);
  if (found) current() = *found;
  return found.has_value();
}

}  // namespace bpe::simd
