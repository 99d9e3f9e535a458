"""Batches made by a background thread while a model works on earlier ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Generic, cast

from bpe_transformer.data.batches.batch import AnyBatch
from bpe_transformer.data.batches.source import BatchSource, Padding
from bpe_transformer.io import read_ahead

_AHEAD = 4  # batches


class BackgroundBatches(Generic[AnyBatch]):
    """The batches of a source, made ahead; the thread ends when the iterator is closed, also by an error or Ctrl-C.

    Args:
        pin: copy each batch to pinned memory, from where a GPU takes it while it computes.

    Attributes:
        waited, used: seconds for which the loop waited for batches, and between asking for them.
    """

    def __init__(self, source: BatchSource[AnyBatch], *, pin: bool = False) -> None:
        self._source, self._pin = source, pin
        self.waited = self.used = 0.0

    def num_batches(self, epoch: int) -> int:
        """Batches in an epoch."""
        return self._source.num_batches(epoch)

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[AnyBatch]:
        """The batches from number `start` on, or the share of process `rank` in them."""
        made = self._source.batches(epoch, start, rank=rank, world_size=world_size)
        with closing(read_ahead((_pinned(batch) for batch in made) if self._pin else made, _AHEAD)) as ahead:
            while True:
                asked = time.monotonic()
                batch = next(ahead, None)
                given = time.monotonic()
                self.waited += given - asked
                if batch is None:
                    return
                yield batch
                self.used += time.monotonic() - given

    @property
    def waiting(self) -> float:
        """The share of the time so far that was spent waiting, 0 to 1."""
        return self.waited / max(self.waited + self.used, 1e-9)

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return self._source.facts()

    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's batches is padding."""
        return self._source.padding(epoch)


def _pinned(batch: AnyBatch) -> AnyBatch:
    parts = (None if part is None else part.pin_memory() for part in batch)
    return cast(AnyBatch, cast(Any, type(batch))(*parts))
