"""The small models that lessons train on the spot know what the lessons say of them."""

from __future__ import annotations

import pytest

from bpe_transformer.inspection.lessons import Table, lesson

pytestmark = pytest.mark.soak  # trains five models, some two seconds each


def cells(name: str, key: str) -> list[tuple[str, ...]]:
    step = next(step for step in lesson(name).steps if step.key == f"{name}.{key}")
    return list(next(figure for figure in step.figures if isinstance(figure, Table)).rows)


def test_the_translator_writes_the_right_words() -> None:
    assert [row[1].split()[0] for row in cells("encoder-decoder", "writing")] == ["고양이", "·세", "·마리", "</s>"]
    assert "on ·cats" in next(step.text for step in lesson("encoder-decoder").steps if step.key.endswith("cross"))
    assert "lies on ·cats" in next(step.text for step in lesson("seq2seq").steps if step.key.endswith("weights"))


def test_hidden_and_next_words_agree_with_the_number() -> None:
    best = [row[1].split()[0] for row in cells("bert", "predict")]
    assert best[0] in ("two", "three", "four")
    assert best[1:] == ["one", "·they"]
    after = {row[0]: row[1].split()[0] for row in cells("gpt", "predict")}
    assert (after["·and"], after["·they"]) == ("·they", "·are")
