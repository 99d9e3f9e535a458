"""Parquet files: damage is told as such, and what goes wrong with rows that are sound is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bpe_transformer.errors import CorpusError
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
