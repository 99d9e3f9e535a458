"""An index of merges by pair and by result, which also applies them one at a time, as the encoder does."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

_GONE = -1


@dataclass(frozen=True, slots=True)
class FiredMerge:
    """One merge applied at one position: the tokens over the base tokens [start, middle) and [middle, end) became one.

    Positions count the base tokens of the pre-token from 0, so later merges do not change them.
    """

    rank: int
    start: int
    middle: int
    end: int


class MergeIndex:
    """The merges of a tokenizer, indexed by their pair and by the id they make. Built once for each tokenizer."""

    _indexes: ClassVar[WeakKeyDictionary[Tokenizer, MergeIndex]] = WeakKeyDictionary()

    def __init__(self, tokenizer: Tokenizer) -> None:
        model = tokenizer.model
        self.left, self.right, self.merged_ids = model.left, model.right, model.merged_ids
        keys = self.left.astype(np.uint64) << np.uint64(32) | self.right
        self._by_pair = np.argsort(keys, kind="stable")  # stable: equal pairs stay in order of rank
        self._keys = keys[self._by_pair]
        self._by_result = np.argsort(self.merged_ids, kind="stable")
        self._results = self.merged_ids[self._by_result]
        # ids that no merge makes stay in every truncation; special and added tokens above all merges follow the last
        last = int(self._results[-1]) if len(self._results) else tokenizer.vocab_size
        kept = np.ones(last, np.bool_)
        kept[self._results[self._results < last]] = False
        without_merge = np.flatnonzero(kept)
        named = {*model.special_tokens.values(), *model.added_tokens.values()}
        self._ids_above = sum(id > last for id in named)
        in_order = not (self.merged_ids[1:] < self.merged_ids[:-1]).any()
        self._undone = model.undone
        in_order = in_order and not model.undone
        self._last_without_merge = (int(without_merge[-1]) if len(without_merge) else -1) if in_order else None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> MergeIndex:
        """The index of `tokenizer`, built at the first call."""
        if tokenizer not in cls._indexes:
            cls._indexes[tokenizer] = cls(tokenizer)
        return cls._indexes[tokenizer]

    def __len__(self) -> int:
        return len(self.merged_ids)

    def rank(self, left: int, right: int) -> int | None:
        """The rank of the merge of two ids; None if they do not merge."""
        key = np.uint64(left << 32 | right)
        at = int(np.searchsorted(self._keys, key))
        return int(self._by_pair[at]) if at < len(self._keys) and self._keys[at] == key else None

    def ranks_of(self, id: int) -> list[int]:
        """The ranks of all merges that make `id`, lowest first; imported vocabularies may have several."""
        first, last = np.searchsorted(self._results, [id, id + 1])
        ranks: list[int] = self._by_result[first:last].tolist()
        return ranks

    def first_rank_of(self, id: int) -> int | None:
        """The lowest rank that makes `id`; None for a token that no merge makes."""
        return next(iter(self.ranks_of(id)), None)

    def vocab_size(self, merges: int) -> int | None:
        """The smallest `vocab_size` with the first `merges` merges that `Tokenizer.truncate` takes.

        None where ids do not follow the order of merges, as in some imported vocabularies.
        """
        if self._last_without_merge is None:
            return None
        largest = max(self._last_without_merge, int(self.merged_ids[merges - 1]) if merges else -1)
        return largest + 1 + self._ids_above

    def base_ids_of(self, id: int) -> list[int]:
        """The base ids that `id` is built from, by the first merge that makes each token."""
        leaves: list[int] = []
        waiting = [id]
        while waiting:
            rank = self.first_rank_of(token := waiting.pop())
            if rank is None:
                leaves.append(token)
            else:
                waiting += [int(self.right[rank]), int(self.left[rank])]
        return leaves

    def fire(self, base: Sequence[int]) -> list[FiredMerge]:
        """The merges that apply to `base`, one at a time: the lowest rank first, of equal ranks the leftmost position.

        Takes n log n steps for n base ids, so a pre-token may have any length.
        """
        ids = list(base)
        count = len(ids)
        following = [*range(1, count), _GONE]
        preceding = list(range(-1, count - 1))
        ends = list(range(1, count + 1))
        queue: list[tuple[int, int, int, int]] = []  # rank, position, left id, right id

        def offer(position: int, other: int) -> None:
            if (rank := self.rank(ids[position], ids[other])) is not None:
                heapq.heappush(queue, (rank, position, ids[position], ids[other]))

        for position in range(count - 1):
            offer(position, position + 1)
        fired: list[FiredMerge] = []
        while queue:
            rank, position, left, right = heapq.heappop(queue)
            other = following[position]
            if ids[position] != left or other == _GONE or ids[other] != right:
                continue  # a later merge replaced one of the two
            fired.append(FiredMerge(rank, position, other, ends[other]))
            ids[position], ids[other] = int(self.merged_ids[rank]), _GONE
            ends[position], following[position] = ends[other], following[other]
            if following[position] != _GONE:
                preceding[following[position]] = position
                offer(position, following[position])
            if preceding[position] != _GONE:
                offer(preceding[position], position)
        return fired

    def states(self, base: Sequence[int], fired: Sequence[FiredMerge]) -> Iterator[dict[int, tuple[int, int]]]:
        """Before any merge and after each of `fired`: position → (id, end), the same dict every time."""
        state = {position: (id, position + 1) for position, id in enumerate(base)}
        yield state
        for merge in fired:
            del state[merge.middle]
            state[merge.start] = (int(self.merged_ids[merge.rank]), merge.end)
            yield state

    def encode(self, base: Sequence[int]) -> list[int]:
        """The ids that `base` ends in after all merges that apply to it, and after those that are undone."""
        *_, state = self.states(base, self.fire(base))
        return self.in_the_end(id for id, _ in state.values())

    def in_the_end(self, ids: Iterable[int]) -> list[int]:
        """What merged ids become where a vocabulary undoes merges: tokens that are in it."""
        return [part for id in ids for part in self._undone.get(id, (id,))]
