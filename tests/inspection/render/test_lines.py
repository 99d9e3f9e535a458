"""The lines of a picture: no blanks at their ends, headings whole at 80 columns, and drawing found by place."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest
import rich
from rich.console import Console
from rich.text import Text

from bpe_transformer import Tokenizer
from bpe_transformer.inspection import (
    ChunkedText,
    SweepCorpus,
    View,
    VocabBrowser,
    compare,
    derive_text,
    merge_detail,
    summarize,
    sweep_vocab_sizes,
    tokenize_text,
    trace_diff,
    trace_table,
    word_timeline,
)
from bpe_transformer.inspection.base import draws
from bpe_transformer.tokenizer import PretokenCounts


def views(numbers: Tokenizer) -> list[View]:
    text = ChunkedText("the-name-of-a-text", "thirteen thousand and 고양이 세 마리\n" * 3)
    names = {"a-tokenizer-with-a-long-name": numbers, "another-with-a-long-name": numbers.truncate(300)}
    counts = PretokenCounts.from_iterator(["thirteen 고양이"], numbers.model.pretokenizer)
    return [
        compare(names, [], parallel=[(("english-text", text), ("korean-text", text))], limit=1),
        derive_text(numbers, "thirteen 고양이"),
        merge_detail(numbers, 400),
        summarize(numbers, text),
        sweep_vocab_sizes(numbers, [SweepCorpus.of_counts(counts, name="x")], [300, 400, 500, 600]),
        tokenize_text(numbers, "thirteen 고양이"),
        trace_diff(numbers, numbers.truncate(300)),
        trace_table(numbers, 500, 505),
        VocabBrowser(numbers, [text]).view(limit=5),
        word_timeline(numbers, ["internationalization", "thirteen", "고양이", "thousand"]),
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_ends_with_blanks(numbers: Tokenizer, width: int) -> None:
    for view in views(numbers):
        file = io.StringIO()
        Console(file=file, width=width).print(view)
        lines = file.getvalue().split("\n")
        assert [line for line in lines if line != line.rstrip()] == [], type(view).__name__


def test_headings_are_whole_at_80_columns(numbers: Tokenizer) -> None:
    shown = io.StringIO()
    for view in views(numbers):
        Console(file=shown, width=80).print(view)
    words = set(shown.getvalue().split())
    assert {"tokenizer", "translates", "fertility", "runner-up", "vocabulary", "internationalization"} <= words


def test_a_view_from_elsewhere_is_drawn_by_what_it_registers(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass
    class Elsewhere(View):
        number: int

    with pytest.raises(TypeError, match="register one with @draws"):
        Elsewhere(1).__rich__()

    def draw(view):  # type: ignore[no-untyped-def]
        return Text(f"number {view.number}")

    draw.__annotations__["view"] = Elsewhere
    draws(draw)
    rich.print(Elsewhere(7))
    assert capsys.readouterr().out == "number 7\n"


def test_every_view_module_has_its_drawing(numbers: Tokenizer) -> None:
    for view in views(numbers):
        view.__rich__()
        home = type(view).__module__.removeprefix("bpe_transformer.inspection.")
        assert f"bpe_transformer.inspection.render.{home}" in sys.modules
