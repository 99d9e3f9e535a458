"""The word tables of a counter: in memory, or spilled to a temporary file as sorted runs when they grow too large."""

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
from bpe_transformer.io.byte_files import BLOCK_BYTES
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.facts import CountFacts, CountSource, unicode_versions
from bpe_transformer.tokenizer.counting.weights import Weight, fraction, temperature_weights
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

PathLike = str | os.PathLike[str]
Counted = tuple[_core.WordCounts, CountFacts]

_LEAST_MEMORY = 4 << 20
MAX_WORD_BYTES = 16 << 20
_WORDS_IN_MEMORY = (
    8  # of the longest size, for which `max_memory` has room: a word is copied several times while it is counted
)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class WordTables:
    """The words counted so far, in groups that each have a weight; collected in memory or saved to a file at the end."""

    def __init__(
        self,
        pattern: str | Pretokenizer,
        num_threads: int,
        max_memory: int | str | None,
        spill_dir: PathLike | None,
        max_word_bytes: int | str = MAX_WORD_BYTES,
    ) -> None:
        self.pretokenizer = Pretokenizer.of(pattern)
        self.max_memory = None if max_memory is None else parse_size(max_memory)
        self.max_word_bytes = parse_size(max_word_bytes, "max_word_bytes", least=1)
        self._longest_word = self.max_word_bytes
        if self.max_memory is not None:
            self._longest_word = min(self._longest_word, self.max_memory // _WORDS_IN_MEMORY)
        self.sources: list[CountSource] = []
        self.is_finished = False
        self._block = BLOCK_BYTES
        self._runs: _core.SortedRuns | None = None
        table_bytes = 0
        if self.max_memory is not None:
            self._block = min(self._block, max(1 << 18, self.max_memory // 32))
            table_bytes = self.max_memory - min(5 * self._block, self.max_memory // 2)
            self._file = tempfile.TemporaryFile(dir=spill_dir, prefix="bpe-transformer-")  # noqa: SIM115
            self._runs = _core.SortedRuns(self._file.fileno())
        normalizer = self.pretokenizer.native_normalizer
        self._native = _core.ParallelCounter(num_threads, self._runs, table_bytes, self._longest_word, normalizer)
        self._groups: list[_Group] = []  # finished groups, without the one being counted
        self._dropped_before, self._saturated_before = (0, 0), False  # of counts that were added

    @property
    def num_documents(self) -> int:
        """Documents counted so far."""
        return self._native.documents

    @property
    def num_bytes(self) -> int:
        """Bytes of UTF-8 in these documents, after normalisation if there is any."""
        return self._native.bytes

    @property
    def spilled_bytes(self) -> int:
        """How many bytes went to the temporary file."""
        return 0 if self._runs is None else self._runs.bytes

    @property
    def num_groups(self) -> int:
        """The number of groups, with the one being counted."""
        return len(self._groups) + (not self.is_finished)

    @property
    def facts(self) -> CountFacts:
        """The facts of all that was counted so far."""
        return CountFacts(
            pretokenizer=self.pretokenizer,
            num_documents=self.num_documents,
            num_bytes=self.num_bytes,
            sources=tuple(self.sources),
            dropped_words=self._dropped_before[0],
            dropped_occurrences=self._dropped_before[1],
            saturated=self._saturated_before,
            unicode=unicode_versions(self.pretokenizer),
        )

    def word_too_long(self, place: str) -> CorpusError:
        """The error for a pre-token that is longer than allowed, or a stretch of that length that cannot be split."""
        limit = f"{self._longest_word:,} bytes"
        remedy = f"allow longer ones with max_word_bytes={_doubled(self._longest_word)}"
        if self._longest_word < self.max_word_bytes:
            limit += f", an eighth of max_memory={self.max_memory}"
            remedy = "allow more memory"
        return CorpusError(
            f"{place}: the pre-token there is longer than {limit}; {remedy}, or choose a pattern that splits it, or cut it up"
        )

    def start_group(self) -> None:
        """Starts a group: what is counted from here on has a separate weight in `counts` and `save`."""
        self._end_group(is_last=False)

    def collect(
        self, weights: Sequence[Weight] | None = None, *, temperature: float | None = None, min_count: int = 1
    ) -> Counted:
        """The words and facts of all that was counted. The counter is then finished. Raises as `PretokenCounter.counts`."""
        chosen = self._weigh(weights, temperature)
        if all(group.words is not None for group in self._groups):
            return self._collect_tables(chosen, min_count)
        native, words = _core.WordCounts(), self._merged_runs(chosen)
        for chunk, numbers in counts_file.portions(words, min_count):
            native.add_words([chunk], numbers, 1)
            if self.max_memory is not None and native.memory > self.max_memory:
                raise CorpusError(
                    f"the words do not fit max_memory={self.max_memory:,} bytes: {len(native):,} distinct ones so far; "
                    "write them to a file (bpe-transformer count), allow more, or leave out rare ones "
                    f"(min_count, now {min_count})"
                )
        return native, self.facts.with_dropped(*words.dropped)

    def save(
        self,
        path: PathLike,
        weights: Sequence[Weight] | None = None,
        *,
        temperature: float | None = None,
        min_count: int = 1,
    ) -> dict[str, Any]:
        """Writes all that was counted as `PretokenCounts.save` does, without ever having all words in memory.

        The counter is then finished. Returns the facts. Raises `OSError` when there is no room.
        """
        chosen = self._weigh(weights, temperature)
        if all(group.words is not None for group in self._groups):
            native, facts = self._collect_tables(chosen, min_count)
            return counts_file.write(path, counts_file.sorted_columns(native), facts.to_json)
        words, saturated = self._merged_runs(chosen), False

        def columns_of_runs() -> Iterator[counts_file.Columns]:
            nonlocal saturated
            for columns in counts_file.portions(words, min_count):
                saturated |= bool((columns[1] == 2**64 - 1).any())
                yield columns

        def facts_of_runs() -> dict[str, Any]:
            return self.facts.with_dropped(*words.dropped).with_saturated(saturated).to_json()

        return counts_file.write(path, columns_of_runs(), facts_of_runs)

    def _end_group(self, *, is_last: bool) -> None:
        if self.is_finished:
            raise LearningError("the counter is finished; begin a new one")
        self.is_finished = is_last
        if self._runs is None:
            self._groups.append(_Group(len(self.sources), self._native.take()))
            return
        first = self._groups[-1].runs[1] if self._groups else 0
        words = None
        if is_last and len(self._runs) == 0:  # it may all fit
            words = self._native.take()
            if len(self._runs):
                self._runs.write(words)
                words = None
        self._native.spill()
        self._groups.append(_Group(len(self.sources), words, (first, len(self._runs))))

    def _weigh(self, weights: Sequence[Weight] | None, temperature: float | None) -> list[Fraction]:
        """The weight of each group. Also ends the last group and writes the weights into the sources."""
        if weights is not None and temperature is not None:
            raise ConfigError("weights and a temperature contradict each other; give one of them")
        self._end_group(is_last=True)
        if temperature is not None:
            chosen = temperature_weights([self._total(group) for group in self._groups], temperature)
        else:
            chosen = [fraction(weight) for weight in weights or [1] * len(self._groups)]
        if len(chosen) != len(self._groups):
            raise ConfigError(f"{len(chosen)} weights for {len(self._groups)} groups of sources; give one for each")
        start = 0
        for group, weight in zip(self._groups, chosen, strict=True):
            for i in range(start, group.num_sources):
                self.sources[i] = replace(self.sources[i], weight=self.sources[i].weight * float(weight))
            start = group.num_sources
        return chosen

    def _total(self, group: _Group) -> int:
        return group.words.total if group.words is not None else self._runs.total(*group.runs)  # type: ignore[union-attr]

    def _collect_tables(self, weights: Sequence[Fraction], min_count: int) -> Counted:
        """The words of groups that all are in memory."""
        collected, facts = _core.WordCounts(), self.facts
        for i, (group, weight) in enumerate(zip(self._groups, weights, strict=True)):
            assert group.words is not None
            words = group.words
            facts = facts.with_saturated(words.saturated)
            if weight != 1:
                words, *dropped = words.weighted(weight.numerator, weight.denominator, 1)
                facts = facts.with_dropped(*dropped)
            if i == 0:
                collected = words
            else:
                collected.merge(words)
        return drop_rare(collected, facts.with_saturated(collected.saturated), min_count)

    def _merged_runs(self, weights: Sequence[Fraction]) -> _core.SortedWords:
        assert self._runs is not None
        groups = [
            (*group.runs, weight.numerator, weight.denominator)
            for group, weight in zip(self._groups, weights, strict=True)
        ]
        return self._runs.merged(groups, (self.max_memory or 0) // 4)


@dataclass(frozen=True)
class _Group:
    """Words that share a weight: a table, or else a range of runs in the file.

    `num_sources` is how many sources there were when the group ended.
    """

    num_sources: int
    words: _core.WordCounts | None = None
    runs: tuple[int, int] = (0, 0)


def drop_rare(words: _core.WordCounts, facts: CountFacts, min_count: int) -> Counted:
    """Words and facts without the words that occur less often than `min_count`."""
    if min_count < 1:
        raise ConfigError(f"min_count={min_count}; ask for at least 1")
    if min_count == 1:
        return words, facts
    kept, *dropped = words.weighted(1, 1, min_count)
    return kept, facts.with_dropped(*dropped)


def _doubled(size: int) -> str:
    return f"{2 * size >> 20}MiB" if size >= 1 << 20 else str(2 * size)


def parse_size(size: int | str, name: str = "max_memory", least: int = _LEAST_MEMORY) -> int:
    """Bytes, from a number or a text such as "2GB" (10^9) or "512MiB" (2^20). Raises `ConfigError`.

    >>> parse_size("1.5 GB")
    1500000000
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(size).lower())
    if found is None:
        raise ConfigError(f'{name}={size!r} is not an amount of memory; write bytes, or "500MB", "2GB", "1GiB"')
    amount = int(Fraction(found[1]) * _UNITS[found[2] or ""])
    if amount < least:
        allowed = f"{least >> 20} MiB" if least >> 20 else f"{least} byte"
        raise ConfigError(f"{name}={size} is too little to count in; allow at least {allowed}")
    return amount
