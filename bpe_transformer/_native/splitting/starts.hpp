// Lists the places in a window of text where pre-tokens begin.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bpe::scan {

// Writes the address of every byte of `window` whose bit in `starts` is set, in order, and perhaps some that have no
// meaning after them: up to a multiple of eight. With AVX-512 at least sixteen are, as many as 64 bytes of ordinary
// text have, so that no branch depends on how many there are.
using ListStarts = void (*)(const uint8_t* window, uint64_t starts, const uint8_t** to);

void list_starts_plain(const uint8_t* window, uint64_t starts, const uint8_t** to);
void list_starts_avx512(const uint8_t* window, uint64_t starts, const uint8_t** to);  // needs VBMI2

// The fastest for the level in use on this processor.
ListStarts list_starts();

}  // namespace bpe::scan
