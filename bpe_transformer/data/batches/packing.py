"""Documents laid into windows of one length, so that every id stands in exactly one of them.

A document of n ids takes n positions: at each, a model reads the id before and predicts the id itself. What the first
one is read after, `start_id`, takes no room. A document longer than a window goes on in the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.io.npy_files import scratch_array

Numbers = npt.NDArray[np.int64]
Pack = Literal["none", "concat", "best-fit"]
PACKS: tuple[Pack, ...] = ("none", "concat", "best-fit")
_POOL_ROWS = 1 << 17  # fitted together: enough that one unfilled window at the end of each is nothing


class Piece(NamedTuple):
    """The ids from `start` to `stop` of all rows laid end to end; `begins` is True where a document begins with them."""

    start: int
    stop: int
    begins: bool


class Packing(Protocol):
    """Which ids stand in which window."""

    @property
    def length(self) -> int:
        """Positions in a window; the ids in it may be fewer."""

    @property
    def sizes(self) -> Numbers:
        """(W,) ids in each window."""

    def pieces(self, window: int) -> Iterator[Piece]:
        """What stands in a window, in order."""


def pack(how: Pack, row_starts: Numbers, length: int) -> Packing:
    """Rows packed into windows of `length` positions.

    none: a row a window. concat: rows end to end, cut wherever a window is full. best-fit: rows that fit a window
    whole, each put where the least room remains (best-fit decreasing; for language models Ding et al. 2024).

    Raises:
        ConfigError: `how` is unknown, or `length` is not positive.
        CorpusError: there is no id.

    >>> [list(pack("best-fit", np.array([0, 3, 7, 8]), 4).pieces(window)) for window in range(2)]
    [[Piece(start=3, stop=7, begins=True)], [Piece(start=0, stop=3, begins=True), Piece(start=7, stop=8, begins=True)]]
    """
    if how not in PACKS:
        raise ConfigError(f"pack={how!r} is unknown; choose {', '.join(PACKS)}")
    if length < 1:
        raise ConfigError(f"windows of {length} positions hold nothing; use at least 1")
    if row_starts[-1] == row_starts[0]:
        raise CorpusError("there is no id to train on; prepare a corpus with some text")
    return Concatenated(row_starts, length) if how == "concat" else Fitted(row_starts, length, alone=how == "none")


class Concatenated:
    """Rows end to end, cut into windows; found as they are asked for, so that nothing grows with the corpus."""

    def __init__(self, row_starts: Numbers, length: int) -> None:
        self.row_starts, self.length = row_starts, length
        self._first, self._last = int(row_starts[0]), int(row_starts[-1])

    @property
    def sizes(self) -> Numbers:
        """(W,) ids in each window: all full but perhaps the last."""
        whole, rest = divmod(self._last - self._first, self.length)
        sizes = np.full(whole + (rest > 0), self.length, dtype=np.int64)
        if rest:
            sizes[-1] = rest
        return sizes

    def pieces(self, window: int) -> Iterator[Piece]:
        """What stands in a window, in order."""
        start = self._first + window * self.length
        stop = min(start + self.length, self._last)
        row = int(np.searchsorted(self.row_starts, start, "right")) - 1
        while start < stop:
            row_start, row_stop = int(self.row_starts[row]), int(self.row_starts[row + 1])
            end = min(row_stop, stop)
            if end > start:
                yield Piece(start, end, start == row_start)
            start, row = end, row + 1


class Fitted:
    """Rows that are whole wherever they fit a window; of a longer one every full window is cut off.

    alone: one row (or what is left of it) a window. Rows are fitted together a pool of `pool_rows` at a time, so that the
    time and the memory for it do not grow with the corpus; what is found lies in files (`scratch_array`).
    """

    def __init__(self, row_starts: Numbers, length: int, *, alone: bool = False, pool_rows: int = _POOL_ROWS) -> None:
        self.length = length
        pools = [row_starts[first : first + pool_rows + 1] for first in range(0, len(row_starts) - 1, pool_rows)]
        number = sum(int((-(-np.diff(pool) // length)).sum()) for pool in pools)
        self._starts, self._begins = scratch_array(number, np.int64), scratch_array(number, np.bool_)
        self._sizes, first = scratch_array(number, np.uint32), scratch_array(number + 1, np.int64)
        pieces = windows = 0
        for pool in pools:
            starts, sizes, begins, window = _fitted(pool, length, alone=alone)
            stop = pieces + len(starts)
            self._starts[pieces:stop], self._sizes[pieces:stop], self._begins[pieces:stop] = starts, sizes, begins
            ends = np.bincount(window).cumsum()
            first[windows + 1 : windows + 1 + len(ends)] = pieces + ends
            pieces, windows = stop, windows + len(ends)
        self._first = first[: windows + 1]  # piece of each window

    @property
    def sizes(self) -> Numbers:
        """(W,) ids in each window."""
        sizes: Numbers = np.add.reduceat(self._sizes, self._first[:-1], dtype=np.int64)
        return sizes

    def pieces(self, window: int) -> Iterator[Piece]:
        """What stands in a window, the longest first."""
        for piece in range(int(self._first[window]), int(self._first[window + 1])):
            start = int(self._starts[piece])
            yield Piece(start, start + int(self._sizes[piece]), bool(self._begins[piece]))


def _fitted(
    row_starts: Numbers, length: int, *, alone: bool
) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_], Numbers]:
    """The pieces of some rows, window after window, (P,): starts, sizes, whether a row begins with it, and the window."""
    lengths = np.diff(row_starts)
    full = lengths // length
    rows = np.repeat(np.arange(len(lengths)), full)  # of windows that hold nothing but a part of one row
    parts = np.arange(len(rows)) - np.repeat(np.cumsum(full) - full, full)
    rests = np.flatnonzero(lengths % length)
    starts = np.concatenate((row_starts[rows] + parts * length, row_starts[rests] + full[rests] * length))
    sizes = np.concatenate((np.full(len(rows), length, dtype=np.int64), lengths[rests] % length))
    begins = np.concatenate((parts == 0, full[rests] == 0))
    if alone:
        windows = np.arange(len(starts))
    else:
        windows = np.concatenate((np.arange(len(rows)), len(rows) + best_fit(sizes[len(rows) :], length)))
    order = np.lexsort((starts, -sizes, windows))
    return starts[order], sizes[order], begins[order], windows[order]


def best_fit(sizes: Numbers, length: int) -> Numbers:
    """The bin of each item (N,), from 0 on: items by falling size, each into the fullest bin of `length` that has room.

    Items of one size are placed together, so the time depends on `length` rather than on the number of items.

    >>> best_fit(np.array([3, 1, 4, 2]), 5)
    array([1, 0, 0, 1])
    """
    bins = np.empty(len(sizes), dtype=np.int64)
    by_room: dict[int, list[Numbers]] = defaultdict(list)  # bins by the room that is left in them
    rooms = 0  # a bit for every room that some bin has
    opened = 0
    order = np.argsort(-sizes, kind="stable")
    firsts = np.flatnonzero(np.diff(sizes[order], prepend=-1)).tolist()  # of the items of one size
    for first, last in zip(firsts, [*firsts[1:], len(sizes)], strict=False):
        size, place = int(sizes[order[first]]), first
        while place < last:
            fitting = rooms >> size
            if fitting:
                room = size + (fitting & -fitting).bit_length() - 1  # the least that is enough
                found = np.concatenate(by_room.pop(room))
                rooms ^= 1 << room
            else:
                room = length
                found = opened + np.arange(-(-(last - place) // (length // size)))
                opened += len(found)
            each = room // size
            filled = np.repeat(found, each)[: last - place]
            bins[order[place : place + len(filled)]] = filled
            place += len(filled)
            # all bins took `each` items, but for one that took what was left of them, and those after it
            whole, rest = divmod(len(filled), each)
            for some, taken in ((found[:whole], each), (found[whole : whole + 1], rest), (found[whole + 1 :], 0)):
                if len(some):
                    by_room[room - taken * size].append(some)
                    rooms |= 1 << (room - taken * size)
    return bins
