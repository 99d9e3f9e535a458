// attend_rows for avx512; see step_attention_kernel.hpp.
#ifdef __x86_64__
#include "attention/step_attention_kernel.hpp"

namespace bpe::attention {

void attend_rows_avx512(const Step& step, size_t first, size_t last, Scratch scratch) {
  attend_rows(step, first, last, scratch);
}

}  // namespace bpe::attention
#endif
