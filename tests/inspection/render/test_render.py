"""Pictures: golden output, alignment in cells, and nothing said by colour alone."""

from __future__ import annotations

import io
import unicodedata

import numpy as np
import pytest
import rich
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inspection import (
    AttentionMap,
    VocabBrowser,
    base_alphabet,
    compare,
    derive_text,
    derive_token,
    encode_word,
    replay_trace,
    summarize,
    tokenize_text,
    trace_diff,
    trace_table,
    word_timeline,
)
from bpe_transformer.inspection.render import render
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText


def drawn(view: object, width: int = 80, **options: object) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, **options)  # type: ignore[arg-type]
    console.print(view)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


FIRST_STEP = """\
merge 1   vocabulary 12, 2 words changed, 70 tokens left ───────────────────────
  word    count  before       after
  low         5  l o w        l o w
  lower       2  l o w e r    l o w e r
  newest      6  n e w e s t  n e w es t  changed
  widest      3  w i d e s t  w i d es t  changed

  pairs      e s ×9 ◂ winner   s t ×9   w e ×8   l o ×7   o w ×7   e w ×6
             n e ×6   d e ×3   i d ×3   w i ×3   e r ×2
  winner     e s ×9  makes  es  (id 11)
  runner-up  s t ×9, tied; tie rule: smaller ids first, (1, 7) < (7, 8)
"""


def test_first_step_of_low_lower(low_lower: Tokenizer, words: dict[str, int]) -> None:
    assert drawn(next(replay_trace(words, low_lower))) == [*FIRST_STEP.splitlines(), ""]


def test_alphabet(low_lower: Tokenizer) -> None:
    assert drawn(base_alphabet(low_lower)) == ["alphabet (10)   d e i l n o r s t w", "special tokens  <unk>"]


LOWEST = """\
lowest   never occurred in the corpus; it encodes without <unk> ────────────────
  characters  l o w e s t
  merge 1     l o w es t
  merge 2     l o w est
  merge 3     lo w est
  merge 4     low est
  tokens      low est
  ids         14 12
"""


def test_lowest(low_lower: Tokenizer) -> None:
    assert drawn(encode_word("lowest", low_lower, occurs=False)) == LOWEST.splitlines()


TABLE = """\
rank  pair  count  runner-up  count       words  tokens left
   0  e s       9  s t            9  tie      2           70
   1  es t      9  l o            7           2           61
"""


def test_narrow_heading_is_folded_not_cut(low_lower: Tokenizer) -> None:
    lines = drawn(encode_word("lowest", low_lower, occurs=False), width=40)
    assert " ".join(lines[:2]) == "lowest   never occurred in the corpus; it encodes without <unk>"


def test_narrow_table_keeps_numbers_whole(korean: Tokenizer) -> None:
    lines = drawn(trace_table(korean, 0, 5), width=40)
    assert [line.split()[0] for line in lines if line[:4].strip().isdigit()] == ["0", "1", "2", "3", "4"]
    assert "tokens left" not in "".join(lines)


def test_table_of_merges(low_lower: Tokenizer) -> None:
    assert drawn(trace_table(low_lower, 0, 2))[:3] == TABLE.splitlines()
    wide = drawn(trace_table(low_lower, 0, 2), width=120)
    assert wide[0].split() == [
        "rank",
        "pair",
        "new",
        "token",
        "id",
        "count",
        "runner-up",
        "count",
        "words",
        "tokens",
        "left",
        "compression",
    ]
    assert wide[1].split() == ["0", "e", "s", "es", "11", "9", "s", "t", "9", "tie", "2", "70", "1.129"]  # 79 / 70


def test_table_without_a_trace_says_so(low_lower: Tokenizer) -> None:
    text = " ".join(drawn(trace_table(Tokenizer(low_lower.model), 0, 2)))
    assert "no trace was saved" in text


def test_hangul_columns_line_up(korean: Tokenizer) -> None:
    lines = drawn(tokenize_text(korean, "책을 x 세 마리 😀"))
    heading = next(line for line in lines if line.startswith(" #") or line.startswith("#"))
    column = cell_len(heading[: heading.index("bytes")])
    below = lines[lines.index(heading) + 1 :]
    rows = [line for line in below[: below.index("")] if line.endswith(("base", "merged"))]
    assert any(cell_len(row) != len(row) for row in rows)  # there is Hangul in the table
    for row in rows:
        cells = 0
        for at, char in enumerate(row):
            if cells == column:
                assert row[at - 1] == " "
                assert all(digit in "0123456789abcdef" for digit in row[at : at + 2])
                break
            cells += cell_len(char)
        else:
            pytest.fail(f"no column begins at cell {column}: {row!r}")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_wider_than_the_terminal(
    low_lower: Tokenizer, korean: Tokenizer, words: dict[str, int], width: int
) -> None:
    rng = np.random.default_rng(0)
    src = [f"한국어{number}" for number in range(30)]
    views = [
        *replay_trace(words, low_lower),
        trace_table(korean, 0, 20),
        tokenize_text(korean, "세 마리 고양이가 책을 읽었다.\n" * 4),
        AttentionMap(src, ["세", "마리"], rng.dirichlet(np.ones(30), size=(2, 2))),
    ]
    for view in views:
        assert max(cell_len(line) for line in drawn(view, width)) <= width


def test_partial_characters_and_space_are_written(korean: Tokenizer) -> None:
    first = drawn(tokenize_text(korean, "뷁 \n"))[0]
    assert "⟨eb⟩│⟨b7⟩│⟨81⟩│" in first
    assert first.endswith("·↵│") or first.endswith("·│↵│")


def test_unknown_character_is_named(low_lower: Tokenizer) -> None:
    assert drawn(tokenize_text(low_lower, "d한"))[0] == "d│한→<unk>│"


def test_right_to_left_tokens_do_not_run_on() -> None:
    """Isolated, so that a terminal that reorders keeps the numbers behind them in their columns; no cell is taken."""
    hebrew = learn_bpe(PretokenCounts.from_words({"שלום": 2, " עולם": 2}, "cl100k"), 275)
    lines = drawn(tokenize_text(hebrew, "שלום עולם"))
    assert lines[0] == "\u2068שלום\u2069│\u2068·עולם\u2069│"
    places = [cell_len(line[: line.index(raw)]) for line, raw in zip(lines[3:5], ("d7 a9", "20 d7"), strict=True)]
    assert places[0] == places[1] == cell_len(lines[2][: lines[2].index("bytes")])


def test_every_view_sets_right_to_left_text_apart() -> None:
    words = {"שלום": 4, "שלב": 3, "low": 2}
    hebrew = learn_bpe(PretokenCounts.from_words(words), 30, unit="char", unk_token="<unk>")
    smaller = hebrew.truncate(hebrew.vocab_size - 3)
    views = [
        *replay_trace(words, hebrew),
        base_alphabet(hebrew),
        encode_word("שלבים", hebrew, occurs=False),
        trace_table(hebrew, 0, None),
        trace_diff(hebrew, learn_bpe(PretokenCounts.from_words({**words, "שלב": 9}), 30, unit="char")),
        derive_token(hebrew, hebrew.id_of("של")),
        derive_text(hebrew, "שלב"),
        word_timeline(hebrew, ["שלום", "low"]),
        tokenize_text(hebrew, "שלום low"),
        summarize(hebrew, "שלום low שלב"),
        compare({"a": hebrew, "b": smaller}, [("x", ChunkedText("x", "שלום low שלב"))]),
        VocabBrowser(hebrew, [ChunkedText("x", "שלום")]).view(),
    ]
    for view in views:
        text = "\n".join(drawn(view, 200))
        assert "\u2068" in text
        depth = 0
        for char in text:
            depth += (char == "\u2068") - (char == "\u2069")
            assert depth in (0, 1)
            assert depth or unicodedata.bidirectional(char) not in {"R", "AL", "AN"}, text


def test_tokens_that_look_like_markup_stay(korean: Tokenizer) -> None:
    lines = drawn(tokenize_text(korean, "[red]:smile:"))
    assert "".join(lines[0].split("│")) == "[red]:smile:"


def test_colour_repeats_what_is_written(low_lower: Tokenizer, words: dict[str, int]) -> None:
    """With and without colour the same characters stand in the same places."""
    views = [next(replay_trace(words, low_lower)), tokenize_text(low_lower, "lowest 한"), ATTENTION]
    for view in views:
        coloured = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor", highlight=False)
        coloured.print(view)
        text = coloured.file.getvalue()  # type: ignore[attr-defined]
        assert "\x1b[" in text
        assert [line.rstrip() for line in Text.from_ansi(text).plain.splitlines()] == drawn(view)


def test_rich_print_draws_views(low_lower: Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    rich.print(tokenize_text(low_lower, "lowest"))
    assert "low│est│" in capsys.readouterr().out


def test_notebook_shows_views(low_lower: Tokenizer) -> None:
    bundle = tokenize_text(low_lower, "lowest")._repr_mimebundle_()
    assert "low" in bundle["text/plain"]
    assert "<pre" in bundle["text/html"]


def test_refuses_what_is_no_view() -> None:
    with pytest.raises(TypeError, match="int"):
        render(3)  # type: ignore[arg-type]


ATTENTION = AttentionMap(
    ["three", " cats", "</s>"],
    ["세".encode(), "마".encode() + "리".encode()[:1]],
    [[[0.91, 0.06, 0.03], [0.3, 0.001, 0.699]], [[0.91, 0.06, 0.03], [0.3, 0.001, 0.699]]],
    "layer 1",
)

HEAT_MAP = """\
layer 1, mean of 2 heads
       three ·cats </s>
    세  █ 91  ░  6    3
마⟨eb⟩  ▒ 30       ▓ 70

percent of each row (rows attend, columns are attended to); empty: under 0.5
░ from 5 ▒ from 25 ▓ from 50 █ from 75

strongest
세 ← three 91%   마⟨eb⟩ ← </s> 70%
"""


def test_heat_map() -> None:
    assert drawn(ATTENTION) == HEAT_MAP.splitlines()


def test_wide_heat_map_is_split_and_loses_no_column() -> None:
    src = [f"word{number:02d}" for number in range(40)]
    weights = np.full((1, 1, 40), 1 / 40)
    lines = drawn(AttentionMap(src, ["tgt"], weights))
    headings = [word for line in lines for word in line.split() if word.startswith("word") and "%" not in line]
    assert headings[:40] == src


def test_headings_stay_whole_beside_large_counts() -> None:
    """With counts of eight to ten digits at 80 columns no heading is broken inside a word."""
    words = {"low": 50_000_000, "lower": 20_000_000, "newest": 60_000_000, "internationalization": 11_111_111}
    tok = learn_bpe(PretokenCounts.from_words(words), vocab_size=270)
    for view, headings in (
        (trace_table(tok, 0, 6), "rank pair count runner-up words tokens left"),
        (
            VocabBrowser(tok, [ChunkedText("x", "low newest")]).view(limit=3),
            "token rank kind script at merge uses used",
        ),
    ):
        assert all(word in " ".join(drawn(view, 80)).split() for word in headings.split())
