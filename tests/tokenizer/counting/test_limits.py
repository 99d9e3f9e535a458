"""Words, rows and tables that are too large for the memory they would take are refused with their place."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bpe_transformer import PretokenCounter
from bpe_transformer.errors import CorpusError


@pytest.mark.parametrize("threads", [1, 3])
def test_a_word_that_is_too_long_is_refused_with_its_place(tmp_path: Path, threads: int) -> None:
    def counter(**limits: str) -> PretokenCounter:
        return PretokenCounter("whitespace", threads, **{"max_word_bytes": "1000"} | limits)  # type: ignore[arg-type]

    exactly = "low " * 10 + "x" * 999
    counter().add_texts([exactly])
    longer = exactly + "x"
    with pytest.raises(
        CorpusError, match=r"texts, byte 39 of document 2: the pre-token there is longer than 1,000 bytes; allow "
    ):
        counter().add_texts(["low", longer, longer])
    path = tmp_path / "a.txt"
    path.write_text(f"low\n{longer}\nlow\n")
    for documents, place in (("file", "byte 43"), ("line", "byte 43")):
        with pytest.raises(CorpusError, match=rf"a\.txt, {place}.*max_word_bytes=2000, or choose a pattern"):
            counter().add_file(path, documents=documents)
    counter(max_word_bytes="1001").add_file(path)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "low"}) + "\n" + json.dumps({"text": longer}) + "\n")
    with pytest.raises(CorpusError, match=r"a\.jsonl, byte 39 of document 2"):
        counter().add_file(tmp_path / "a.jsonl")
    pq.write_table(pa.table({"text": ["low", longer]}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match=r"a\.parquet, byte 39 of document 2"):
        counter().add_file(tmp_path / "a.parquet")
    by_python = PretokenCounter(r"\S+|\s+", threads, max_word_bytes=1000)
    with pytest.raises(CorpusError, match=r"longer than 1,000 bytes"):
        by_python.add_texts([longer + "x"])


def test_max_memory_bounds_a_word_and_a_stream_stops_early() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readinto(self, buffer: Any) -> int:
            buffer[:] = b"x" * len(buffer)
            self.given += len(buffer)
            return len(buffer)

    stream = Endless()
    with pytest.raises(
        CorpusError, match=r"standard input, byte 0: .* 524,288 bytes, an eighth of max_memory=4194304; allow more"
    ):
        PretokenCounter("gpt2", 1, max_memory="4MiB").add_stream(stream)  # type: ignore[arg-type]
    assert stream.given < 4 << 20
    stream = Endless()
    with pytest.raises(CorpusError, match=r"longer than 16,777,216 bytes; allow longer ones with max_word_bytes=32MiB"):
        PretokenCounter("gpt2", 1).add_stream(stream)  # type: ignore[arg-type]
    assert stream.given < 64 << 20


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_a_row_that_is_too_long_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    rows = (
        ["text", "low", "x" * 1001] if name != "a.jsonl" else ['{"text": "low"}'] * 2 + [f'{{"text": "{"x" * 989}"}}']
    )
    (tmp_path / name).write_text("\n".join(rows) + "\n")
    with pytest.raises(
        CorpusError, match=rf"{name}, line 3, from byte \d+ on: the line is longer than 1,000 bytes; .*max_row_bytes="
    ):
        PretokenCounter(max_row_bytes=1000).add_file(tmp_path / name)
    PretokenCounter(max_row_bytes=1001).add_file(tmp_path / name)


def test_a_field_of_many_lines_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"' + "low lower\n" * 200)  # a quote that is never closed
    with pytest.raises(
        CorpusError, match=r"a\.csv, line \d+: the row is longer than 1,000 characters; close its quotes"
    ):
        PretokenCounter(max_row_bytes=1000).add_file(tmp_path / "a.csv")


def test_a_table_of_many_columns_takes_linear_time(tmp_path: Path) -> None:
    columns = 100_000
    (tmp_path / "a.csv").write_text(",".join(f"c{n}" for n in range(columns)) + "\n" + ",".join(["x"] * columns) + "\n")
    start = time.process_time()
    counter = PretokenCounter("gpt2", 1)
    counter.add_file(tmp_path / "a.csv")
    assert counter.num_documents == columns
    with pytest.raises(CorpusError, match=r"no column d, only c0, .*, c19, … \(100,000 in all\)"):
        counter.add_file(tmp_path / "a.csv", columns=["d"])
    assert time.process_time() - start < 10
