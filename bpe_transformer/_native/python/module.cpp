// The Python module _core. Only the files of this folder use Python: they convert, release the GIL and translate
// exceptions.
#include "python/conversions.hpp"

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a tokenizer that is cached until the process ends is not a leak
  bind_exceptions(m);
  bind_text(m);
  bind_normalization(m);
  bind_splitting(m);
  bind_word_counts(m);
  bind_sorted_runs(m);
  bind_parallel_counter(m);
  bind_alphabet(m);
  bind_encoder(m);
  bind_decoder(m);
  bind_learner(m);
  bind_step_attention(m);
}
