"""Rows of .csv and .tsv files read by the core: the fields that Python's csv module finds, and the same errors."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, ReadStats, row_texts


def by_python(path: Path, columns: list[str] | None, errors: str = "strict") -> list[str] | str:
    try:
        with ByteFile(path) as file:
            return list(row_texts(file, columns, errors, ReadStats()))  # type: ignore[arg-type]
    except CorpusError as problem:
        return str(problem)


def counted(path: Path, columns: list[str] | None, block: int, errors: str = "strict") -> PretokenCounter | str:
    counter = PretokenCounter("gpt2", 2)
    counter._block = block
    try:
        counter.add_file(path, columns=columns, errors=errors)  # type: ignore[arg-type]
    except CorpusError as problem:
        return str(problem)
    return counter


def check(path: Path, columns: list[str] | None, block: int, errors: str = "strict") -> None:
    texts, found = by_python(path, columns, errors), counted(path, columns, block, errors)
    if isinstance(texts, str):
        assert found == texts
        return
    assert isinstance(found, PretokenCounter), found
    expected = PretokenCounter("gpt2", 1)
    expected.add_texts(texts)
    assert (found.num_documents, found.num_bytes) == (len(texts), sum(len(text.encode()) for text in texts))
    assert dict(found.counts().items()) == dict(expected.counts().items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@given(
    data=st.lists(st.sampled_from(["a", "b c", "é낮", ",", "\t", '"', '""', "\n", "\r\n", "\r", '"x, y"', '"x\n"', "\ufeff"]), max_size=16).map("".join),
    bad=st.sampled_from([b"", b"", b"", b"\xe9", b"\xe9\n,"]),
    suffix=st.sampled_from([".csv", ".tsv"]),
    columns=st.sampled_from([None, ["text"], ["n", "text"], ["text", "text"]]),
    block=st.sampled_from([1, 12, 20, 33, 1 << 16]),
    errors=st.sampled_from(["strict", "replace"]),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_rows_are_those_of_python(
    folder: Path, data: str, bad: bytes, suffix: str, columns: list[str] | None, block: int, errors: str
) -> None:
    header = "text,n\n" if suffix == ".csv" else "text\tn\r\n"
    path = folder / f"a{suffix}"
    path.write_bytes(header.encode() + data.encode() + bad)
    check(path, columns, block, errors)


WORDS = st.text(st.sampled_from('low, er"\n\té한\r'), max_size=8)


@given(rows=st.lists(st.lists(WORDS, min_size=3, max_size=3), max_size=8), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=100, deadline=None)
def test_whole_tables(folder: Path, rows: list[list[str]], end: str) -> None:
    quoted = [",".join('"' + field.replace('"', '""') + '"' for field in row) for row in [["a", "b", "c"], *rows]]
    (folder / "a.csv").write_bytes(end.join([*quoted, ""]).encode())
    (folder / "a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    plain = [[field.replace("\n", "").replace("\t", "").rstrip("\r") for field in row] for row in rows]
    (folder / "a.tsv").write_bytes(end.join(["a\tb\tc", *("\t".join(row) for row in plain), ""]).encode())
    for name in ("a.csv", "a.csv.gz", "a.tsv"):
        for columns in (None, ["c", "a"]):
            for block in (24, 1 << 16):
                check(folder / name, columns, block)
    texts = by_python(folder / "a.csv", ["c", "a"])
    assert texts == [field for row in rows for field in (row[2], row[0])]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n\n",
        "text",
        '"te\nxt",n\nlow,"1"\n',
        '"text\nlow',
        "text,text\nlow,1\n",
        'text,n\nlow,1\n"low',
        "a\nlow\n",
    ],
)
def test_headers_of_all_kinds(data: str, tmp_path: Path) -> None:
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text(data, encoding="utf-8", newline="")
        for block in (4, 1 << 16):
            for columns in (None, ["text"]):
                check(tmp_path / name, columns, block)


def test_a_row_that_is_not_plain_is_read_with_all_that_follow(tmp_path: Path) -> None:
    rows = [f"low{n},{n}\n" for n in range(50)]
    path = tmp_path / "a.csv"
    path.write_text("".join(["text,n\n", *rows, '"a"b,1\n']))
    with pytest.raises(CorpusError, match=r"a\.csv, line 52: .*; quote fields as RFC 4180 does"):
        PretokenCounter("gpt2").add_file(path)
    path.write_text("".join(["text,n\n", *rows, "x,1\r\r\n", *rows]), newline="")
    for block in (32, 1 << 16):
        check(path, ["text"], block)
