"""Counting: however a text is cut, whatever holds it."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts
from bpe_transformer.errors import CorpusError, InvalidUtf8Error, LearningError, PatternError
from bpe_transformer.tokenizer.splitting import patterns


def by_regex(pattern: str, texts: list[str]) -> dict[bytes, int]:
    return dict(Counter(piece.encode() for text in texts for piece in patterns.split(pattern, text)))


@pytest.mark.parametrize("pattern", [*patterns.PATTERNS, r"\w+|\W"])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
@settings(max_examples=60, deadline=None)
def test_iterator_equals_regex(pattern: str, texts: list[str]) -> None:
    assert dict(PretokenCounts.from_iterator(texts, pattern).items()) == by_regex(pattern, texts)


@pytest.mark.parametrize("pattern", patterns.PATTERNS)
def test_cuts_for_threads_do_not_show(tmp_path: Path, pattern: str) -> None:
    lines = [
        "The low\tlower  newest",
        "",
        " widest 12345 '",
        "한국어 문장 셋째",
        "  ",
        "\u0301mark",
        "x" * 90,
        "3 마리!?",
        "\r",
    ]
    choose = random.Random(1)
    text = "\n".join(choose.choice(lines) * choose.randrange(4) for _ in range(90_000))
    assert len(text.encode()) > 2 << 20  # several pieces
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8", newline="")
    expected = by_regex(pattern, [text])
    for threads in (1, 2, 5):
        assert dict(PretokenCounts.from_files(file, pattern, threads).items()) == expected
        assert dict(PretokenCounts.from_iterator([text], pattern, threads).items()) == expected


def test_files_are_documents_and_progress_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("low ", encoding="utf-8")
    (tmp_path / "b.txt").write_text("low", encoding="utf-8")
    (tmp_path / "c.txt").write_text("", encoding="utf-8")
    told: list[tuple[int, int]] = []
    files = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    counts = PretokenCounts.from_files(files, "gpt2", progress=lambda *n: told.append(n))
    assert dict(counts.items()) == {b"low": 2, b" ": 1}
    assert (counts.num_documents, counts.num_bytes, counts.total) == (3, 7, 3)
    assert told[-1] == (7, 7)


def test_long_and_short_words_count_alike() -> None:
    words = {"x" * n: n for n in range(1, 60)}
    texts = [word for word, n in words.items() for _ in range(n)]
    assert dict(PretokenCounts.from_iterator(texts, "gpt2").items()) == {w.encode(): n for w, n in words.items()}


def test_nul_and_zero_padding_are_told_apart() -> None:
    counts = PretokenCounts.from_words({"a": 1, "a\0": 2, "a\0\0": 3, "\0": 4, "\0" * 15: 5, "\0" * 16: 6})
    assert dict(counts.items()) == {b"a": 1, b"a\0": 2, b"a\0\0": 3, b"\0": 4, b"\0" * 15: 5, b"\0" * 16: 6}


def test_counts_add_up() -> None:
    both = PretokenCounts.from_words({"low": 5, "x" * 40: 1}) + PretokenCounts.from_words(
        {"low": 2, "new": 1, "x" * 40: 2}
    )
    assert list(both.items()) == [(b"low", 7), (b"x" * 40, 3), (b"new", 1)]
    with pytest.raises(LearningError, match="do not add up"):
        PretokenCounts.from_words({"a": 1}) + PretokenCounts.from_words({"a": 1}, pattern="gpt2")


def test_counts_stop_at_64_bits() -> None:
    counts = PretokenCounts.from_words({"low": 2**64 - 1})
    assert (counts + counts).saturated
    assert (counts + counts).total == 2**64 - 1


@pytest.mark.parametrize("count", [0, -1, 2**64, 1.5, True, "5"])
def test_counts_that_are_none(count: object) -> None:
    with pytest.raises(CorpusError, match="low"):
        PretokenCounts.from_words({"low": count})  # type: ignore[dict-item]


def test_invalid_utf8_names_file_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(b"ab caf\xe9 low")
    with pytest.raises(InvalidUtf8Error, match=r'latin\.txt is not UTF-8: byte 0xe9 at position 6.*errors="replace"'):
        PretokenCounts.from_files(file)
    counts = PretokenCounts.from_files(file, "whitespace", errors="replace")
    assert dict(counts.items()) == {b"ab": 1, " caf\ufffd".encode(): 1, b" low": 1}


def test_missing_file_and_bad_patterns(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere.txt is not a file"):
        PretokenCounts.from_files(tmp_path / "nowhere.txt")
    with pytest.raises(PatternError, match="choose one of gpt2"):
        PretokenCounts.from_iterator(["low"], "gtp2")
    with pytest.raises(PatternError, match="does not compile"):
        PretokenCounts.from_iterator(["low"], "(")


def test_texts_that_are_none() -> None:
    with pytest.raises(CorpusError, match="NoneType, not str"):
        PretokenCounts.from_iterator(["low", None])  # type: ignore[list-item]
    with pytest.raises(CorpusError, match="lone surrogate"):
        PretokenCounts.from_iterator(["low \ud800"])
