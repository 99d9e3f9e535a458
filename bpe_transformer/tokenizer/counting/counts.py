"""Mergeable pre-token counts: the first of the two stages of learning, and all that the second needs to know."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpe_transformer import _core
from bpe_transformer.errors import ConfigError, CorpusError, FormatError, LearningError
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.weights import Weight, fraction, temperature_weights
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.io.text_files import Errors

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CountSource:
    """What was counted: a file as it was named, a dataset, texts.

    `missing` values were null, and U+FFFD was put in at `replaced` places. `complete` is False if counting was cut short; of
    a text file, `stopped_at` is then the byte up to which it was counted: the rest of it adds up to the same as all at once.
    """

    name: str
    num_documents: int
    num_bytes: int
    missing: int = 0
    replaced: int = 0
    weight: float = 1.0
    complete: bool = True
    stopped_at: int | None = None


class PretokenCounts:
    """How often each distinct pre-token occurs in a corpus, with how the texts were split, and where they came from.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2})
    >>> len(counts), counts.total
    (2, 7)

    Counts that were split alike add up with `+` and are weighted with `*`; see `mix`, `save` and `load` as well. Does not
    keep the texts, their order or their borders.
    """

    def __init__(
        self,
        native: _core.WordCounts,
        *,
        pretokenizer: Pretokenizer,
        num_documents: int = 0,
        num_bytes: int = 0,
        sources: tuple[CountSource, ...] = (),
        dropped: tuple[int, int] = (0, 0),
        saturated: bool = False,
        unicode: str | None = None,
    ) -> None:
        self._native = native
        self.pretokenizer = pretokenizer
        self.num_documents = num_documents
        self.num_bytes = num_bytes
        self.sources = sources
        self.dropped_words, self.dropped_occurrences = dropped
        self.unicode = _unicode(pretokenizer) if unicode is None else unicode
        self._saturated = saturated

    @classmethod
    def from_files(
        cls,
        paths: PathLike | Sequence[PathLike],
        pattern: str | Pretokenizer = patterns.DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        documents: str = "file",
        columns: Sequence[str] | None = None,
        errors: Errors = "strict",
        max_memory: int | str | None = None,
        progress: Progress | None = None,
    ) -> PretokenCounts:
        """Counts files as they stream by. `progress(bytes_done, bytes_total)` is called on the way, with sizes of files.

        Text, .jsonl, .csv, .tsv and .parquet, also packed as .gz or .zst; see `PretokenCounter.add_file` for `documents`,
        `columns`, `errors` and what is raised, and `PretokenCounter` for `max_memory`.
        """
        from bpe_transformer.tokenizer.counting.counter import PretokenCounter

        files = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(path) for path in paths]
        for file in files:
            if not file.is_file():
                raise CorpusError(f"{file} is not a file; check the path")
        counter = PretokenCounter(pattern, num_threads, max_memory=max_memory)
        sizes = [file.stat().st_size for file in files]
        total, start = sum(sizes), 0
        for file, size in zip(files, sizes, strict=True):
            report = None if progress is None else lambda done, start=start: progress(start + done, total)
            counter.add_file(file, documents=documents, columns=columns, errors=errors, report=report)
            start += size
            if progress:
                progress(start, total)
        return counter.counts()

    @classmethod
    def from_iterator(
        cls,
        texts: Iterable[str],
        pattern: str | Pretokenizer = patterns.DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        max_memory: int | str | None = None,
    ) -> PretokenCounts:
        """Counts texts, each a document of its own: no pre-token runs from one into the next."""
        from bpe_transformer.tokenizer.counting.counter import PretokenCounter

        counter = PretokenCounter(pattern, num_threads, max_memory=max_memory)
        counter.add_texts(texts)
        return counter.counts()

    @classmethod
    def from_dataset(
        cls,
        dataset: datasets.Dataset | datasets.IterableDataset,
        columns: Sequence[str] | None = None,
        pattern: str | Pretokenizer = patterns.DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        max_memory: int | str | None = None,
    ) -> PretokenCounts:
        """Counts columns of a `datasets` object, None for all that hold text; each value is a document."""
        from bpe_transformer.tokenizer.counting.counter import PretokenCounter

        counter = PretokenCounter(pattern, num_threads, max_memory=max_memory)
        counter.add_dataset(dataset, columns)
        return counter.counts()

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
            native.add(utf8(word), count)
        return cls(native, pretokenizer=Pretokenizer.of(pattern), unicode="")

    @classmethod
    def from_word_list(cls, path: PathLike, pattern: str | Pretokenizer = "whitespace") -> PretokenCounts:
        """Takes counts from a text file with `word<TAB>count` lines, packed or not; words that come twice add up.

        Raises `CorpusError` with the line that is not of this kind.
        """
        native = counts_file.read_word_list(path)
        source = CountSource(str(path), 0, 0)
        return cls(native, pretokenizer=Pretokenizer.of(pattern), unicode="", sources=(source,))

    @classmethod
    def load(cls, path: PathLike, *, min_count: int = 1) -> PretokenCounts:
        """Counts that `save` wrote; words with less than `min_count` are left out and reported.

        Raises `CorpusError` for a missing file and `FormatError` for one of another kind, cut off or damaged.
        """
        facts, columns = counts_file.read(path)
        native = _core.WordCounts()
        if min_count == 1:
            native.reserve(facts["words"])
        words = occurrences = 0
        for chunk, counts in columns:
            lost = native.add_words([chunk], counts, min_count)
            words, occurrences = words + lost[0], occurrences + lost[1]
        loaded = cls.from_facts(native, facts)
        if min_count == 1 and (len(loaded), loaded.total) != (facts["words"], facts["total"]):
            raise FormatError(
                f"{path} should hold {facts['words']:,} words, {facts['total']:,} in all, and holds {len(loaded):,}, "
                f"{loaded.total:,} in all; it is damaged, count anew"
            )
        loaded.dropped_words += words
        loaded.dropped_occurrences += occurrences
        return loaded

    @classmethod
    def facts_of(cls, path: PathLike) -> PretokenCounts:
        """The same without the words: what `load` would say of pattern and sources. Raises as it does."""
        return cls.from_facts(_core.WordCounts(), counts_file.read(path)[0])

    def save(self, path: PathLike) -> dict[str, Any]:
        """Writes a Parquet file with the columns `word` (its bytes, sorted) and `count`, and the facts as metadata.

        The same counts give the same rows, whatever the order they were counted in. What was at `path` stays whole until the
        new file is; raises `OSError` when there is no room for it. Returns the facts.
        """
        return counts_file.write(path, counts_file.sorted_columns(self._native), self.facts)

    @classmethod
    def mix(
        cls,
        parts: Sequence[PretokenCounts],
        *,
        temperature: float | None = None,
        weights: Sequence[Weight] | None = None,
    ) -> PretokenCounts:
        """Adds corpora up, each with a weight, or with those of a temperature: 1 keeps their sizes, higher evens them out.

        Sizes are occurrences (`total`); see `weights.temperature_weights` for the formula and its sources. `sources` tell
        the weights.

        >>> large, small = PretokenCounts.from_words({"low": 800}), PretokenCounts.from_words({"new": 200})
        >>> dict(PretokenCounts.mix([large, small], temperature=2).items())
        {b'low': 800, b'new': 400}
        """
        if not parts:
            raise LearningError("there are no counts to mix; give at least one")
        if (temperature is None) == (weights is None):
            raise ConfigError("give either a temperature or weights")
        if temperature is not None:
            weights = temperature_weights([part.total for part in parts], temperature)
        if weights is None or len(weights) != len(parts):
            raise ConfigError(f"{len(weights or ())} weights for {len(parts)} counts; give one for each")
        mixed = parts[0] * weights[0]
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            mixed = mixed + part * weight
        return mixed

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
        return self._saturated or self._native.saturated

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
        self.check_like(other)
        native = _core.WordCounts()
        native.merge(self._native)
        native.merge(other._native)
        return self._derived(
            native,
            num_documents=self.num_documents + other.num_documents,
            num_bytes=self.num_bytes + other.num_bytes,
            sources=self.sources + other.sources,
            dropped=(
                self.dropped_words + other.dropped_words,
                self.dropped_occurrences + other.dropped_occurrences,
            ),
            saturated=self.saturated or other.saturated,
            unicode=self.unicode or other.unicode,
        )

    def __mul__(self, weight: Weight) -> PretokenCounts:
        """Every count times a weight above 0, exactly, rounded half up. A float is the decimal number it prints as.

        A word whose count rounds to 0 is left out; `dropped_words` and `dropped_occurrences` (unweighted) tell how many.

        >>> half = PretokenCounts.from_words({"low": 5, "lower": 1, "lowest": 2}) * 0.3
        >>> dict(half.items()), half.dropped_words
        ({b'low': 2, b'lowest': 1}, 1)
        """
        if not isinstance(weight, (int, float, Fraction)):
            return NotImplemented
        exact = fraction(weight)
        weighted = self._without(*self._native.weighted(exact.numerator, exact.denominator, 1))
        weighted.sources = tuple(replace(source, weight=source.weight * float(exact)) for source in self.sources)
        return weighted

    __rmul__ = __mul__

    def at_least(self, min_count: int) -> PretokenCounts:
        """Without the words that occur less often; `dropped_words` and `dropped_occurrences` tell how many."""
        if min_count < 1:
            raise ConfigError(f"min_count={min_count}; ask for at least 1")
        return self if min_count == 1 else self._without(*self._native.weighted(1, 1, min_count))

    def check_like(self, other: PretokenCounts) -> None:
        """Raises `LearningError` unless both were split alike, so that they add up."""
        if self.pretokenizer != other.pretokenizer:
            raise LearningError(
                f"counts split with {str(self.pretokenizer)!r} and {str(other.pretokenizer)!r} do not add up; "
                "count both with one pattern"
            )
        if self.unicode and other.unicode and self.unicode != other.unicode:
            raise LearningError(
                f"counts split with the character classes of {self.unicode} and of {other.unicode} do not add up; "
                "count both with one version of bpe-transformer and Python"
            )

    def facts(self) -> dict[str, Any]:
        """All but the words, as JSON has it; what a file of counts carries."""
        return {
            "pretokenization": self.pretokenizer.facts(),
            "unicode": self.unicode,
            "num_documents": self.num_documents,
            "num_bytes": self.num_bytes,
            "sources": [asdict(source) for source in self.sources],
            "dropped_words": self.dropped_words,
            "dropped_occurrences": self.dropped_occurrences,
            "saturated": self.saturated,
            "partial": self.partial,
        }

    @classmethod
    def from_facts(cls, native: _core.WordCounts, facts: Mapping[str, Any]) -> PretokenCounts:
        """Words with what `facts` told. Raises `FormatError` if something is missing."""
        try:
            return cls(
                native,
                pretokenizer=Pretokenizer.from_facts(facts["pretokenization"]),
                num_documents=int(facts["num_documents"]),
                num_bytes=int(facts["num_bytes"]),
                sources=tuple(CountSource(**source) for source in facts["sources"]),
                dropped=(int(facts["dropped_words"]), int(facts["dropped_occurrences"])),
                saturated=bool(facts["saturated"]),
                unicode=str(facts["unicode"]),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise FormatError(f"the facts of these counts are not whole ({problem!r}); count anew") from problem

    def _without(self, native: _core.WordCounts, words: int, occurrences: int) -> PretokenCounts:
        dropped = (self.dropped_words + words, self.dropped_occurrences + occurrences)
        return self._derived(native, dropped=dropped)

    def _derived(self, native: _core.WordCounts, **changes: Any) -> PretokenCounts:
        kept = {name: getattr(self, name) for name in ("num_documents", "num_bytes", "sources", "saturated", "unicode")}
        kept["dropped"] = (self.dropped_words, self.dropped_occurrences)
        return PretokenCounts(native, pretokenizer=self.pretokenizer, **{**kept, **changes})

    def __repr__(self) -> str:
        return f"PretokenCounts({len(self)} distinct, {self.total} in all, pattern={str(self.pretokenizer)!r})"


def _unicode(split: Pretokenizer) -> str:
    """Whose character classes and normalisation a split depends on."""
    if split.normalized_scanner is None:
        import regex

        whose = f"regex {regex.__version__}"
    else:
        whose = _core.unicode_source
    return f"{whose}, unicodedata {unicodedata.unidata_version}" if split.normalization or split.rewriting else whose


def threads(num_threads: int | None) -> int:
    """The number of threads asked for, or one for each core this process may use."""
    if num_threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_threads < 1:
        raise LearningError(f"num_threads={num_threads}; ask for at least 1, or leave it out for all cores")
    return num_threads


def utf8(text: str) -> bytes:
    """The UTF-8 of a text. Raises `CorpusError` for a lone surrogate, which has none."""
    try:
        return text.encode()
    except UnicodeEncodeError as cause:
        raise CorpusError(
            f"character {cause.start} of a text is a lone surrogate, U+{ord(text[cause.start]):04X}, "
            "which UTF-8 cannot hold; replace it first"
        ) from cause
