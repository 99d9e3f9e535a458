"""Counting what comes in blocks: whatever the cuts, the counts are those of one scan of each whole document."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer, _core
from bpe_transformer.errors import ConfigError, CorpusError, InvalidUtf8Error
from bpe_transformer.io import Errors
from bpe_transformer.tokenizer.splitting import patterns

# what stands at the borders of the patterns: contractions, marks, numbers, white space of all kinds, and other alphabets
_PIECES = [
    "a", "Z", "low", "é", "ǅ", "ʰ", "한국", "字", "ſ", "\u0301", "\u0903", "1", "234", "٣", "½", " ", "   ", "\t", "\n", "\r\n", "\r",
    "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "!", "/", "//", "'", "'s", "'LL", "'ve", "'ſ", "-", "€", "😀", "👩‍👩",
    "\U00010400", "\u2581", "\u2581\u2581", "\x00", "\ufeff", "\u037a", "ﬁ", "가", "\u1100", "\u1161", "<|end of text|>", "<|end", "aa",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(_PIECES), st.characters(exclude_categories=["Cs"])), max_size=20).map("".join)
SCANNED = [name for name in patterns.PATTERNS if patterns.scanner_number(name) is not None]


def by_regex(split: Pretokenizer, texts: list[str]) -> dict[bytes, int]:
    return dict(Counter(piece.encode() for text in texts for piece in split.split(split.normalize(text))))


def by_stream(pattern: str, data: bytes, block: int, separator: bytes = b"") -> tuple[dict[bytes, int], int]:
    counting = _core.ParallelCounter(2, None, 0, 1 << 40, None)
    number = patterns.scanner_number(pattern)
    assert number is not None
    stream = _core.DocumentStream(counting, number, separator)
    for start in range(0, len(data), block):
        stream.add(data[start : start + block])
    stream.finish()
    return dict(counting.take().items()), counting.documents


@pytest.mark.parametrize("pattern", SCANNED)
@given(text=TEXT, block=st.integers(1, 9))
@example(text="a'", block=1)
@example(text="a\u2581 \u2581b", block=1)
@example(text="a\u0301b é's 12 34!? \n\n x", block=1)
@example(text="  \n \n  x \n", block=2)
@settings(max_examples=100, deadline=None)
def test_blocks_do_not_show(pattern: str, text: str, block: int) -> None:
    assert by_stream(pattern, text.encode(), block) == (by_regex(Pretokenizer(pattern), [text]), 1)


def split_as_python(text: str, separator: str) -> list[str]:
    *ended, rest = text.split(separator)
    ended = [document.removesuffix("\r") for document in ended] if separator == "\n" else ended
    return [*ended, rest] if rest else ended


@pytest.mark.parametrize("separator", ["\n", "<|end of text|>", "aa", " a ", "한"])
@given(text=TEXT, block=st.integers(1, 9))
@example(text="aaaaa", block=1)
@example(text="a a a a aa\r\r\n\r\n \r", block=2)
@settings(max_examples=100, deadline=None)
def test_documents_are_those_of_python(separator: str, text: str, block: int) -> None:
    documents = split_as_python(text, separator)
    expected = by_regex(Pretokenizer("cl100k"), documents), len(documents)
    assert by_stream("cl100k", text.encode(), block, separator.encode()) == expected


@given(data=st.binary(max_size=30), block=st.integers(1, 4))
@example(data=b"ab \xe2\x82", block=1)
@example(data=b"ab\xe2 \x82 c", block=2)
@settings(max_examples=300, deadline=None)
def test_the_first_bad_byte_is_named(data: bytes, block: int) -> None:
    good = len(data.decode(errors="ignore").encode()) == len(data)
    if good:
        by_stream("gpt2", data, block)
        return
    with pytest.raises(UnicodeDecodeError) as cause:
        data.decode()
    with pytest.raises(_core.InvalidUtf8) as problem:
        by_stream("gpt2", data, block)
    assert problem.value.args[1:] == (cause.value.start, data[cause.value.start])


@pytest.mark.parametrize("split", [
    Pretokenizer("gpt2", "NFC"), Pretokenizer("cl100k", "NFKD"), Pretokenizer("o200k", "NFKC"), Pretokenizer("whitespace", "NFD"),
    Pretokenizer("gpt2", None, (r"C\+\+", "한국")), Pretokenizer("cl100k", "NFKC", ("fi",)), Pretokenizer(r"\w+|\W"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("documents", ["file", "line", "aa"])
@given(text=TEXT)
@settings(max_examples=12, deadline=None)
def test_every_pretokenization_counts_files_as_whole_documents(
    tmp_path_factory: pytest.TempPathFactory, split: Pretokenizer, documents: str, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "document.txt"
    file.write_bytes(text.encode())
    whole = [text] if documents == "file" else split_as_python(text, "\n" if documents == "line" else documents)
    counter = PretokenCounter(split, 2)
    counter._block = 5  # smaller than any file would be read by
    counter.add_file(file, documents=documents)
    assert counter.num_documents == len(whole)
    assert dict(counter.counts().items()) == by_regex(split, whole)


@given(data=st.binary(max_size=30), block=st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_bad_bytes_are_replaced_as_python_does(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, block: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "bad.txt"
    file.write_bytes(data)
    counter = PretokenCounter("gpt2", 1)
    counter._block = block
    counter.add_file(file, errors="replace")
    text = data.decode(errors="replace")
    assert dict(counter.counts().items()) == by_regex(Pretokenizer("gpt2"), [text])
    assert counter.sources[0].replaced == text.count("\ufffd") - data.decode(errors="ignore").count("\ufffd")


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "metaspace"])
def test_texts_without_lines_are_shared_among_threads(tmp_path: Path, pattern: str) -> None:
    text = "the low lower, the 3 newest; 한국어 문장 " * 60_000
    assert "\n" not in text
    assert len(text.encode()) > 8 * 2**18  # many pieces of what one thread takes
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    expected = by_regex(Pretokenizer(pattern), [text])
    for threads in (1, 3):
        assert dict(PretokenCounts.from_files(tmp_path / "text.txt", pattern, threads).items()) == expected


@pytest.mark.parametrize("text", ["", "\0" * 100_000, "x" * 3_000_000, "字" * 1_000_000, " " * 3_000_000, "ab\0 \0ab"])
def test_texts_that_are_odd(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.txt").write_text(text, encoding="utf-8")
    expected = by_regex(Pretokenizer("cl100k"), [text])
    for counts in (
        PretokenCounts.from_files(tmp_path / "odd.txt", num_threads=2),
        PretokenCounts.from_iterator([text]),
    ):
        assert dict(counts.items()) == expected
        assert (counts.num_documents, counts.num_bytes) == (1, len(text.encode()))


def test_documents_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("low\r\n\r\nlower", encoding="utf-8")
    assert PretokenCounts.from_files(tmp_path / "a.txt", documents="line").num_documents == 3
    assert PretokenCounts.from_files(tmp_path / "a.txt", documents="low").num_documents == 3
    with pytest.raises(ConfigError, match="separates nothing"):
        PretokenCounts.from_files(tmp_path / "a.txt", documents="")


def test_bad_bytes_name_file_and_place_in_every_way_of_reading(tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(b"low lower\n" * 3 + b"caf\xe9 low\n")
    for split in ("gpt2", Pretokenizer("gpt2", "NFC"), Pretokenizer("gpt2", protected=("low",)), r"\w+|\W"):
        for documents in ("file", "line", "er"):
            with pytest.raises(InvalidUtf8Error, match=r"bad\.txt is not UTF-8: byte 0xe9 at position 33;"):
                PretokenCounts.from_files(file, split, documents=documents)
    with pytest.raises(CorpusError, match="not a file"):
        PretokenCounter().add_file(tmp_path)


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("packed", [gzip.compress, lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True))])
def test_blocks_that_are_unpacked_ahead_stay_in_order(
    packed: Callable[[bytes], bytes], errors: Errors, tmp_path: Path
) -> None:
    data = b"".join(b"low%d lower\r\n" % (number % 97) * (number % 5) for number in range(400))
    suffix = "gz" if packed is gzip.compress else "zst"
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / f"a.txt.{suffix}").write_bytes(packed(data[:1000]) + packed(data[1000:]))  # of several frames
    counters = []
    for name in ("a.txt", f"a.txt.{suffix}"):
        counter = PretokenCounter("gpt2", 2)
        counter._block = 64
        counter.add_file(tmp_path / name, documents="line", errors=errors)
        counters.append((dict(counter.counts().items()), counter.num_documents, counter.num_bytes))
    assert counters[0] == counters[1]
