"""Corpora that are read or generated here become Arrow files in the `datasets` cache, each with its ledger beside it.

They are memory-mapped, so a corpus may be larger than memory, and nothing is written outside the `datasets` cache
(`HF_DATASETS_CACHE`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, config

from bpe_transformer.errors import FormatError
from bpe_transformer.io import ENTRIES, Node, atomic_file, read_facts, recover_directory
from bpe_transformer.io.manifest import sha256_of
from bpe_transformer.ledger import Stage, StageRecorder

_VERSION = 4  # raise it when a reader changes what it makes of the same input
BATCH_ROWS = 2_000
BATCH_BYTES = 16 << 20


def text_sizes(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """(N,) UTF-8 bytes of each text of a column; zeros for null, and for a column of anything else.

    >>> text_sizes(pa.array(["low", None, "새"])).tolist(), text_sizes(pa.array([1, 2])).tolist()
    ([3, 0, 3], [0, 0])
    """
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return np.zeros(len(column), dtype=np.int64)
    return np.asarray(pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def cache_folder() -> Path:
    return Path(config.HF_DATASETS_CACHE) / "bpe_transformer"


def cached_table(
    key: Sequence[object], schema: pa.Schema | None, read: Callable[[StageRecorder], Iterator[pa.RecordBatch]]
) -> Dataset:
    """The dataset that `read` yields, from the cache when `key` (JSON values) was read before.

    `read` records what it keeps and drops in the `StageRecorder` it is given. `schema` may be None when there is at least
    one batch, which has it. What lies damaged in the cache is read anew.
    """
    digest = hashlib.sha256(json.dumps([_VERSION, *key]).encode()).hexdigest()[:32]
    table = cache_folder() / f"{digest}.arrow"
    for path in (table, _facts_of(table)):
        recover_directory(path)  # removes what a run left that was killed when the file was in its place
    if not is_whole([table], _facts_of(table)):
        recorder = StageRecorder()
        with atomic_file(table) as unfinished:
            _write(unfinished, schema, read(recorder))
            sums = sums_of([unfinished], [table.name])
        write_facts(_facts_of(table), {"stage": recorder.stage("read").to_dict(), "files": sums})
    return Dataset.from_file(str(table))


def _facts_of(table: Path) -> Path:
    return table.with_suffix(".json")


def sums_of(files: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """The SHA-256 sums of files under their `names`."""
    return {name: sha256_of(file) for name, file in zip(names, files, strict=True)}


def write_facts(path: Path, facts: Mapping[str, object]) -> None:
    """Writes what is known of files of the cache beside them, with a checksum."""
    with atomic_file(path) as unfinished:
        unfinished.write_text(json.dumps({"facts": facts, "sha256": _sum_of(facts)}), encoding="utf-8")


def _checked_facts(path: Path) -> Node:
    """What `write_facts` wrote. Raises `FormatError` if it is damaged."""
    content = read_facts(path, ENTRIES)
    facts = content.child("facts")
    if content.get("sha256", str) != _sum_of(facts.value):
        raise FormatError("its checksum is another")
    return facts


def cached_facts(key: Sequence[object], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """JSON values that `compute` finds, from the cache when they were found for `key` before and are not damaged."""
    digest = hashlib.sha256(json.dumps([_VERSION, *key]).encode()).hexdigest()[:32]
    path = cache_folder() / f"{digest}.json"
    try:
        return dict(_checked_facts(path).value)
    except (OSError, FormatError):
        found = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_facts(path, found)
        return found


def _sum_of(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def is_whole(files: Sequence[Path], facts: Path) -> bool:
    """Whether the files are there, and all as they were when their facts were written."""
    try:
        sums = _checked_facts(facts).get("files", dict)
        return bool(files) and sums == sums_of(files, [file.name for file in files])
    except (OSError, FormatError):
        return False


def _write(path: Path, schema: pa.Schema | None, batches: Iterator[pa.RecordBatch]) -> None:
    with pa.OSFile(str(path), "wb") as sink:
        first = next(batches, None)
        known = first.schema if first is not None else schema if schema is not None else pa.schema([])
        with pa.ipc.new_stream(sink, known) as writer:
            if first is not None:
                writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)


def read_notes(dataset: Dataset) -> tuple[str, ...]:
    """What there was to say when the rows of `dataset` were read, or those that it is a part of."""
    stage = _stage(dataset)
    return () if stage is None else stage.notes


def read_stage(dataset: Dataset) -> Stage | None:
    """What was kept and dropped when `dataset` was read, if it came from `cached_table` and is still whole."""
    stage = _stage(dataset)
    return stage if stage is not None and stage.kept.examples == len(dataset) else None


def _stage(dataset: Dataset) -> Stage | None:
    files = dataset.cache_files
    if len(files) != 1:
        return None
    facts = _facts_of(Path(files[0]["filename"]))
    if facts.parent != cache_folder():
        return None
    try:
        stage = Stage.from_node(_checked_facts(facts).child("stage"))
    except (OSError, FormatError):
        return None
    return stage


class BatchBuilder:
    """Gathers rows (one value a column) into record batches of bounded size."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns: list[list[object]] = [[] for _ in schema]
        self._bytes = 0

    def add(self, row: Sequence[object], num_bytes: int) -> Iterator[pa.RecordBatch]:
        """Takes a row of about `num_bytes`; yields a batch when one is full."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._bytes += num_bytes
        if len(self._columns[0]) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        if self._columns[0]:
            arrays = [
                pa.array(column, type=field.type) for column, field in zip(self._columns, self._schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)
            self._columns = [[] for _ in self._schema]
            self._bytes = 0
