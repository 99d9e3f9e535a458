"""Tokens folded to words and characters: every row still sums to 1, and nothing is lost."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bpe_transformer import Tokenizer
from bpe_transformer.inspection.attention import AttentionMap, fold
from bpe_transformer.inspection.attention.units import Unit
from bpe_transformer.inspection.base.split_characters import written_legend

TEXTS = st.text(alphabet=st.sampled_from("ab 세마리를é́\u0301東京 \t\n.,!😀한ᄀ"), max_size=20)


@given(TEXTS, st.sampled_from(["words", "chars", "tokens"]))
def test_rows_still_sum_to_one(korean: Tokenizer, text: str, unit: Unit) -> None:
    ids = [*korean.encode(text), korean.special_tokens["</s>"]]
    tokens = [korean.token_bytes(id) for id in ids]
    weights = np.random.default_rng(len(text)).dirichlet(np.ones(len(ids)), size=(2, len(ids)))
    units = fold(korean, ids, tokens, unit)
    found = AttentionMap(tokens, tokens, weights).folded(units, units, unit)
    np.testing.assert_allclose(found.weights.sum(axis=-1), 1, atol=1e-5)
    folded = units.sum_columns(weights.astype(np.float32))
    assert float(folded.sum()) == pytest.approx(weights.sum(), rel=1e-5)
    assert b"".join(units.names[:-1]).decode().split() == text.split() or unit != "tokens"
    assert "".join(b"".join(units.names[:-1]).decode().split()) == "".join(text.split())
    if unit == "words" and text.isascii():
        assert [name.decode() for name in units.names[:-1] if name.strip()] == text.split()


def test_by_hand(korean: Tokenizer) -> None:
    tokens = [b"th", b"ree", b" ca", b"ts </s>"[:3]]
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25] * 4, [0.5, 0.5, 0, 0]])
    units = fold(korean, [97] * 4, tokens)
    assert units.names == (b"three", b"cats")
    found = AttentionMap(tokens, tokens, weights).folded(units, units, "words")
    np.testing.assert_allclose(found.weights[0], [[(0.3 + 0.7) / 2, (0.7 + 0.3) / 2], [0.75, 0.25]], atol=1e-6)


def test_a_token_over_two_words_is_shared_by_bytes(korean: Tokenizer) -> None:
    units = fold(korean, [97, 97], [b"a b", b"c"])
    assert units.names == (b"a", b"bc")
    assert units.shares.tolist() == [pytest.approx([1 / 3, 2 / 3]), [0, 1]]


@pytest.mark.parametrize(
    ("text", "unit", "names"),
    [
        ("세 마리가, 잔다.", "words", ["세", "마리가,", "잔다."]),
        ("東京 3 に", "words", ["東", "京", "3", "に"]),
        ("e\u0301x 한", "chars", ["e\u0301", "x", "한"]),
    ],
)
def test_units_of_scripts(korean: Tokenizer, text: str, unit: Unit, names: list[str]) -> None:
    ids = korean.encode(text)
    assert [name.decode() for name in fold(korean, ids, [korean.token_bytes(id) for id in ids], unit).names] == names


@pytest.mark.parametrize("width", [80, 200])
def test_names_of_any_width_line_up(width: int) -> None:
    """Hangul and Han take two cells, a combining mark none: every number ends below its heading all the same."""
    names = ["東京", "e\u0301te\u0301", "고양이가", "x", "ᄀ\u1161", "</s>"]
    weights = np.full((len(names), len(names)), 1 / len(names))
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(AttentionMap(names, names, weights, unit="words"))
    lines = captured.get().splitlines()
    rows = [line for line in lines if line.rstrip().endswith("17")]
    assert len(rows) == len(names)
    ends = [[cell_len(line[: found.end()]) for found in re.finditer("17", line)] for line in rows]
    assert all(places == ends[0] for places in ends)
    heading = lines[1]
    assert [cell_len(heading[: heading.index(name) + len(name)]) for name in ("東京", "고양이가", "</s>")] == [
        ends[0][place] for place in (0, 2, 5)
    ]


def test_special_tokens_and_marks_stand_alone(marked: Tokenizer, korean: Tokenizer) -> None:
    ids = [*marked.encode("low lower"), *marked.encode("newest")]
    names = fold(marked, ids, [marked.token_bytes(id) for id in ids]).names
    assert names == (b"low", b"lower", b"newest")
    ids = [korean.special_tokens["<s>"], *korean.encode("세"), korean.special_tokens["</s>"]]
    assert fold(korean, ids, [korean.token_bytes(id) for id in ids], "chars").names == (
        b"<s>",
        "세".encode(),
        b"</s>",
    )


def test_legend_of_characters_in_several_tokens() -> None:
    assert written_legend([b"a", b"\xec\x84", b"\xb8 ", b"\xff"]) == ["세 = ⟨ec 84⟩ ⟨b8⟩·"]
    assert written_legend(["세".encode()]) == []
