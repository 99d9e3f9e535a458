"""Pictures of merges: they fit, line up, and say without colour what they say with it."""

from __future__ import annotations

import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inspection import (
    derive_text,
    derive_token,
    merge_detail,
    top_merges,
    trace_diff,
    trace_table,
    word_timeline,
)
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.history.live_learning import LiveFrame, LiveLearning
from bpe_transformer.inspection.history.trace_walk import TraceWalk

MIXED = "세 마리 ｗｉｄｅ 😀 e\u0301 שלום"  # Hangul, wide Latin, emoji, a combining mark, right to left


@pytest.fixture(scope="module")
def views(low_lower: Tokenizer, korean: Tokenizer) -> list[View]:
    """One of each kind."""
    walk = TraceWalk(korean, MIXED.split(), rank=5)
    walk.follow_next()
    live = LiveLearning(["책을"], lambda frame: None)
    learn_bpe(PretokenCounts.from_iterator(["책을 책을"]), 260, watch=live)
    return [
        derive_token(korean, korean.id_of(" 읽었다")),
        derive_token(Tokenizer(korean.model), korean.id_of("</s>")),
        derive_text(korean, MIXED + "\n"),
        derive_text(low_lower, "lowidest"),
        trace_table(korean, 0, 20),
        merge_detail(korean, 7),
        top_merges(korean, 5, "length"),
        word_timeline(korean, MIXED.split()),
        trace_diff(korean, low_lower),
        walk.frame(),
        live.frame(),
    ]


def drawn(view: View, width: int = 80, *, colour: bool = False) -> list[str]:
    console = Console(
        file=io.StringIO(),
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
    )
    console.print(view)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("\x1b[" in text) == colour
    return [line.rstrip() for line in (Text.from_ansi(text).plain if colour else text).splitlines()]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_they_fit_the_terminal(views: list[View], width: int) -> None:
    for view in views:
        assert max(cell_len(line) for line in drawn(view, width)) <= width


def test_colour_only_repeats(views: list[View]) -> None:
    for view in views:
        if not isinstance(view, LiveFrame):  # Rich draws the bar of a frame otherwise; numbers above it say the same
            assert drawn(view, colour=True) == drawn(view)


def test_notebooks_show_them(views: list[View]) -> None:
    for view in views:
        bundle = view._repr_mimebundle_()
        assert "<pre" in bundle["text/html"]
        assert bundle["text/plain"].strip()
        json.dumps(view.as_dict())


def test_columns_of_hangul_line_up(korean: Tokenizer) -> None:
    """Every cell of the second word's column begins in the same cell of the terminal."""
    lines = drawn(word_timeline(korean, ["읽었다", "책을"]), 120)
    begin = cell_len(lines[0][: lines[0].index("책을")])
    for line in lines[1:-1]:
        cells = [cell_len(line[:at]) for at in range(len(line) + 1)]
        if cells[-1] > begin:
            at = cells.index(begin)
            assert line[at - 1] == " "
            assert line[at] != " "


def test_tree_of_a_korean_token(korean: Tokenizer) -> None:
    lines = drawn(derive_token(korean, korean.id_of(" 읽었다")))
    assert lines[0].startswith("·읽었다   id ")
    leaves = [line.split("── ")[1].split("  ")[0] for line in lines if ", id " in line and "── " in line]
    assert leaves == ["·", *(f"⟨{byte:02x}⟩" for byte in "읽었다".encode())]


def test_a_merge_with_all_that_is_known(low_lower: Tokenizer) -> None:
    lines = drawn(merge_detail(low_lower, 0))
    assert "  runner-up  s t ×9, tied; the smaller ids were merged" in lines
    assert "  corpus     2 distinct words changed, 70 tokens left, compression 1.129" in lines
    last = drawn(merge_detail(low_lower, 11))
    assert "  runner-up  none: no other pair was left" in last
    unknown = drawn(merge_detail(Tokenizer(low_lower.model), 0))
    assert "  count  not known: the trace of this tokenizer does not hold it" in unknown


def test_borders_that_no_merge_could_cross_stand_together(low_lower: Tokenizer) -> None:
    lines = drawn(derive_text(low_lower, "dddnew"))
    assert lines[-6:-4] == [
        "  3 borders without any merge of what stands or stood there:",
        "  d ┊ d (2 times)   d ┊ new",
    ]


def test_merges_of_a_base_have_no_count(low_lower: Tokenizer) -> None:
    counts = PretokenCounts.from_words({"low": 5, "lowest": 2, "lowly": 2})
    base = learn_bpe(counts, 258)
    longer = learn_bpe(counts, 260, base=base)
    lines = drawn(trace_table(longer, 0, None), 120)
    assert [line.split()[4:6] for line in lines[1:5]][:2] == [["256", "–"], ["257", "–"]]
    assert lines[3].split()[5] == "2"
    assert "merges without a count are those of the vocabulary that learning went on from" in " ".join(lines)


DIFF = """\
a  tokenizer 15db6438bef4, 4 merges
b  tokenizer 15db6438bef4, 12 merges

first difference ───────────────────────────────────────────────────────────────
  the first 4 merges are the same; then
     rank  pair              count  runner-up  count
  a     –  no merge is left
  b     4  e w                   6  n e            6

what they share ────────────────────────────────────────────────────────────────
  tokens  4: 100.0% of a, 33.3% of b, 33.3% of all
  merges  4 of the same two tokens
  shift   of shared tokens, up or down: median 0 ranks, largest 0

  first merges  tokens shared   share
             4              4  100.0%

only in b, the first ───────────────────────────────────────────────────────────
  ew 4   new 5   newest 6   dest 7   idest 8   widest 9   er 10   lower 11
"""


def test_diff_of_a_smaller_vocabulary(low_lower: Tokenizer) -> None:
    smaller = low_lower.truncate(15)
    expected = DIFF.replace("15db6438bef4", low_lower.digest[:12])
    lines = drawn(trace_diff(smaller, low_lower))
    lines[0] = lines[0].replace(smaller.digest[:12], low_lower.digest[:12])
    assert lines == expected.splitlines()
