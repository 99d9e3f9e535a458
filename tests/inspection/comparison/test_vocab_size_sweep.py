"""One vocabulary at every size: figures worked by hand, and the trace against the corpus it came from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import LearningError
from bpe_transformer.inspection.comparison.vocab_size_sweep import (
    SweepCorpus,
    count_words,
    default_sizes,
    knee,
    sweep_vocab_sizes,
)

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
TEXTS = [
    "the lower the newest, the widest: it's 1,234 prices!\n" * 3,
    "세 마리 고양이가 다섯 권의 책을 읽었다. 세 마리!\n" * 2,
]


@pytest.fixture(scope="module")
def learned() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator(TEXTS), 300, special_tokens=["<s>"])


def test_low_lower_by_hand(low_lower: Tokenizer) -> None:
    """16 words of 79 bytes; the first merges are e s (9 times), es t (9 times), l o (7 times), lo w (7 times)."""
    corpus = SweepCorpus.of_counts(PretokenCounts.from_words(WORDS), name="words")
    sweep = sweep_vocab_sizes(low_lower, [corpus], [11, 12, 13, 14, 15]).corpora[0]
    assert (sweep.num_bytes, sweep.num_words) == (79, 16)
    assert [row.num_tokens for row in sweep.rows] == [79, 70, 61, 54, 47]
    assert [row.bytes_per_token for row in sweep.rows] == [79 / n for n in (79, 70, 61, 54, 47)]
    assert [row.fertility for row in sweep.rows] == [n / 16 for n in (79, 70, 61, 54, 47)]
    # es lives on in est alone, and lo in low: half of the merged tokens are steps at 13 and again at 15
    assert [row.never_used for row in sweep.rows] == [None, 0, 1 / 2, 1 / 3, 1 / 2]
    assert {row.parity for row in sweep.rows} == {None}


def test_parity_is_against_the_first_corpus(low_lower: Tokenizer) -> None:
    one = SweepCorpus.of_counts(PretokenCounts.from_words({"low": 1}), name="one")
    other = SweepCorpus.of_counts(PretokenCounts.from_words({"lower": 1}), name="other")
    first, second = sweep_vocab_sizes(low_lower, [one, other], [11, 15]).corpora
    assert [row.parity for row in first.rows] == [1, 1]
    assert [row.parity for row in second.rows] == [5 / 3, 3 / 1]  # l o w e r, low e r


def test_the_trace_says_what_measuring_says(learned: Tokenizer) -> None:
    sizes = [257, 260, 280, 300]
    corpus = SweepCorpus.of_counts(PretokenCounts.from_iterator(TEXTS), name="texts")
    measured = sweep_vocab_sizes(learned, [corpus], sizes).corpora[0]
    read = sweep_vocab_sizes(learned, sizes=sizes).corpora[0]
    for one, other in zip(measured.rows, read.rows, strict=True):
        assert one.num_tokens == other.num_tokens
        assert one.bytes_per_token == other.bytes_per_token
        assert one.never_used == other.never_used
        assert other.fertility is None


def test_files_are_read_as_texts(learned: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("It's 1,234 lower-low 세 마리!", encoding="utf-8")
    corpus = SweepCorpus.of_files(learned, tmp_path / "a.txt")
    assert (corpus.name, corpus.num_words) == ("a.txt", 8)  # It s 1 234 lower low 세 마리
    row = sweep_vocab_sizes(learned, [corpus], [257]).corpora[0].rows[0]
    assert row.num_tokens == corpus.num_bytes == 32
    assert row.fertility == (32 - 8) / 8  # ' , - ! and four spaces belong to no word


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="ab 한1!\u0301", min_size=1, max_size=9), max_size=5))
def test_words_counted_from_counts_are_those_of_the_text(texts: list[str]) -> None:
    from bpe_transformer.inspection.base.word_spans import word_spans

    counts = PretokenCounts.from_iterator(texts, "whitespace")
    assert count_words(counts) == sum(len(word_spans(text)) for text in texts)


def test_ids_need_not_follow_the_merges(learned: Tokenizer) -> None:
    """The same vocabulary with its ids the other way round, base tokens last, is measured alike."""
    model = learned.model
    turned = lambda ids: np.uint32(len(model.tokens) - 1) - ids  # noqa: E731
    backwards = dataclasses.replace(
        model,
        tokens=model.tokens[::-1],
        left=turned(model.left),
        right=turned(model.right),
        merged_ids=turned(model.merged_ids),
        special_tokens={name: int(turned(np.uint32(id))) for name, id in model.special_tokens.items()},
    )
    corpus = SweepCorpus.of_counts(PretokenCounts.from_iterator(TEXTS), name="texts")
    sizes = [257, 270, 290, 300]
    found = sweep_vocab_sizes(Tokenizer(backwards), [corpus], sizes)
    assert found.corpora == sweep_vocab_sizes(learned, [corpus], sizes).corpora
    with pytest.raises(LearningError, match="256 is out of reach.*257 to 300"):
        sweep_vocab_sizes(Tokenizer(backwards), [corpus], [256])


def test_a_narrow_table_leaves_columns_out_and_no_digits(learned: Tokenizer) -> None:
    corpus = SweepCorpus.of_counts(PretokenCounts.from_iterator(TEXTS) * 1_000_000, name="texts")
    sweep = sweep_vocab_sizes(learned, [corpus, corpus], [257, 280, 300])
    for width in range(30, 90, 7):
        console = Console(width=width, highlight=False, color_system=None)
        with console.capture() as captured:
            console.print(sweep)
        lines = captured.get().splitlines()
        assert max(map(cell_len, lines)) <= width
        for row in sweep.corpora[0].rows:
            (line,) = {line.rstrip() for line in lines if line.split()[:1] == [str(row.vocab_size)] and "." in line}
            assert f"{row.bytes_per_token:.3f}" in line.split()


def test_default_sizes() -> None:
    counts = PretokenCounts.from_words(WORDS)
    assert default_sizes(learn_bpe(counts, 16, unit="char", unk_token="<unk>")) == [11, 12, 13, 14, 15, 16]
    words = {f"w{n}x{n * n}": 1 + n % 7 for n in range(2000)}
    assert default_sizes(learn_bpe(PretokenCounts.from_words(words), 2300)) == [256, 500, 1000, 2000, 2300]
    small = default_sizes(learn_bpe(PretokenCounts.from_words(words), 700))
    assert (small[0], small[-1], len(set(small))) == (256, 700, 12)


def test_knee_by_hand() -> None:
    """x and y scaled to [0, 1] leave d = 0, .3, .4, .3, .15, 0: the largest is at 2, and d falls under .4 - .2 at 4."""
    assert knee([0, 1, 2, 3, 4, 5], [0, 5, 8, 9, 9.5, 10]) == 2


@pytest.mark.parametrize("y", [[0, 1, 2, 3], [3, 3, 3, 3], [0, 0.1, 0.5, 4]])
def test_no_knee_where_nothing_flattens(y: list[float]) -> None:
    assert knee([0, 1, 2, 3], y) is None
    assert knee([0, 1], [0, 1]) is None


def test_without_text_or_trace_it_says_what_to_do(low_lower: Tokenizer, learned: Tokenizer) -> None:
    with pytest.raises(LearningError, match="characters does not tell.*corpora="):
        sweep_vocab_sizes(low_lower)
    with pytest.raises(LearningError, match="without a trace.*corpora="):
        sweep_vocab_sizes(Tokenizer(learned.model))


def test_sizes_out_of_reach_are_refused(learned: Tokenizer) -> None:
    with pytest.raises(LearningError, match="301"):
        sweep_vocab_sizes(learned, sizes=[301])
    with pytest.raises(LearningError, match="100"):
        sweep_vocab_sizes(learned, sizes=[100])


def test_picture_and_json(low_lower: Tokenizer) -> None:
    corpus = SweepCorpus.of_counts(PretokenCounts.from_words(WORDS), name="words")
    sweep = sweep_vocab_sizes(low_lower, [corpus], [11, 13, 15, 19, 23])
    console = Console(width=60, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(sweep)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    # at 19: low newest dest are alive, es est lo ne new are steps
    assert lines[:7] == [
        "words   79 bytes, 16 words ─────────────────────────────────",
        "vocabulary  tokens  bytes/token  tokens/word  never used",
        "        11      79        1.000        4.938           –",
        "        13      61        1.295        3.812       50.0%",
        "        15      47        1.681        2.938       50.0%",
        "        19      26        3.038        1.625       62.5%",
        "        23      16        4.938        1.000       66.7%",
    ]
    assert max(map(len, lines)) <= 60
    assert json.loads(json.dumps(sweep.as_dict()))["corpora"][0]["sizes"][1]["num_tokens"] == 61
