"""Every metric against an example worked by hand."""

from __future__ import annotations

import doctest
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer.inspection.base import metrics
from bpe_transformer.inspection.base.metrics import (
    byte_fallback_rate,
    bytes_per_token,
    fertility,
    overlap,
    parity,
    renyi_efficiency,
    share_whole_words,
    unknown_rate,
    weighted_overlap,
)


def test_examples_in_the_docstrings() -> None:
    done = doctest.testmod(metrics)
    assert done.attempted >= 9
    assert done.failed == 0


def test_ratios_by_hand() -> None:
    """`low lowest 세`: 14 bytes as low | ·low | est | · | three bytes: 7 tokens, of which 6 hold part of the 3 words."""
    assert bytes_per_token(len("low lowest 세".encode()), 7) == 2.0
    assert fertility(6, 3) == 2.0
    assert share_whole_words(1, 3) == pytest.approx(1 / 3)
    assert byte_fallback_rate(3, 7) == pytest.approx(3 / 7)
    assert unknown_rate(0, 7) == 0.0
    assert parity(7, 14) == 0.5


def test_renyi_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 and alpha 2: Σ p² = 3/8, entropy ln(8/3), over ln 3."""
    assert renyi_efficiency([2, 1, 1], alpha=2) == pytest.approx(math.log(8 / 3) / math.log(3))
    # in a vocabulary of 16 the same text: over ln 16
    assert renyi_efficiency([2, 1, 1], 16, alpha=2) == pytest.approx(math.log(8 / 3) / math.log(16))
    # alpha 1 is Shannon: 1.5 bits of log2 3
    assert renyi_efficiency([2, 1, 1], alpha=1) == pytest.approx(1.5 / math.log2(3))


def test_renyi_as_the_authors_program() -> None:
    """The figures in the tests of tokenization-scorer: `pick ed pick l ed pick les`, and with e and d apart."""
    assert renyi_efficiency([3, 2, 1, 1]) == pytest.approx(0.8265064834225245)
    assert renyi_efficiency([3, 3, 2, 2, 1]) == pytest.approx(0.9204840242168808)
    assert renyi_efficiency([3, 2, 1, 1], alpha=1) == pytest.approx(0.9211854965885544)


def test_renyi_at_the_edges() -> None:
    assert renyi_efficiency([]) == renyi_efficiency([0, 0]) == renyi_efficiency([5]) == 0.0
    assert renyi_efficiency([7, 0], vocab_size=2) == 0.0  # always the same token
    assert renyi_efficiency(np.array([3, 0, 3], dtype=np.uint64)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="-1"):
        renyi_efficiency([-1, 2])
    with pytest.raises(ValueError, match="vocab_size=1"):
        renyi_efficiency([1, 2], vocab_size=1)


def test_overlap_by_hand() -> None:
    assert overlap({b"low", b"er", b"est"}, {b"low", b"est", b"new"}) == 2 / 4
    # low: 3/4 and 1/2, er: 1/4 and 0, est: 0 and 1/2; least 1/2, greatest 3/4 + 1/4 + 1/2
    assert weighted_overlap({b"low": 3, b"er": 1}, {b"low": 1, b"est": 1}) == pytest.approx(0.5 / 1.5)


def test_nothing_to_measure_is_zero() -> None:
    ratios = (bytes_per_token, fertility, share_whole_words, parity, unknown_rate, byte_fallback_rate)
    values = [ratio(0, 0) for ratio in ratios] + [overlap(set(), set()), weighted_overlap({}, {b"a": 1})]
    assert json.loads(json.dumps(values)) == [0.0] * len(values)
    with pytest.raises(ValueError, match="not negative"):
        fertility(-1, 2)


COUNTS = st.dictionaries(st.binary(max_size=2), st.integers(1, 1000), min_size=1, max_size=20)


@given(COUNTS, COUNTS)
@settings(max_examples=50, deadline=None)
def test_bounds_and_symmetry(one: dict[bytes, int], other: dict[bytes, int]) -> None:
    assert 0 <= renyi_efficiency(list(one.values())) <= 1 + 1e-12
    assert 0 <= weighted_overlap(one, other) <= 1 + 1e-12
    assert weighted_overlap(one, other) == pytest.approx(weighted_overlap(other, one))
    assert weighted_overlap(one, one) == pytest.approx(1.0)
    union = one.keys() | other.keys()
    shares = [[side.get(t, 0) / sum(side.values()) for t in union] for side in (one, other)]
    least, most = (sum(map(choose, *shares)) for choose in (min, max))
    assert weighted_overlap(one, other) == pytest.approx(least / most)
    assert overlap(one.keys(), other.keys()) == len(one.keys() & other.keys()) / len(union)
