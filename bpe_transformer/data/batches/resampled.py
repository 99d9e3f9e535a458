"""Rows that are segmented anew in every epoch (BPE-dropout: Provilkov et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.batches.batch import AnyBatch
from bpe_transformer.data.batches.source import BatchSource, Padding
from bpe_transformer.data.batches.token_rows import FlatRows, Ids, TokenRows
from bpe_transformer.tokenizer import Tokenizer

_ROWS = 20_000  # segmented at once


class ResampledRows:
    """Rows of ids of which every epoch has another segmentation of the same texts.

    A row keeps its ids where these do not say its text exactly (such as <unk>), and where the new ones are more than
    `max_len`.

    Args:
        rows: as the tokenizer segments them without dropout.
        framed: ids at the beginning and at the end of each row that are not text.
        dropout: the probability with which a merge is left out.
    """

    def __init__(
        self,
        rows: TokenRows,
        tokenizer: Tokenizer,
        *,
        framed: tuple[int, int],
        dropout: float,
        seed: int,
        max_len: int | None = None,
    ) -> None:
        self._rows, self._tokenizer, self._framed = rows, tokenizer, framed
        self._dropout, self._seed, self._max_len = dropout, seed, max_len

    def at(self, epoch: int) -> FlatRows:
        """The rows of an epoch: a function of the seed, the epoch and each row's number."""
        starts = np.asarray(self._rows.row_starts)
        ids, lengths = [np.empty(0, dtype=np.uint32)], [np.zeros(1, dtype=np.int64)]
        for first in range(0, len(starts) - 1, _ROWS):
            some, sizes = self._block(epoch, first, starts[first : first + _ROWS + 1])
            ids.append(some)
            lengths.append(sizes)
        return FlatRows(np.concatenate(ids), np.concatenate(lengths).cumsum())

    def _block(
        self, epoch: int, first: int, starts: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        begin, end = self._framed
        rows = [self._rows.slice(int(a), int(b)) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        inner = [row[begin : len(row) - end] for row in rows]
        texts = [self._tokenizer.decode_bytes(row.tolist()) for row in inner]
        texts = [text if _is_utf8(text) else b"" for text in texts]
        plain = self._tokenizer.encode_batch(texts, disallowed_special=())
        # a seed for every block of an epoch; the core gives each text in it a stream of its own
        drawn = np.random.SeedSequence([self._seed, epoch, first]).generate_state(1, np.uint64)
        sampled = self._tokenizer.encode_batch(
            texts, disallowed_special=(), dropout=self._dropout, seed=int(drawn[0]) >> 1
        )
        found: list[Ids] = []
        for row, text, known, new in zip(rows, inner, plain, sampled, strict=True):
            fits = self._max_len is None or len(new) + begin + end <= self._max_len
            if fits and np.array_equal(known, text):
                row = np.concatenate((row[:begin], new, row[len(row) - end :]))
            found.append(row)
        return np.concatenate(found).astype(np.uint32), np.array([len(row) for row in found], dtype=np.int64)

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the segmentation beside the rows."""
        return {"bpe_dropout": self._dropout, "bpe_dropout_seed": self._seed}


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class EpochBatches(Generic[AnyBatch]):
    """A source that is another one in every epoch: `make` gives it, for the next epoch in the background meanwhile.

    The epoch asked for and the one after it are kept, and the numbers of batches of all that were made.

    facts: what decides the batches, as plain data.
    """

    def __init__(self, make: Callable[[int], BatchSource[AnyBatch]], facts: dict[str, Any]) -> None:
        self._make, self._facts = make, facts
        self._made: dict[int, Future[BatchSource[AnyBatch]]] = {}
        self._counts: dict[int, int] = {}
        self._lock = Lock()

    def _begun(self, epoch: int) -> Future[BatchSource[AnyBatch]]:
        """The source of an epoch, which a thread makes that does not keep the process from ending."""
        with self._lock:
            if epoch not in self._made:
                self._made[epoch] = Future()
                Thread(target=self._run, args=(self._made[epoch], epoch), daemon=True).start()
            return self._made[epoch]

    def _run(self, result: Future[BatchSource[AnyBatch]], epoch: int) -> None:
        try:
            result.set_result(self._make(epoch))
        except BaseException as problem:
            result.set_exception(problem)

    def _at(self, epoch: int) -> BatchSource[AnyBatch]:
        made = self._begun(epoch).result()
        with self._lock:
            for other in [other for other in self._made if other not in (epoch, epoch + 1)]:
                del self._made[other]
        self._counts[epoch] = made.num_batches(epoch)
        return made

    def num_batches(self, epoch: int) -> int:
        """Batches in an epoch, which its segmentation decides."""
        if epoch not in self._counts:
            self._at(epoch)
        return self._counts[epoch]

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[AnyBatch]:
        """The batches from number `start` on, or the share of process `rank` in them."""
        number = self.num_batches(epoch)
        for place, batch in enumerate(self._at(epoch).batches(epoch, start, rank=rank, world_size=world_size), start):
            if place >= number // 2:  # a run that ends before has no use for the next epoch
                self._begun(epoch + 1)
            yield batch

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return self._facts

    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's batches is padding."""
        return self._at(epoch).padding(epoch)
