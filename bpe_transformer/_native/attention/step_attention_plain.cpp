// attend_rows for plain; see step_attention_kernel.hpp.
#include "attention/step_attention_kernel.hpp"

namespace bpe::attention {

void attend_rows_plain(const Step& step, size_t first, size_t last, Scratch scratch) {
  attend_rows(step, first, last, scratch);
}

}  // namespace bpe::attention
