from __future__ import annotations

import math

import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import (
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
    make_positions,
    sinusoids,
)


def test_sinusoids_are_those_of_the_paper() -> None:
    table = sinusoids(50, 16)
    for position in (0, 1, 7, 49):
        for i in range(8):
            angle = position / 10000 ** (2 * i / 16)
            assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoids_grow_with_the_text_and_learned_positions_do_not() -> None:
    places = torch.arange(30)
    torch.testing.assert_close(SinusoidalPositions(d_model=8, max_len=10)(places, 30), sinusoids(30, 8))
    with pytest.raises(ConfigError, match="position 30 is beyond max_len=10"):
        LearnedPositions(d_model=8, max_len=10)(places, 30)
    assert SinusoidalPositions(d_model=8, max_len=10**12).table.size(0) < 10_000  # nothing is allocated for it


def test_rotary_positions_turn_pairs_by_their_angle() -> None:
    rope = RotaryPositions(head_dim=6, max_len=4, base=100.0)
    torch.manual_seed(0)
    x = torch.randn(1, 2, 9, 6)
    turned = rope(x, torch.arange(9), 9)  # longer than max_len: the table grows
    for position in range(9):
        for i in range(3):
            angle = position * 100.0 ** (-2 * i / 6)
            a, b = x[0, 1, position, i].item(), x[0, 1, position, i + 3].item()
            assert turned[0, 1, position, i].item() == pytest.approx(
                a * math.cos(angle) - b * math.sin(angle), abs=1e-5
            )
            assert turned[0, 1, position, i + 3].item() == pytest.approx(
                b * math.cos(angle) + a * math.sin(angle), abs=1e-5
            )


def test_rotary_scores_depend_on_the_distance_only() -> None:
    rope = RotaryPositions(head_dim=8, max_len=64)
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(at: int, to: int) -> float:
        turned_q, turned_k = rope(q, torch.tensor([at]), 64), rope(k, torch.tensor([to]), 64)
        return float((turned_q * turned_k).sum())

    assert score(5, 2) == pytest.approx(score(43, 40), abs=1e-5)
    assert score(5, 2) != pytest.approx(score(5, 3), abs=1e-3)


def test_rows_may_stand_at_their_own_positions() -> None:
    rope = RotaryPositions(head_dim=4, max_len=16)
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 4)
    both = rope(x, torch.tensor([[0, 1], [7, 8]]), 9)
    torch.testing.assert_close(both[1:], rope(x[1:], torch.tensor([7, 8]), 9))


def test_kinds_without_vectors_and_unknown_kinds() -> None:
    assert make_positions("rope", d_model=8, max_len=4) is None
    assert make_positions("none", d_model=8, max_len=4) is None
    with pytest.raises(ConfigError, match="positions='rotary'"):
        make_positions("rotary", d_model=8, max_len=4)
