"""Parquet files: damage is told as such, and what goes wrong with rows that are sound is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import parquet_files
from bpe_transformer.io.parquet_files import open_parquet, parquet_batches


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"text": ["low", "lower"] * 500}), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("problem", [ValueError("of the block"), OverflowError("of the block"), MemoryError()])
def test_errors_of_the_block_pass(rows: Path, problem: Exception) -> None:
    def read() -> None:
        with open_parquet(rows) as file:
            for _ in parquet_batches(rows, file, 10):
                raise problem

    with pytest.raises(type(problem)) as raised:
        read()
    assert raised.value is problem


def test_damage_is_named_wherever_it_shows(rows: Path) -> None:
    data = bytearray(rows.read_bytes())
    data[60:90] = bytes(30)
    rows.write_bytes(data)
    with (
        open_parquet(rows) as file,
        pytest.raises(CorpusError, match=r"rows.parquet is not a Parquet file that can be read"),
    ):
        list(parquet_batches(rows, file, 10))
    rows.write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match="cut off or damaged, write it anew"), open_parquet(rows):
        pass


def test_few_rows_are_read_at_a_time_where_a_small_file_holds_a_long_text_many_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 kB may hold 20 MB of text 20,000 times; a thousand rows at a time were 20 GB."""
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 1_000_000)
    long, number = "low " * 25_000, 300
    repeated = pa.DictionaryArray.from_arrays(pa.array([0, 1] * number, pa.int32()), pa.array([long, "x"]))
    for codec, version in (("zstd", "1.0"), ("none", "2.0")):
        path = tmp_path / f"bomb-{codec}.parquet"
        table = pa.table({"text": repeated, "n": list(range(2 * number))})
        pq.write_table(table, path, compression=codec, data_page_version=version, store_schema=False)
        with open_parquet(path) as file:
            batches = [
                (batch.num_rows, batch.column(0).nbytes) for batch in parquet_batches(path, file, 1000, ["text"])
            ]
        assert sum(rows for rows, _ in batches) == 2 * number
        assert max(size for _, size in batches) <= 1_000_000
        assert max(rows for rows, _ in batches) == 10  # of 100,000 bytes, if all were the long one
        with open_parquet(path) as file:  # its numbers are no texts
            assert [batch.num_rows for batch in parquet_batches(path, file, 1000, ["n"])] == [600]


def test_texts_that_no_dictionary_holds_are_read_as_many_at_a_time_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"text": [f"{i} " * 1000 for i in range(2000)]}), path, use_dictionary=False)
    with open_parquet(path) as file:
        assert [batch.num_rows for batch in parquet_batches(path, file, 1000)] == [1000, 1000]
    pq.write_table(pa.table({"text": ["low", None, "lower"] * 400}), path)
    with open_parquet(path) as file:
        assert [batch.num_rows for batch in parquet_batches(path, file, 1000)] == [1000, 200]


def rows_at_a_time(path: Path, column: pa.Array, name: str = "text", columns: list[str] | None = None) -> int:
    """The most rows that are read of a file with this one column."""
    pq.write_table(pa.table({name: column}), path, store_schema=False)
    with open_parquet(path) as file:
        batches = list(parquet_batches(path, file, 1000, columns))
    assert pa.concat_arrays([batch.column(0) for batch in batches]).cast(column.type).equals(column)
    return max(batch.num_rows for batch in batches)


@pytest.mark.parametrize("kind", ["dots", "lists", "fixed", "structures"])
def test_columns_of_every_kind_that_repeat_a_long_value_are_read_few_rows_at_a_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 1_000_000)
    long, path = "low " * 2500, tmp_path / "rows.parquet"
    texts = pa.array([long, "x"] * 500)
    if kind == "dots":
        assert rows_at_a_time(path, texts, "a.b", ["a.b"]) == 100
    elif kind == "lists":
        assert rows_at_a_time(path, pa.array([[long] * 10] * 200), columns=["text"]) == 10
        assert rows_at_a_time(path, pa.array([["low", "x"] * 10] * 200)) == 200
    elif kind == "fixed":
        assert rows_at_a_time(path, pa.array([long.encode()] * 500, pa.binary(len(long)))) == 100
    else:
        rows = pa.StructArray.from_arrays([texts, pa.array(range(1000))], ["a", "b"])
        assert rows_at_a_time(path, rows, columns=["text"]) == 100


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_ordinary_dictionaries_leave_batches_as_long_as_asked(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = [f"line {number} of a corpus that says little" for number in range(20_000)]
    pq.write_table(pa.table({"text": texts}), path, compression=codec)
    with open_parquet(path) as file:
        assert file.metadata.row_group(0).column(0).total_uncompressed_size > 500_000
        assert parquet_files.rows_within(path, file, 10**9) == (128 << 20) // len(texts[-1])


def test_one_long_text_that_a_small_file_holds_many_times_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Arrow fails when a small file asks for more than there is."""
    path = tmp_path / "bomb.parquet"
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["low " * 1000]))
    pq.write_table(pa.table({"text": repeated}), path, store_schema=False, write_statistics=False)
    assert path.stat().st_size < 10_000

    class Failing:
        def __next__(self) -> None:
            raise pa.ArrowMemoryError("malloc of size 8000000 failed")

    with open_parquet(path) as file:
        monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: Failing())
        with pytest.raises(
            CorpusError, match=r"bomb\.parquet needs more memory than there is \(malloc of size 8000000 failed"
        ):
            list(parquet_batches(path, file, 1000))
