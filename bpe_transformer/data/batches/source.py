"""`BatchSource`: where a training loop gets its batches from, and what the sources here have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.batches.batch import AnyBatch, Batch

Numbers = npt.NDArray[np.integer[Any]]
Made = TypeVar("Made", bound=Batch, covariant=True)


class Padding(NamedTuple):
    """Positions of an epoch's batches: `ids` that hold an id, out of `positions`."""

    ids: int
    positions: int

    @property
    def waste(self) -> float:
        """The share of positions that are padding, 0 to 1."""
        return 1 - self.ids / max(self.positions, 1)


class BatchSource(Protocol[Made]):
    """Batches, epoch by epoch: a pure function of the data, the settings, the seed and the epoch's number.

    Nothing else is remembered between batches, so a run is resumed by asking for `batches(epoch, start)`. Several
    processes share the same batches: of each, a process gets its share of the rows, so that the same steps are taken
    however many there are.
    """

    def num_batches(self, epoch: int) -> int:
        """Batches in epoch number `epoch` (from 0); the same for every process."""

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[Made]:
        """The batches of an epoch from number `start` on, or the share in them of process `rank` of `world_size`.

        Each process gets equally many. Where a batch has fewer rows than there are processes, the last ones get one
        without anything to predict.
        """

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data: a run may be resumed only where all of it is the same."""

    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's batches is padding."""


class PlannedSource(ABC, Generic[AnyBatch]):
    """Base of sources that know an epoch's batches by the numbers of their rows before they make any."""

    def __init__(self) -> None:
        self._last: tuple[int, Sequence[Numbers]] | None = None

    @abstractmethod
    def _plan(self, epoch: int) -> Sequence[Numbers]:
        """The numbers of the rows in each batch."""

    @abstractmethod
    def batch(self, numbers: Numbers, epoch: int) -> AnyBatch:
        """The batch of these rows."""

    @abstractmethod
    def nothing(self, number: int, epoch: int) -> AnyBatch:
        """A batch of the shape of row `number` in which nothing is predicted."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""

    @abstractmethod
    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's batches is padding."""

    def plan(self, epoch: int) -> Sequence[Numbers]:
        """The numbers of the rows in each batch of an epoch; the last epoch asked for is kept."""
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, self._plan(epoch)
        return self._last[1]

    def num_batches(self, epoch: int) -> int:
        """Batches in epoch number `epoch`."""
        return len(self.plan(epoch))

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[AnyBatch]:
        """The batches from number `start` on, or the share of process `rank` in them."""
        plan = self.plan(epoch)
        for index in range(start, len(plan)):
            numbers = plan[index]
            share = numbers[rank::world_size]
            yield self.batch(share, epoch) if len(share) else self.nothing(int(numbers[0]), epoch)


def shuffled(number: int, *key: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The numbers from 0 to `number` - 1 in an order that the key (seed, epoch, …) decides; 32-bit while they fit."""
    numbers = np.arange(number, dtype=np.uint32 if number <= 1 << 32 else np.uint64)
    return np.random.Generator(np.random.PCG64(list(key))).permutation(numbers)


class Slices(Sequence[Numbers]):
    """Stretches of `size` numbers of an array, cut when they are asked for."""

    def __init__(self, numbers: npt.NDArray[np.integer[Any]], size: int) -> None:
        self._numbers, self._size = numbers, size

    def __len__(self) -> int:
        return -(-len(self._numbers) // self._size)

    @overload
    def __getitem__(self, index: int) -> Numbers: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Numbers]: ...

    def __getitem__(self, index: int | slice) -> Numbers | Sequence[Numbers]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = index % len(self) * self._size
        return self._numbers[start : start + self._size].astype(np.int64)
