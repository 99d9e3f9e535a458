"""How attention looks in the terminal: golden outputs at 80 and 200 columns, without colour, and with colour that only repeats.

To write them anew: GOLDEN=1 pytest tests/inspection/attention.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from bpe_transformer.inspection import View
from bpe_transformer.inspection.attention import (
    Alignment,
    AttentionMap,
    AttentionOverTraining,
    TrainingMoment,
    Units,
    WordAlignment,
    focus_on,
)
from bpe_transformer.inspection.attention.word_alignment import AlignmentReading

GOLDEN = Path(__file__).parent / "golden"
SRC = ("twenty-five", "past", "five", "東京", "</s>")
TGT = ("다섯", "시", "이십오", "분", "</s>")


def weights(seed: int, sharp: float = 0.3) -> np.ndarray:
    """(5, 5), rows that sum to 1."""
    return np.random.default_rng(seed).dirichlet(np.full(5, sharp), size=5)


def views() -> list[View]:
    """Each view of attention once, of words whose letters are one, two and no cells wide."""
    whole = AttentionMap(SRC, TGT, weights(0), "decoder-to-encoder attention, layer 2 of 2", "words")
    names = tuple(word.encode() for word in SRC)
    units = Units(names, np.eye(5))
    heads = np.stack([[weights(1), weights(2)], [weights(3), weights(4)]])
    focus = focus_on(
        "five",
        heads,
        units,
        units,
        src_special=[False] * 4 + [True],
        same_text=True,
        title="decoder self-attention",
    )
    links = (Alignment(0, 2, 0.8), Alignment(2, 0, 0.4), Alignment(3, 1, 0.1))
    words = tuple(word.encode() for word in TGT[:4])
    alignment = WordAlignment(names[:4], words, links, AlignmentReading(1, shifted=False, filled=True), "60 pairs")
    moments = tuple(
        TrainingMoment(step, AttentionMap(SRC, TGT, weights(step, 3 / (step + 1)), whole.title, "words"), text, share)
        for step, text, share in ((0, "", 0.2), (47, "[red]시 분", 0.4), (3000, "다섯 시 이십오 분", 1.0))
    )
    training = AttentionOverTraining("numbers", " ".join(SRC[:4]), " ".join(TGT[:4]), moments)
    return [whole.links(), whole, focus, alignment, training]


def drawn(width: int, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, legacy_windows=False, **options)  # type: ignore[arg-type]
    for view in views():
        console.print(view)
        console.print()
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 200])
def test_golden_outputs(width: int) -> None:
    shown = drawn(width, color_system=None)
    path = GOLDEN / f"views-{width}.txt"
    if os.environ.get("GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text("utf-8")
    assert max(cell_len(line) for line in shown.split("\n")) <= width
    assert "\x1b" not in shown
    assert all(not line.endswith(" ") for line in shown.split("\n"))


def test_colour_only_repeats() -> None:
    """With colours, and with NO_COLOR on a terminal, the letters are those of the output without."""
    plain = drawn(80, color_system=None)
    coloured = drawn(80, color_system="standard", force_terminal=True)
    without = drawn(80, color_system="standard", force_terminal=True, no_color=True)
    escapes = re.compile(r"\x1b\[[0-9;]*m")
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", coloured)
    assert not re.search(r"\x1b\[(?:[0-9]+;)*[34][0-7]m", without)
    for shown in (coloured, without):
        assert [line.rstrip() for line in escapes.sub("", shown).split("\n")] == plain.split("\n")
