from __future__ import annotations

import pytest
import torch

from bpe_transformer.inference.search.top_scores import highest, top_scores


@pytest.mark.parametrize(("beams", "vocab_size"), [(1, 7), (3, 500), (5, 1024), (5, 1999), (2, 6000)])
def test_blocks_find_what_sorting_finds(beams: int, vocab_size: int) -> None:
    torch.manual_seed(vocab_size)
    scores, totals = torch.randn(4 * beams, vocab_size), torch.randn(4, beams)
    scores[0, -1] = 50.0  # in the rest that fills no block
    scores[beams, 3:60] += 9.0  # several in the same block
    totals[2] = float("-inf")
    sums = (totals[:, :, None] + scores.view(4, beams, -1)).flatten(1)
    wanted = sums.topk(min(10, sums.size(1)), dim=1).values
    found, index = top_scores(scores, totals, 10)
    torch.testing.assert_close(found[:, : wanted.size(1)], wanted)
    finite = found.isfinite()
    torch.testing.assert_close(sums.gather(1, index)[finite], found[finite])
    assert torch.equal(highest(scores), scores.argmax(dim=-1))


def test_of_equal_ones_the_first_is_the_highest() -> None:
    logits = torch.zeros(2, 700)
    logits[1, [40, 41, 650]] = 1.0
    assert highest(logits).tolist() == [0, 40]
