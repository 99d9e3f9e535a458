"""Attention maps as data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection import AttentionMap

# two heads, two target tokens, three source tokens
WEIGHTS = [[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], [[0.1, 0.4, 0.5], [0.2, 0.0, 0.8]]]
SRC, TGT = ["three", " cats", "</s>"], ["세".encode(), "마리".encode()]


def test_mean_and_heads() -> None:
    attention = AttentionMap(SRC, TGT, WEIGHTS, "layer 1")
    np.testing.assert_allclose(attention.mean().weights, [[[0.3, 0.325, 0.375], [0.1, 0.5, 0.4]]], rtol=1e-6)
    np.testing.assert_allclose(attention.head(2).weights[0], WEIGHTS[1], rtol=1e-6)
    assert (attention.num_heads, attention.head(1).num_heads) == (2, 1)
    assert attention.head(1).title == "layer 1, head 1 of 2"


def test_strongest_is_of_the_mean() -> None:
    found = AttentionMap(SRC, TGT, WEIGHTS).alignments()
    assert [(best.tgt, best.src, round(best.weight, 3)) for best in found] == [(0, 2, 0.375), (1, 1, 0.5)]


def test_single_head_may_be_flat() -> None:
    assert AttentionMap(SRC, TGT, WEIGHTS[0]).weights.shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 3, 2)) / 2, r"shape \(2, 3, 2\) do not fit 2 target and 3 source tokens"),
        (np.full((1, 2, 3), 2.0), "after the softmax"),
        (np.full((1, 2, 3), np.nan), "after the softmax"),
        (np.ones((0, 2, 3)), "do not fit"),
    ],
)
def test_refuses_what_is_no_attention(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AttentionMap(SRC, TGT, weights)


def test_no_such_head() -> None:
    with pytest.raises(ConfigError, match="no head 3; choose 1 to 2"):
        AttentionMap(SRC, TGT, WEIGHTS).head(3)


def test_json() -> None:
    facts = json.loads(json.dumps(AttentionMap(SRC, TGT, WEIGHTS).as_dict()))
    assert facts["tgt_tokens"][0] == {"text": "세", "hex": "ec84b8"}
    assert np.asarray(facts["weights"]).shape == (2, 2, 3)
    assert facts["alignments"][1]["src"] == 1
