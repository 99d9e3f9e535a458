"""Units of rows to shards of a store: text is encoded while earlier ids are framed and written, and summed while more follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bpe_transformer.data.prepared.processes import in_processes
from bpe_transformer.data.prepared.row_encoder import RowEncoder, Segmented
from bpe_transformer.data.prepared.row_sources import DatasetRows, StreamRows
from bpe_transformer.io import read_ahead
from bpe_transformer.io.atomic import sync_all
from bpe_transformer.ledger import StageRecorder
from bpe_transformer.tokenizer.store import ShardWriter, id_dtype
from bpe_transformer.tokenizer.store.shards import shard_files, shard_name
from bpe_transformer.tokenizer.store.shared_store import Delivered, RemoteStore
from bpe_transformer.tokenizer.store.unfinished_store import ShardMark, UnfinishedStore

Progress = Callable[[int, int], None]  # (rows done, rows in all; 0 where nobody knows)


class UnitWriter:
    """The shard of a unit while it is written."""

    def __init__(self, folder: Path, unit: int, encoder: RowEncoder) -> None:
        self._encoder, self._recorder = encoder, StageRecorder()
        dtype = id_dtype(encoder.tokenizer.vocab_size)
        names = shard_name(unit), list(encoder.framed), encoder.values
        self._shard = ShardWriter(folder, *names, dtype)
        self.unit, self.read, self.paths = unit, 0, [folder / name for name in shard_files(*names, "npy")]
        self._shard.__enter__()

    def append(self, batch: Segmented, labels: npt.NDArray[np.int64] | None = None) -> None:
        """Writes the rows of a batch that are kept."""
        self._shard.append(*self._encoder.rows(batch, self._recorder, labels))
        self.read += len(batch.outcome)

    def finish(self, *, synced: bool = True) -> ShardMark:
        """Completes the files; they are on the disk then, if `synced`."""
        with closing(self):
            shard, sums = self._shard.finish(synced=synced)
        return ShardMark(shard, sums, self._recorder.stage("encode"), self.read)

    def close(self) -> None:
        """Closes the files, which stay as they are."""
        self._shard.close()


class _Finishing:
    """Completes shards while the next ones are encoded: a thread takes their sums, another waits for the disk and marks them."""

    def __init__(self, store: UnfinishedStore) -> None:
        self._store = store
        self._summing, self._syncing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._running: list[Future[None]] = []
        self._summed: SimpleQueue[tuple[UnitWriter, ShardMark]] = SimpleQueue()
        self._current: UnitWriter | None = None

    def __enter__(self) -> _Finishing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._current is not None:
            self._current.close()
        try:
            self._wait(0)
        finally:
            self._summing.shutdown()
            self._syncing.shutdown()

    def open(self, unit: int, encoder: RowEncoder) -> UnitWriter:
        """A writer for the next unit."""
        self._current = UnitWriter(self._store.folder, unit, encoder)
        return self._current

    def complete(self) -> None:
        """Completes the shard that was opened; at most one other is waiting."""
        assert self._current is not None
        self._wait(1)
        self._running.append(self._summing.submit(self._sum, self._current))
        self._current = None

    def _wait(self, left: int) -> None:
        """Waits until at most so many shards have no sums, and raises the first error; with none, until all are marked."""
        while len(self._running) > left:
            self._running.pop(0).result()
        if not left:
            self._syncing.submit(self._mark).result()

    def _sum(self, writer: UnitWriter) -> None:
        self._summed.put((writer, writer.finish(synced=False)))
        self._syncing.submit(self._mark)

    def _mark(self) -> None:
        """Marks all shards that have their sums, once they are on the disk."""
        found = [self._summed.get() for _ in range(self._summed.qsize())]
        sync_all([path for writer, _ in found for path in writer.paths])
        for writer, mark in found:
            self._store.mark(writer.unit, mark)


@dataclass(frozen=True)
class UnitWork:
    """Encodes the rows of a unit to a shard, where other processes or machines do so."""

    rows: DatasetRows
    encoder: RowEncoder

    def encode(self, unit: int, folder: Path) -> ShardMark:
        """Writes the shard to `folder`."""
        writer = UnitWriter(folder, unit, self.encoder)
        with closing(writer):
            for _, batch, found in _segmented(self.rows, self.encoder, [unit]):
                writer.append(found, self.rows.labels_of(found.first_row, batch))
            return writer.finish()


def _segmented(
    rows: DatasetRows, encoder: RowEncoder, units: Iterable[int]
) -> Iterator[tuple[int, pa.Table, Segmented]]:
    """(unit, batch, its ids) for all batches of the units."""
    for unit in units:
        for first, batch in rows.batches(unit):
            yield unit, batch, encoder.segment(batch, first)


def encode_dataset(
    rows: DatasetRows,
    encoder: RowEncoder,
    store: UnfinishedStore,
    *,
    num_proc: int | None,
    cluster: str | None,
    progress: Progress,
) -> None:
    """Encodes all units that are not marked: here, in `num_proc` processes, or on the cluster at that address."""
    if cluster is not None or (num_proc or 1) > 1:
        return encode_to_place(
            rows, encoder, store, str(store.folder), num_proc=num_proc, cluster=cluster, progress=progress
        )
    total = rows.num_rows
    done = sum(mark.read for mark in store.marks.values())
    left = _left(rows, store)
    _encode_here(rows, encoder, store, left, lambda read: progress(done + read, total))
    if not left:
        progress(total, total)


def encode_to_place(
    rows: DatasetRows,
    encoder: RowEncoder,
    store: UnfinishedStore | RemoteStore,
    place: str,
    *,
    num_proc: int | None,
    cluster: str | None,
    progress: Progress,
) -> None:
    """Encodes all units that are not marked, each by itself, and delivers it to `place`, a folder or a URL."""
    total, left = rows.num_rows, _left(rows, store)
    done = sum(mark.read for mark in store.marks.values())
    work = Delivered(UnitWork(rows, replace(encoder, num_threads=num_threads(num_proc, cluster))), place)
    for unit, mark in _elsewhere(work, left, num_proc, cluster):
        store.mark(unit, mark)
        done += mark.read
        progress(done, total)
    if not left:
        progress(total, total)


def num_threads(num_proc: int | None, cluster: str | None) -> int | None:
    """Threads of each encoder: one where several work side by side, else all cores."""
    return None if cluster is None and (num_proc or 1) == 1 else 1


def _left(rows: DatasetRows, store: UnfinishedStore | RemoteStore) -> list[int]:
    return [unit for unit in range(rows.num_units) if unit not in store.marks]


def _elsewhere(
    work: Delivered, units: Sequence[int], num_proc: int | None, cluster: str | None
) -> Iterator[tuple[int, ShardMark]]:
    if cluster is not None:
        from bpe_transformer.data.cluster import on_cluster

        return on_cluster(work, units, cluster)
    if num_proc is None or num_proc == 1:
        return ((unit, work(unit)) for unit in units)
    return in_processes(work, units, num_proc)


def _encode_here(
    rows: DatasetRows, encoder: RowEncoder, store: UnfinishedStore, units: list[int], report: Callable[[int], None]
) -> None:
    """Encodes units one after another; a thread encodes the next batch while one is framed and written."""
    read = 0
    with _Finishing(store) as finishing, closing(read_ahead(_segmented(rows, encoder, units))) as ahead:
        for unit, batches in groupby(ahead, key=itemgetter(0)):
            writer = finishing.open(unit, encoder)
            for _, batch, found in batches:
                writer.append(found, rows.labels_of(found.first_row, batch))
                read += batch.num_rows
                report(read)
            finishing.complete()


def encode_stream(rows: StreamRows, encoder: RowEncoder, store: UnfinishedStore, progress: Progress) -> None:
    """Encodes a stream to shards of about `unit_bytes` of text; those that are marked are skipped."""
    unit = len(store.marks)
    done = sum(mark.read for mark in store.marks.values())
    segmented = ((batch.nbytes, encoder.segment(batch, first)) for first, batch in rows.batches(done))
    with _Finishing(store) as finishing, closing(read_ahead(segmented)) as ahead:
        size, writer = 0, None if unit else finishing.open(unit, encoder)
        for num_bytes, found in ahead:
            writer = writer or finishing.open(unit, encoder)
            writer.append(found)
            done, size = done + len(found.outcome), size + num_bytes
            progress(done, 0)
            if size >= rows.unit_bytes:
                finishing.complete()
                size, writer, unit = 0, None, unit + 1
        if writer is not None:
            finishing.complete()
