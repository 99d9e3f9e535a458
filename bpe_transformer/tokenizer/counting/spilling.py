"""The tables of a counter: in memory, or as sorted runs in a temporary file; with weights, to counts or straight to a file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import ConfigError, CorpusError, LearningError
from bpe_transformer.io import text_files as sources
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.counts import CountSource, PretokenCounts
from bpe_transformer.tokenizer.counting.weights import Weight, fraction, temperature_weights
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

PathLike = str | os.PathLike[str]

_LEAST_MEMORY = 4 << 20
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Tables:
    """What a `PretokenCounter` has counted, and what becomes of it."""

    def __init__(
        self,
        pattern: str | Pretokenizer,
        num_threads: int,
        max_memory: int | str | None,
        spill_dir: PathLike | None,
    ) -> None:
        self.pretokenizer = Pretokenizer.of(pattern)
        self.max_memory = None if max_memory is None else parse_size(max_memory)
        self.sources: list[CountSource] = []
        self._block = sources.BLOCK_BYTES
        self._runs: _core.Runs | None = None
        tables = 0
        if self.max_memory is not None:
            self._block = min(self._block, max(1 << 18, self.max_memory // 32))
            tables = self.max_memory - min(5 * self._block, self.max_memory // 2)
            self._file = tempfile.TemporaryFile(dir=spill_dir, prefix="bpe-transformer-")  # noqa: SIM115
            self._runs = _core.Runs(self._file.fileno())
        self._native = _core.Counting(num_threads, self._runs, tables)
        self._parts: list[_Part] = []  # before the one being counted
        self.ended = False
        self._dropped, self._saturated = (0, 0), False  # by those who made the counts that were added

    @property
    def num_documents(self) -> int:
        return self._native.documents

    @property
    def num_bytes(self) -> int:
        """UTF-8 of the documents, normalised where the pre-tokenization does that."""
        return self._native.bytes

    @property
    def spilled_bytes(self) -> int:
        """How much went to the temporary file."""
        return 0 if self._runs is None else self._runs.bytes

    @property
    def num_parts(self) -> int:
        """How many parts there are, with the one being counted."""
        return len(self._parts) + (not self.ended)

    def next_part(self) -> None:
        """What comes from here on has a weight of its own in `counts` and `save`."""
        self._end_part(last=False)

    def counts(
        self, weights: Sequence[Weight] | None = None, *, temperature: float | None = None, min_count: int = 1
    ) -> PretokenCounts:
        """All that was counted, which has to fit in memory. The counter is then done.

        Args:
            weights: one for each part (see `next_part`), as in `PretokenCounts.__mul__`.
            temperature: weights from the sizes of the parts instead, see `PretokenCounts.mix`.
            min_count: words that occur less often, weighted, are left out and reported.

        Raises `CorpusError` if the words need more than `max_memory`.
        """
        chosen = self._weights(weights, temperature)
        if all(part.words is not None for part in self._parts):
            return self._from_tables(chosen, min_count)
        native, words = _core.WordCounts(), self._merged(chosen)
        for chunk, numbers in counts_file.portions(words, min_count):
            native.add_words([chunk], numbers, 1)
            if self.max_memory is not None and native.memory > self.max_memory:
                raise CorpusError(
                    f"the words do not fit max_memory={self.max_memory:,} bytes: {len(native):,} distinct ones so far; "
                    "write them to a file (bpe-transformer count), allow more, or leave out rare ones "
                    f"(min_count, now {min_count})"
                )
        return self._with_facts(native, *words.dropped)

    def save(
        self,
        path: PathLike,
        weights: Sequence[Weight] | None = None,
        *,
        temperature: float | None = None,
        min_count: int = 1,
    ) -> dict[str, Any]:
        """Writes all that was counted as `PretokenCounts.save` does, without ever having all words in memory.

        The counter is then done. Returns the facts. Raises `OSError` when there is no room.
        """
        chosen = self._weights(weights, temperature)
        if all(part.words is not None for part in self._parts):
            return self._from_tables(chosen, min_count).save(path)
        words, saturated = self._merged(chosen), False

        def watched() -> Iterator[counts_file.Columns]:
            nonlocal saturated
            for columns in counts_file.portions(words, min_count):
                saturated |= bool((columns[1] == 2**64 - 1).any())
                yield columns

        def facts() -> dict[str, Any]:
            return self._with_facts(_core.WordCounts(), *words.dropped, saturated=saturated).facts()

        return counts_file.write(path, watched(), facts)

    def _end_part(self, *, last: bool) -> None:
        if self.ended:
            raise LearningError("the counter is done; begin a new one")
        self.ended = last
        if self._runs is None:
            self._parts.append(_Part(len(self.sources), self._native.gather()))
            return
        first = self._parts[-1].runs[1] if self._parts else 0
        words = None
        if last and len(self._runs) == 0:  # it may all fit
            words = self._native.gather()
            if len(self._runs):
                self._runs.write(words)
                words = None
        self._native.spill()
        self._parts.append(_Part(len(self.sources), words, (first, len(self._runs))))

    def _weights(self, weights: Sequence[Weight] | None, temperature: float | None) -> list[Fraction]:
        """One for each part; also ends the last part and writes the weights into the sources."""
        if weights is not None and temperature is not None:
            raise ConfigError("weights and a temperature contradict each other; give one of them")
        self._end_part(last=True)
        if temperature is not None:
            chosen = temperature_weights([self._total(part) for part in self._parts], temperature)
        else:
            chosen = [fraction(weight) for weight in weights or [1] * len(self._parts)]
        if len(chosen) != len(self._parts):
            raise ConfigError(f"{len(chosen)} weights for {len(self._parts)} parts; give one for each")
        start = 0
        for part, weight in zip(self._parts, chosen, strict=True):
            for i in range(start, part.end):
                self.sources[i] = replace(self.sources[i], weight=self.sources[i].weight * float(weight))
            start = part.end
        return chosen

    def _total(self, part: _Part) -> int:
        return part.words.total if part.words is not None else self._runs.total(*part.runs)  # type: ignore[union-attr]

    def _from_tables(self, weights: Sequence[Fraction], min_count: int) -> PretokenCounts:
        native, dropped, saturated = _core.WordCounts(), [0, 0], False
        for i, (part, weight) in enumerate(zip(self._parts, weights, strict=True)):
            assert part.words is not None
            words, saturated = part.words, saturated or part.words.saturated
            if weight != 1:
                words, *lost = words.weighted(weight.numerator, weight.denominator, 1)
                dropped = [dropped[0] + lost[0], dropped[1] + lost[1]]
            if i == 0:
                native = words
            else:
                native.merge(words)
        return self._with_facts(native, *dropped, saturated=saturated).at_least(min_count)

    def _merged(self, weights: Sequence[Fraction]) -> _core.SortedWords:
        assert self._runs is not None
        groups = [
            (*part.runs, weight.numerator, weight.denominator)
            for part, weight in zip(self._parts, weights, strict=True)
        ]
        return self._runs.merged(groups, (self.max_memory or 0) // 4)

    def _with_facts(
        self, native: _core.WordCounts, dropped: int = 0, dropped_occurrences: int = 0, *, saturated: bool = False
    ) -> PretokenCounts:
        return PretokenCounts(
            native,
            pretokenizer=self.pretokenizer,
            num_documents=self.num_documents,
            num_bytes=self.num_bytes,
            sources=tuple(self.sources),
            dropped=(self._dropped[0] + dropped, self._dropped[1] + dropped_occurrences),
            saturated=saturated or self._saturated,
        )


@dataclass(frozen=True)
class _Part:
    """What shares a weight: a table, or else runs in the file. `end` is how many sources there were at its end."""

    end: int
    words: _core.WordCounts | None = None
    runs: tuple[int, int] = (0, 0)


def parse_size(size: int | str) -> int:
    """Bytes, from a number or a text such as "2GB" (10^9) or "512MiB" (2^20). Raises `ConfigError`.

    >>> parse_size("1.5 GB")
    1500000000
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(size).lower())
    if found is None:
        raise ConfigError(f'max_memory={size!r} is no amount of memory; write bytes, or "500MB", "2GB", "1GiB"')
    amount = int(Fraction(found[1]) * _UNITS[found[2] or ""])
    if amount < _LEAST_MEMORY:
        raise ConfigError(f"max_memory={size} is too little to count in; allow at least 4 MiB")
    return amount
