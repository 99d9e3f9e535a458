"""`PretokenCounts`: mergeable pre-token counts, the result of the first stage of learning and the input of the second."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bpe_transformer import _core
from bpe_transformer.errors import ConfigError, CorpusError, FormatError, LearningError
from bpe_transformer.io.utf8 import DEFAULT_ERRORS, Errors, encode_utf8
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.count_sources import Progress, count_dataset, count_files, count_texts
from bpe_transformer.tokenizer.counting.facts import CountFacts, CountSource
from bpe_transformer.tokenizer.counting.spilling import drop_rare
from bpe_transformer.tokenizer.counting.weights import Weight, fraction, temperature_weights
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    import datasets

PathLike = str | os.PathLike[str]


class PretokenCounts:
    """How often each distinct pre-token occurs in a corpus, how the texts were split, and where they came from.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2})
    >>> len(counts), counts.total
    (2, 7)

    Counts that were split the same way add up with `+` and are weighted with `*`; see `mix`, `save` and `load` as well. Does
    not keep the texts, their order or their boundaries.
    """

    def __init__(self, native: _core.WordCounts, facts: CountFacts) -> None:
        self._native = native
        self.count_facts = facts

    @classmethod
    def from_files(
        cls,
        paths: PathLike | Sequence[PathLike],
        pattern: str | Pretokenizer = DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        documents: str = "file",
        columns: Sequence[str] | None = None,
        errors: Errors = DEFAULT_ERRORS,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
    ) -> PretokenCounts:
        """Counts files as they are read. `progress(bytes_done, bytes_total)` is called on the way, with sizes of files.

        Text, .jsonl, .csv, .tsv and .parquet, also compressed as .gz or .zst; see `PretokenCounter.add_file` for `documents`,
        `columns`, `errors` and what is raised, and `PretokenCounter` for `max_memory`.
        """
        return cls(
            *count_files(
                paths,
                pattern,
                num_threads,
                documents=documents,
                columns=columns,
                errors=errors,
                max_memory=max_memory,
                progress=progress,
            )
        )

    @classmethod
    def from_iterator(
        cls,
        texts: Iterable[str],
        pattern: str | Pretokenizer = DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        max_memory: int | str | None = None,
    ) -> PretokenCounts:
        """Counts texts, each a document: no pre-token spans two of them."""
        return cls(*count_texts(texts, pattern, num_threads, max_memory=max_memory))

    @classmethod
    def from_dataset(
        cls,
        dataset: datasets.Dataset | datasets.IterableDataset,
        columns: Sequence[str] | None = None,
        pattern: str | Pretokenizer = DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        max_memory: int | str | None = None,
    ) -> PretokenCounts:
        """Counts columns of a `datasets` object, None for all that hold text; each value is a document."""
        return cls(*count_dataset(dataset, columns, pattern, num_threads, max_memory=max_memory))

    @classmethod
    def from_words(cls, words: Mapping[str, int], pattern: str | Pretokenizer = "whitespace") -> PretokenCounts:
        """Takes counts as given, one entry a pre-token; `pattern` is what the learned tokenizer will split with.

        Raises `CorpusError` for a count that is not a positive 64-bit integer.
        """
        native = _core.WordCounts()
        for word, count in words.items():
            if isinstance(count, bool) or not isinstance(count, int) or not 0 < count < 2**64:
                raise CorpusError(f"the count of {word!r} is {count!r}; counts are whole numbers from 1 to 2^64 - 1")
            if not word:
                raise CorpusError("a word is empty; leave it out")
            native.add(encode_utf8(word), count)
        return cls(native, CountFacts(pretokenizer=Pretokenizer.of(pattern)))

    @classmethod
    def from_word_list(cls, path: PathLike, pattern: str | Pretokenizer = "whitespace") -> PretokenCounts:
        """Takes counts from a text file with `word<TAB>count` lines, compressed or not; words that occur twice add up.

        Raises `CorpusError` with the line that has another form.
        """
        native = counts_file.read_word_list(path)
        source = CountSource(str(path), 0, 0)
        return cls(native, CountFacts(pretokenizer=Pretokenizer.of(pattern), sources=(source,)))

    @classmethod
    def load(cls, path: PathLike, *, min_count: int = 1) -> PretokenCounts:
        """Counts that `save` wrote; words that occur less often than `min_count` are dropped and reported.

        Raises `CorpusError` for a missing file and `FormatError` for one of another kind, cut off or damaged.
        """
        facts, columns = counts_file.read(path)
        native = _core.WordCounts()
        if min_count == 1:
            native.reserve(facts["words"])
        dropped_words = dropped_occurrences = 0
        for chunk, counts in columns:
            words, occurrences = native.add_words([chunk], counts, min_count)
            dropped_words, dropped_occurrences = dropped_words + words, dropped_occurrences + occurrences
        if min_count == 1 and (len(native), native.total) != (facts["words"], facts["total"]):
            raise FormatError(
                f"{path} should hold {facts['words']:,} words, {facts['total']:,} in all, and holds {len(native):,}, "
                f"{native.total:,} in all; it is damaged, count anew"
            )
        return cls(native, CountFacts.from_json(facts).with_dropped(dropped_words, dropped_occurrences))

    @classmethod
    def facts_of(cls, path: PathLike) -> PretokenCounts:
        """The counts in a file without their words: pattern, sizes and sources. Raises as `load` does."""
        return cls(_core.WordCounts(), CountFacts.from_json(counts_file.read(path)[0]))

    def save(self, path: PathLike) -> dict[str, Any]:
        """Writes a Parquet file with the columns `word` (its bytes, sorted) and `count`, and the facts as metadata.

        The same counts give the same rows, in whatever order they were counted. An older file at `path` is replaced only when
        the new one is complete; raises `OSError` when there is no room for it. Returns the facts.
        """
        return counts_file.write(path, counts_file.sorted_columns(self._native), self.facts)

    @classmethod
    def mix(
        cls,
        corpora: Sequence[PretokenCounts],
        *,
        temperature: float | None = None,
        weights: Sequence[Weight] | None = None,
    ) -> PretokenCounts:
        """The sum of corpora, each with a weight, or with weights from a temperature: 1 keeps their sizes, higher evens them out.

        Sizes are occurrences (`total`); see `weights.temperature_weights` for the formula and its sources. The weights
        are in `sources`.

        >>> large, small = PretokenCounts.from_words({"low": 800}), PretokenCounts.from_words({"new": 200})
        >>> dict(PretokenCounts.mix([large, small], temperature=2).items())
        {b'low': 800, b'new': 400}
        """
        if not corpora:
            raise LearningError("there are no counts to mix; give at least one")
        if (temperature is None) == (weights is None):
            raise ConfigError("give either a temperature or weights")
        if temperature is not None:
            weights = temperature_weights([counts.total for counts in corpora], temperature)
        if weights is None or len(weights) != len(corpora):
            raise ConfigError(f"{len(weights or ())} weights for {len(corpora)} counts; give one for each")
        mixed = corpora[0] * weights[0]
        for counts, weight in zip(corpora[1:], weights[1:], strict=True):
            mixed = mixed + counts * weight
        return mixed

    @property
    def pretokenizer(self) -> Pretokenizer:
        """How the texts were split."""
        return self.count_facts.pretokenizer

    @property
    def num_documents(self) -> int:
        """Documents that were counted."""
        return self.count_facts.num_documents

    @property
    def num_bytes(self) -> int:
        """Bytes of UTF-8 that were counted, after normalisation if there was any."""
        return self.count_facts.num_bytes

    @property
    def sources(self) -> tuple[CountSource, ...]:
        """The files, datasets and texts that were counted."""
        return self.count_facts.sources

    @property
    def dropped_words(self) -> int:
        """Distinct words that were too rare for a `min_count` or whose weighted count was 0."""
        return self.count_facts.dropped_words

    @property
    def dropped_occurrences(self) -> int:
        """How often the dropped words occurred, unweighted."""
        return self.count_facts.dropped_occurrences

    @property
    def unicode(self) -> str:
        """The versions of the character classes and normalisation that the split depends on; "" if not split here."""
        return self.count_facts.unicode

    @property
    def pattern(self) -> str:
        """The split pattern, by name if it has one."""
        return self.pretokenizer.pattern

    def __len__(self) -> int:
        """Distinct pre-tokens."""
        return len(self._native)

    @property
    def total(self) -> int:
        """All occurrences. Stops at 2^64 - 1, see `saturated`."""
        return self._native.total

    @property
    def saturated(self) -> bool:
        """Whether a count reached 2^64 - 1 and stayed there, here or before a weight: it is then a lower bound."""
        return self.count_facts.saturated or self._native.saturated

    @property
    def partial(self) -> bool:
        """Whether counting was cut short."""
        return not all(source.complete for source in self.sources)

    @property
    def learning_memory(self) -> int:
        """About how many bytes of memory learning a byte vocabulary of some ten thousand tokens from these takes at least.

        Measured: 12 to 14 bytes for each byte of the distinct words and each word, on top of the counts themselves.
        """
        return self._native.memory + 14 * (self._native.word_bytes + len(self))

    def items(self) -> Iterator[tuple[bytes, int]]:
        """(pre-token, count), most frequent first, then by bytes."""
        return iter(self._native.items())

    def __add__(self, other: PretokenCounts) -> PretokenCounts:
        """The counts of both corpora. Raises `LearningError` if they were split differently."""
        if not isinstance(other, PretokenCounts):
            return NotImplemented
        facts = self._facts_now() + other._facts_now()
        native = _core.WordCounts()
        native.merge(self._native)
        native.merge(other._native)
        return PretokenCounts(native, facts)

    def __mul__(self, weight: Weight) -> PretokenCounts:
        """Every count times a weight above 0, exactly, rounded half up. A float is the decimal number it prints as.

        A word whose count rounds to 0 is dropped; `dropped_words` and `dropped_occurrences` (unweighted) say how many.

        >>> half = PretokenCounts.from_words({"low": 5, "lower": 1, "lowest": 2}) * 0.3
        >>> dict(half.items()), half.dropped_words
        ({b'low': 2, b'lowest': 1}, 1)
        """
        if not isinstance(weight, (int, float, Fraction)):
            return NotImplemented
        exact = fraction(weight)
        weighted, *dropped = self._native.weighted(exact.numerator, exact.denominator, 1)
        sources = tuple(replace(source, weight=source.weight * float(exact)) for source in self.sources)
        return PretokenCounts(weighted, replace(self._facts_now().with_dropped(*dropped), sources=sources))

    __rmul__ = __mul__

    def at_least(self, min_count: int) -> PretokenCounts:
        """Without the words that occur less often; `dropped_words` and `dropped_occurrences` say how many."""
        return self if min_count == 1 else PretokenCounts(*drop_rare(self._native, self._facts_now(), min_count))

    def facts(self) -> dict[str, Any]:
        """All but the words, as JSON values; what a file of counts holds besides them."""
        return self._facts_now().to_json()

    def _facts_now(self) -> CountFacts:
        """The facts, also of what happened to the words since they were counted."""
        return self.count_facts.with_saturated(self._native.saturated)

    def __repr__(self) -> str:
        return f"PretokenCounts({len(self)} distinct, {self.total} in all, pattern={str(self.pretokenizer)!r})"
