"""The statistics of the studies, against calculations by hand."""

from __future__ import annotations

import math

import pytest
import torch

from bpe_transformer.studies.base.attention_probe import jensen_shannon, total_variation
from bpe_transformer.studies.base.measured import cpu_seconds, peak_bytes
from bpe_transformer.studies.base.statistics import (
    crossing,
    factor_per_step,
    fitted_exponent,
    kendall_tau,
    mean_of,
    standard_error,
)


def test_kendalls_tau_by_hand() -> None:
    # of the 6 pairs of (1, 2, 3, 4) and (3, 1, 4, 2): (1,3), (2,3) and (2,4) go alike, the other three do not
    assert kendall_tau([1, 2, 3, 4], [3, 1, 4, 2]) == 0
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx((5 - 1) / 6)
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    # ties: 3 pairs, of which one is tied in the first and another in the second; the third goes alike
    assert kendall_tau([1, 1, 2], [1, 2, 2]) == pytest.approx(1 / math.sqrt(2 * 2))
    assert math.isnan(kendall_tau([1, 1, 1], [1, 2, 3]))
    assert math.isnan(kendall_tau([1], [1]))


def test_exponents_by_hand() -> None:
    sizes = [64, 128, 256, 512]
    assert fitted_exponent(sizes, [3e-9 * size**2 for size in sizes]) == pytest.approx(2)
    assert fitted_exponent(sizes, [5.0] * 4) == pytest.approx(0)
    # two points: log(10) / log(2)
    assert fitted_exponent([1, 2], [1, 10]) == pytest.approx(math.log2(10))
    assert factor_per_step([1, 2, 4], [0.9, 0.81, 0.6561]) == pytest.approx(0.9)


def test_distances_by_hand() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert float(total_variation(p, q)) == pytest.approx(0.5)
    middle = [0.375, 0.375, 0.25]
    by_hand = 0.5 * (
        sum(a * math.log(a / m) for a, m in zip(p.tolist(), middle, strict=True) if a)
        + sum(b * math.log(b / m) for b, m in zip(q.tolist(), middle, strict=True))
    )
    assert float(jensen_shannon(p, q)) == pytest.approx(by_hand, abs=1e-6)
    assert float(jensen_shannon(q, p)) == pytest.approx(by_hand, abs=1e-6)
    assert float(jensen_shannon(p, p)) == pytest.approx(0, abs=1e-7)


def test_errors_and_crossings() -> None:
    assert standard_error([1.0]) is None
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)  # s = √2, n = 2
    assert mean_of([1.0, math.nan, 3.0]) == 2.0
    assert math.isnan(mean_of([math.nan]))
    assert crossing([3, 5, 9], [True, False, True]) == 9
    assert crossing([3, 5, 9], [True, True, False]) is None


def test_memory_is_what_the_allocator_held_at_once() -> None:
    """Three matrices of 100 x 100 floats: the second goes before the third is made."""

    def work() -> torch.Tensor:
        first = torch.zeros(100, 100)
        first.exp()
        return first.exp()

    assert peak_bytes(work) == 2 * 40_000
    assert 0 < cpu_seconds(lambda: sum(range(2000)), 2) < 0.1
