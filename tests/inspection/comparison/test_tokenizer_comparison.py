"""Several tokenizers on the same texts: worked by hand on low-lower, and held against the tokens on Korean and English."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import CorpusError, EncodingError, InvalidUtf8Error
from bpe_transformer.inspection import compare
from bpe_transformer.inspection.base.metrics import overlap, renyi_efficiency
from bpe_transformer.inspection.comparison.segmentation_differences import Segments
from bpe_transformer.inspection.comparison.tokenizer_comparison import TOTAL, Comparison
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from tests.inspection.render.test_render import drawn

Named = dict[str, Tokenizer]


@pytest.fixture(scope="session")
def two(low_lower: Tokenizer) -> Named:
    """All merges, and only the first two: e s, es t."""
    return {"all": low_lower, "two": low_lower.truncate(13)}


@pytest.fixture(scope="session")
def by_hand(two: Named) -> Comparison:
    """`low lowest`: low <unk> low est, and l o w <unk> l o w est."""
    pair = (("a", ChunkedText("a", "newest\nlow\n")), ("b", ChunkedText("b", "lowest\nwidest\n")))
    return compare(two, [("a", ChunkedText("a", "low lowest"))], parallel=[pair], limit=2)


def test_scores_by_hand(two: Named) -> None:
    found = compare(two, [("a", ChunkedText("a", "low lowest"))])
    every, first = (found.score(name, "a").measured for name in ("all", "two"))
    assert (every.num_tokens, first.num_tokens) == (4, 8)
    assert (every.bytes_per_token, first.bytes_per_token) == (10 / 4, 10 / 8)
    assert (every.fertility, first.fertility) == (3 / 2, 7 / 2)
    assert (every.share_whole_words, first.share_whole_words) == (1 / 2, 0)
    assert (every.unknown_rate, first.unknown_rate) == (1 / 4, 1 / 8)
    assert every.renyi_efficiency == pytest.approx(renyi_efficiency([2, 1, 1], 23))
    assert first.renyi_efficiency == pytest.approx(renyi_efficiency([2, 2, 2, 1, 1], 13))
    assert found.texts == ("a",)  # no total of one


def test_overlap_by_hand(two: Named) -> None:
    """The 12 tokens of the smaller are among the 22 of the larger. Used: low 2 of 3, est 1; l o w 2 each, est 1 of 7."""
    (both,) = compare(two, [("a", ChunkedText("a", "low lowest"))]).overlaps
    assert (both.one, both.other, both.num_common) == ("all", "two", 12)
    assert both.share == pytest.approx(12 / 22)
    common = 1 / 7  # est: the smaller of 1/3 and 1/7
    assert both.weighted_share == pytest.approx(common / (2 - common))


def test_parity_by_hand(by_hand: Comparison) -> None:
    """newest, low: one token each; lowest: low est, widest: one. With two merges: n e w est, l o w; l o w est, w i d est."""
    every, first = by_hand.parities
    assert (every.num_tokens, every.num_tokens_reference, every.parity) == (3, 2, 1.5)
    assert (first.num_tokens, first.num_tokens_reference, first.parity) == (8, 7, pytest.approx(8 / 7))
    assert (every.text, every.reference, every.num_lines) == ("b", "a", 2)


def test_differences_by_hand(by_hand: Comparison) -> None:
    """newest and widest: 1 and 4 tokens; low: 1 and 3, twice; lowest: 2 and 4, twice, once after a space: 3 and 5."""
    assert [(word.text, word.count, word.spread) for word in by_hand.words] == [("low", 2, 2), ("newest", 1, 3)]
    assert [(line.text, line.source, line.line, line.spread) for line in by_hand.lines] == [
        ("low lowest", "a", 1, 4),
        ("newest", "a", 1, 3),
    ]
    every, first = by_hand.words[0].segments
    assert (every.tokenizer, every.tokens, first.tokens) == ("all", (b"low",), (b"l", b"o", b"w"))
    assert first.ids == (3, 5, 9)


def test_texts_of_one_label_are_measured_together(two: Named) -> None:
    apart = [("x", ChunkedText("1", "low")), ("x", ChunkedText("2", "newest")), ("y", ChunkedText("3", "low"))]
    found = compare(two, apart, limit=0)
    assert found.texts == ("x", "y", TOTAL)
    assert found.score("two", "x").measured.num_tokens == 3 + 4
    assert found.score("two", TOTAL).measured.num_tokens == 3 + 4 + 3
    assert found.score("all", TOTAL).measured.used.sum() == 3
    assert (found.words, found.lines) == ((), ())


def test_korean_and_english(numbers: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    """A vocabulary of English alone falls apart on Korean, and every figure says so."""
    english = learn_bpe(PretokenCounts.from_iterator(en for en, _ in pairs), 800)
    en, ko = (
        ChunkedText(name, "\n".join(side)) for name, side in zip(("en", "ko"), zip(*pairs, strict=True), strict=True)
    )
    named = {"both": numbers, "english": english}
    found = compare(named, [], parallel=[(("en", en), ("ko", ko))])
    both, alone = (found.score(name, "ko").measured for name in named)
    assert alone.bytes_per_token < 1.5 < both.bytes_per_token
    assert alone.fertility > both.fertility
    assert alone.share_whole_words < both.share_whole_words
    assert alone.byte_fallback_rate > 0.8 > both.byte_fallback_rate
    fair, unfair = found.parities
    assert unfair.parity > fair.parity
    for parity, tokenizer in zip(found.parities, named.values(), strict=True):
        assert parity.num_tokens == sum(len(tokenizer.encode(line)) for _, line in pairs)
        assert parity.num_tokens_reference == sum(len(tokenizer.encode(line)) for line, _ in pairs)
    (common,) = found.overlaps
    tokens = [
        {t for id, t in enumerate(tok.model.tokens) if id not in tok.special_tokens.values()} for tok in named.values()
    ]
    assert common.share == overlap(*tokens)
    for difference in (*found.words, *found.lines):
        assert difference.source == "ko"
        for segments, tokenizer in zip(difference.segments, named.values(), strict=True):
            assert list(segments.ids) == tokenizer.encode(difference.text)
        counts = [len(segments.ids) for segments in difference.segments]
        assert difference.spread == max(counts) - min(counts) > 0
    assert sum(word.count for word in found.words) <= both.num_words


def test_words_of_a_tokenizer_that_puts_a_space_first(numbers: Tokenizer) -> None:
    """` low` is to it what it makes of `low`, not two spaces."""
    prefixed = Tokenizer(replace(numbers.model, prefix_space="first"))
    found = compare({"plain": numbers, "prefixed": prefixed}, [("t", ChunkedText("t", "one three three"))])
    assert found.words == ()


def test_what_cannot_be_compared_says_why(two: Named, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="at least one tokenizer and one text"):
        compare(two, [])
    with pytest.raises(CorpusError, match="b has 1 line and a 2; .*files of as many lines"):
        compare(two, [], parallel=[(("a", ChunkedText("a", "low\nlow")), ("b", ChunkedText("b", "low")))])
    with pytest.raises(CorpusError, match="check the path"):
        compare(two, [("none", ChunkedText.file(tmp_path / "none"))])
    broken = tmp_path / "broken"
    broken.write_bytes(b"low\xff")
    with pytest.raises(InvalidUtf8Error, match="position 3"):
        compare(two, [("broken", ChunkedText.file(broken))])
    strict = learn_bpe(PretokenCounts.from_words({"low": 1}), 10, unit="char")
    with pytest.raises(EncodingError, match="strict cannot encode a: character 'x'"):
        compare({"strict": strict}, [("a", ChunkedText("a", "lox"))])


GOLDEN = """\
tokenizer  tokens  unit  pattern     digest
all            23  char  whitespace  DIGEST1_____
two            13  char  whitespace  DIGEST2_____

a   21 bytes, 21 characters, 4 words ───────────────────────────────────────────
tokenizer  tokens        vs  bytes/token  fertility    whole   Rényi  unknown
all             8         –       2.625◂     1.250◂  75.0 %◂   0.361   37.5 %
two            17  +112.5 %        1.235      3.500      0 %  0.682◂  17.6 %◂

b   14 bytes, 14 characters, 2 words ───────────────────────────────────────────
tokenizer  tokens        vs  bytes/token  fertility    whole   Rényi  unknown
all             5         –       2.800◂     1.500◂  50.0 %◂   0.397   40.0 %
two            10  +100.0 %        1.400      4.000      0 %  0.705◂  20.0 %◂

all texts   35 bytes, 35 characters, 6 words ───────────────────────────────────
tokenizer  tokens        vs  bytes/token  fertility    whole   Rényi  unknown
all            13         –       2.692◂     1.333◂  66.7 %◂   0.394   38.5 %
two            27  +107.7 %        1.296      3.667      0 %  0.713◂  18.5 %◂

◂ best of its column; vs: tokens beside the first tokenizer's; fertility: tokens
a word; whole: words that no token boundary cuts; Rényi: how evenly the
vocabulary is used (α = 2.5); unknown: tokens for characters that are lost; in
parts: tokens that are no whole character (no column of either: none)

tokens in common   share of all tokens of both, and weighted by use ────────────
one  other  in common   share  by use
all  two           12  54.5 %  10.0 %

parity   tokens of a text over those of the text it translates; 1 is the same ──
tokenizer  text  translates  lines  tokens  beside  parity
all        b     a               2       3       2   1.500
two        b     a               2       8       7   1.143

words that they cut most differently   tokens won or lost in all their
occurrences
low   ×2  a
  all  1  low
  two  3  l│o│w

lines that they cut most differently   difference in tokens ────────────────────
low·lowest   a, line 1
  all  4  low│<unk>│low│est
  two  8  l│o│w│<unk>│l│o│w│est
"""


def test_golden(two: Named) -> None:
    """8 tokens: low <unk> low est, newest <unk> low <unk>; with two merges n e w est and l o w each time: 17."""
    pair = (("a", ChunkedText("a", "newest\nlow\n")), ("b", ChunkedText("b", "lowest\nwidest\n")))
    shown = "\n".join(drawn(compare(two, [("a", ChunkedText("a", "low lowest"))], parallel=[pair], limit=1))) + "\n"
    for placeholder, tokenizer in zip(("DIGEST1_____", "DIGEST2_____"), two.values(), strict=True):
        shown = shown.replace(tokenizer.digest[:12], placeholder)
    assert shown == GOLDEN


def test_those_who_cut_alike_share_a_row(two: Named) -> None:
    found = compare({**two, "again": two["all"]}, [("a", ChunkedText("a", "lower"))], limit=1)
    assert drawn(found.words[0]) == ["lower   ×1  a", "  all, again  1  lower", "  two         5  l│o│w│e│r"]
    shown = drawn(compare(two, [("a", ChunkedText("a", "lo" * 20))], limit=1).lines[0], 200)
    assert len(compare(two, [("a", ChunkedText("a", "wo" * 20))], limit=1).lines) == 0  # both forty tokens
    assert (shown[1].count("│"), shown[2].count("│"), "more" in shown[2]) == (19, 39, False)


def test_lines_are_counted_as_an_editor_does(two: Named) -> None:
    """A line ends at a newline; other separators stand in it."""
    (line,) = compare(two, [("a", ChunkedText("a", "x\x0bx\u2028x\r\n\nlow\r\n"))], limit=1).lines
    assert (line.text, line.line) == ("low", 3)


def test_long_rows_are_cut() -> None:
    (line,) = drawn(Segments("x", tuple(range(45)), (b"a",) * 45), 200)
    assert line.endswith("a│ … 5 more")
    assert line.count("a│") == 40


def test_narrow_tables_leave_out_columns(two: Named) -> None:
    lines = drawn(compare(two, [("a", ChunkedText("a", "low lowest"))]), 40)
    heading = next(line for line in lines if "bytes/token" in line)
    assert heading.split() == ["tokenizer", "tokens", "bytes/token", "unknown"]


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_fits_the_terminal(numbers: Tokenizer, pairs: list[tuple[str, str]], width: int) -> None:
    sides = [
        ChunkedText(name, "\n".join(side[:50]))
        for name, side in zip(("en", "ko"), zip(*pairs, strict=True), strict=True)
    ]
    named = {"all of them": numbers, "a vocabulary with a long name": numbers.truncate(300)}
    found = compare(named, [], parallel=[(("en", sides[0]), ("ko", sides[1]))], limit=3)
    lines = drawn(found, width)
    assert max(map(cell_len, lines)) <= width
    for score in found.scores:  # numbers stand whole or not at all
        assert any(f"{score.measured.bytes_per_token:.3f}" in line.replace("◂", " ").split() for line in lines)


def test_json(by_hand: Comparison) -> None:
    facts = json.loads(json.dumps(by_hand.as_dict()))
    assert [score["bytes_per_token"] for score in facts["scores"][:2]]
    assert facts["words"][0]["segments"][1]["tokens"][0] == {"text": "l", "hex": "6c"}


def test_lines_that_are_nearly_the_same_are_listed_once() -> None:
    """One line with many numbers filled the list; now each line listed says something of its own."""
    coarse = learn_bpe(PretokenCounts.from_words({"a": 1}), vocab_size=256)
    fine = learn_bpe(
        PretokenCounts.from_iterator(["return value", "widest river", "the only game"] * 9), vocab_size=300
    )
    lines = [f"return value {number}" for number in range(9)] + ["the widest river of all", "a game"]
    found = compare({"coarse": coarse, "fine": fine}, [("x", ChunkedText("x", "\n".join(lines)))], limit=3)
    assert [difference.text for difference in found.lines] == ["the widest river of all", "return value 0", "a game"]
    alike = compare({"coarse": coarse, "fine": fine}, [("x", ChunkedText("x", "\n".join(lines[:9])))], limit=3)
    assert len(alike.lines) == 1
