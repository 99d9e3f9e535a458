"""Rows of tables: what the csv module reads, in less memory where a row is long."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, JsonLimit, ReadStats, json_lines, read_ahead, row_texts, rows
from bpe_transformer.io.byte_files import BLOCK_BYTES

SIZE = 4 << 20


def lines_of(text: str) -> Iterator[str]:
    return iter(text.splitlines(keepends=True) if "\r" not in text else [line for line in _split(text) if line])


def _split(text: str) -> list[str]:
    *some, last = text.split("\n")
    return [*(line + "\n" for line in some), last]


def by_csv_module(text: str) -> list[object]:
    found: list[object] = []
    reader = csv.reader(lines_of(text), strict=True)
    try:
        found += [(reader.line_num, row) for row in reader if row]
    except csv.Error:
        found.append("refused")
    return found


def ours(text: str, long: int, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    found: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(rows, "_LONG_ROW", long)
        try:
            found.extend(rows._quoted_rows(lines_of(text), Path("a.csv"), 1 << 20))
        except CorpusError:
            found.append("refused")
    return [found[-1]] if "refused" in found else found


@given(text=st.text(alphabet='aé",\r\n', max_size=40), long=st.integers(0, 12))
def test_long_rows_are_those_of_the_csv_module(text: str, long: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = by_csv_module(text)
        assert ours(text, long, monkeypatch) == ([expected[-1]] if "refused" in expected else expected)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", "text,b\n", ",c\n"),
        ("a.csv", 'text,b\n"', '",c\n'),
        ("a.csv", 'text,b\n"a ""quoted"" word', '",c\n'),
        ("a.tsv", "text\tb\n", "\tc\n"),
        ("a.jsonl", '{"text": "', '"}\n'),
    ],
)
@pytest.mark.parametrize(
    "piece", ["low lower ", "low lower " * 40 + "\n", "낮은 집 "], ids=["words", "lines", "Hangul"]
)
def test_a_long_field_takes_little_more_than_its_size(
    tmp_path: Path, name: str, before: str, after: str, piece: str
) -> None:
    if "\n" in piece and '"' not in before:
        pytest.skip("this field has one line")
    if name == "a.jsonl":
        piece = json.dumps(piece, ensure_ascii=False)[1:-1]
    data = (before + piece * (SIZE // len(piece.encode())) + after).encode()
    (tmp_path / name).write_bytes(data)
    tracemalloc.start()
    with ByteFile(tmp_path / name) as file:
        texts = [len(text) for text in row_texts(file, ["text"], "strict", ReadStats())]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts[0] > SIZE // 4
    times = 3 if data.isascii() else 5  # CPython's decoder makes room for a wide character for each byte
    block = BLOCK_BYTES if name == "a.jsonl" else 0  # the core reads JSON lines by blocks of one size
    assert peak < times * len(data) + block + (2 << 20), f"{peak / len(data):.1f} times the size of the file"


def test_a_row_of_many_lines_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,more\n" + '"low\nlower\n",' * 100 + "\n")
    with (
        ByteFile(tmp_path / "a.csv") as file,
        pytest.raises(CorpusError, match=r"a\.csv, line \d+: the row is longer than 500 characters; close its quotes"),
    ):
        list(row_texts(file, None, "strict", ReadStats(), 500))


def test_large_items_are_not_read_ahead() -> None:
    alive: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            alive.append(number)
            yield number

    for number in read_ahead(items(), size=lambda _: 1 << 30):
        assert max(alive) <= number + 1


def test_a_row_of_very_many_values_is_refused_and_commas_in_texts_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of empty lists takes twenty times its size, whether its column is read or not."""
    monkeypatch.setattr(json_lines, "ENTRIES", JsonLimit(1 << 20, 1000))
    monkeypatch.setattr(json_lines, "_JSON_CHARACTERS", 100)
    path, texts = tmp_path / "a.jsonl", ['a,"b",[\\', 'c\\\\,d"' * 300, ",[{" * 2000]
    path.write_text("".join(json.dumps({"text": text, "n": [1, 2]}) + "\n" for text in texts))
    assert [row["text"] for _, row in json_lines.json_rows(path, "strict", print)] == texts
    path.write_text(json.dumps({"text": "x"}) + "\n" + json.dumps({"text": "y", "nested": [[]] * 600}) + "\n")
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2: more than 1,000 values in one row.*; cut its lists up"):
        list(json_lines.json_rows(path, "strict", print))
