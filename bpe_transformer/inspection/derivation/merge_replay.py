"""Merges fired one at a time, as the encoder fires them, and written down: what every view of a derivation is made from."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

_GONE = -1


@dataclass(frozen=True, slots=True)
class Fired:
    """One merge at one place: the tokens over the base tokens [start, middle) and [middle, end) became one.

    Places count the base tokens of the pre-token from 0, so they never move.
    """

    rank: int
    start: int
    middle: int
    end: int


class Merges:
    """The merges of a tokenizer, found by pair or by what they make. Costs a sort of the merges, once a tokenizer."""

    _known: ClassVar[WeakKeyDictionary[Tokenizer, Merges]] = WeakKeyDictionary()

    def __init__(self, tokenizer: Tokenizer) -> None:
        model = tokenizer.model
        self.left, self.right, self.merged_ids = model.left, model.right, model.merged_ids
        keys = self.left.astype(np.uint64) << np.uint64(32) | self.right
        self._by_pair = np.argsort(keys, kind="stable")  # stable: of equal pairs the lowest rank, as the encoder has it
        self._keys = keys[self._by_pair]
        self._by_made = np.argsort(self.merged_ids, kind="stable")
        self._made = self.merged_ids[self._by_made]
        # ids that no merge makes stay in every truncation; special and added tokens above all merges follow the last
        last = int(self._made[-1]) if len(self._made) else tokenizer.vocab_size
        kept = np.ones(last, np.bool_)
        kept[self._made[self._made < last]] = False
        unmade = np.flatnonzero(kept)
        named = {*model.special_tokens.values(), *model.added_tokens.values()}
        self._on_top = sum(id > last for id in named)
        in_order = not (self.merged_ids[1:] < self.merged_ids[:-1]).any()
        self._unmade = (int(unmade[-1]) if len(unmade) else -1) if in_order else None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Merges:
        """Those of `tokenizer`, sorted when first asked for."""
        if tokenizer not in cls._known:
            cls._known[tokenizer] = cls(tokenizer)
        return cls._known[tokenizer]

    def __len__(self) -> int:
        return len(self.merged_ids)

    def rank(self, left: int, right: int) -> int | None:
        """The rank of the merge of two ids; None if they do not merge."""
        key = np.uint64(left << 32 | right)
        at = int(np.searchsorted(self._keys, key))
        return int(self._by_pair[at]) if at < len(self._keys) and self._keys[at] == key else None

    def makers(self, id: int) -> list[int]:
        """The ranks of all merges that make `id`, lowest first; imported vocabularies may have several."""
        first, last = np.searchsorted(self._made, [id, id + 1])
        ranks: list[int] = self._by_made[first:last].tolist()
        return ranks

    def maker(self, id: int) -> int | None:
        """The lowest rank that makes `id`; None for a token that no merge makes."""
        return next(iter(self.makers(id)), None)

    def vocab_size(self, merges: int) -> int | None:
        """The smallest `vocab_size` with the first `merges` merges that `Tokenizer.truncate` takes.

        None where ids do not follow the order of merges, as in some imported vocabularies.
        """
        if self._unmade is None:
            return None
        largest = max(self._unmade, int(self.merged_ids[merges - 1]) if merges else -1)
        return largest + 1 + self._on_top

    def leaves(self, id: int) -> list[int]:
        """The base ids that `id` comes down to."""
        leaves: list[int] = []
        waiting = [id]
        while waiting:
            rank = self.maker(token := waiting.pop())
            if rank is None:
                leaves.append(token)
            else:
                waiting += [int(self.right[rank]), int(self.left[rank])]
        return leaves

    def fire(self, base: Sequence[int]) -> list[Fired]:
        """Everything that happens to `base`: the lowest rank first, the leftmost place among equals, one at a time.

        Takes n log n steps for n base ids, so a pre-token may have any length.
        """
        ids = list(base)
        count = len(ids)
        following = [*range(1, count), _GONE]
        preceding = list(range(-1, count - 1))
        ends = list(range(1, count + 1))
        queue: list[tuple[int, int, int, int]] = []  # rank, place, left id, right id

        def offer(place: int, other: int) -> None:
            if (rank := self.rank(ids[place], ids[other])) is not None:
                heapq.heappush(queue, (rank, place, ids[place], ids[other]))

        for place in range(count - 1):
            offer(place, place + 1)
        fired: list[Fired] = []
        while queue:
            rank, place, left, right = heapq.heappop(queue)
            other = following[place]
            if ids[place] != left or other == _GONE or ids[other] != right:
                continue  # one of the two has become something else
            fired.append(Fired(rank, place, other, ends[other]))
            ids[place], ids[other] = int(self.merged_ids[rank]), _GONE
            ends[place], following[place] = ends[other], following[other]
            if following[place] != _GONE:
                preceding[following[place]] = place
                offer(place, following[place])
            if preceding[place] != _GONE:
                offer(preceding[place], place)
        return fired

    def states(self, base: Sequence[int], fired: Sequence[Fired]) -> Iterator[dict[int, tuple[int, int]]]:
        """Before any merge and after each of `fired`: place → (id, end), by place. The same dict every time, changed."""
        state = {place: (id, place + 1) for place, id in enumerate(base)}
        yield state
        for merge in fired:
            del state[merge.middle]
            state[merge.start] = (int(self.merged_ids[merge.rank]), merge.end)
            yield state

    def after(self, base: Sequence[int], fired: Sequence[Fired]) -> list[int]:
        """The ids when all of `fired` have happened to `base`."""
        *_, state = self.states(base, fired)
        return [id for id, _ in state.values()]
