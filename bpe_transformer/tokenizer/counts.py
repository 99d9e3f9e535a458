"""Mergeable pre-token counts: the first of the two stages of learning, and all that the second needs to know."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error, LearningError
from bpe_transformer.tokenizer import patterns
from bpe_transformer.tokenizer.pretokenization import PreTokenization

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int], None]

_FILE_STEP = 32 << 20  # bytes of a file between two reports of progress, and the wait after Ctrl-C
_BATCH = 1024  # texts counted at a time


class PretokenCounts:
    """How often each distinct pre-token occurs in a corpus, with the pattern that split it.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2})
    >>> len(counts), counts.total
    (2, 7)

    Counts of the same pattern add up with `+`. Does not keep the texts, their order or their borders.
    """

    def __init__(
        self, native: _core.WordCounts, *, pretokenization: PreTokenization, num_documents: int, num_bytes: int
    ) -> None:
        self._native = native
        self.pretokenization = pretokenization
        self.num_documents = num_documents
        self.num_bytes = num_bytes

    @classmethod
    def from_files(
        cls,
        paths: PathLike | Sequence[PathLike],
        pattern: str | PreTokenization = patterns.DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        errors: Literal["strict", "replace"] = "strict",
        progress: Progress | None = None,
    ) -> PretokenCounts:
        """Counts text files, each one document, read in place. `progress(bytes_done, bytes_total)` is called on the way.

        Raises `CorpusError` for a missing file, `InvalidUtf8Error` with file and byte position for bytes that are not
        UTF-8 unless `errors="replace"`, which counts U+FFFD for them, and `PatternError`.
        """
        files = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(path) for path in paths]
        for file in files:
            if not file.is_file():
                raise CorpusError(f"{file} is not a file; check the path")
        counter = _Counter(pattern, num_threads)
        total = sum(file.stat().st_size for file in files)
        for file in files:
            counter.add_file(file, errors, lambda done: progress(done, total) if progress else None)
        return counter.counts()

    @classmethod
    def from_iterator(
        cls,
        texts: Iterable[str],
        pattern: str | PreTokenization = patterns.DEFAULT_PATTERN,
        num_threads: int | None = None,
    ) -> PretokenCounts:
        """Counts texts, each a document of its own: no pre-token runs from one into the next."""
        counter = _Counter(pattern, num_threads)
        iterator = iter(texts)
        while batch := tuple(islice(iterator, _BATCH)):
            counter.add_texts(batch)
        return counter.counts()

    @classmethod
    def from_words(cls, words: Mapping[str, int], pattern: str | PreTokenization = "whitespace") -> PretokenCounts:
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
        return cls(native, pretokenization=PreTokenization.of(pattern), num_documents=0, num_bytes=0)

    @property
    def pattern(self) -> str:
        """The split pattern, by name if it has one."""
        return self.pretokenization.pattern

    def __len__(self) -> int:
        """Distinct pre-tokens."""
        return len(self._native)

    @property
    def total(self) -> int:
        """All occurrences. Stops at 2^64 - 1, see `saturated`."""
        return self._native.total

    @property
    def saturated(self) -> bool:
        """Whether a count reached 2^64 - 1 and stayed there: it is then a lower bound."""
        return self._native.saturated

    def items(self) -> Iterator[tuple[bytes, int]]:
        """(pre-token, count), most frequent first, then by bytes."""
        return iter(self._native.items())

    def __add__(self, other: PretokenCounts) -> PretokenCounts:
        """The counts of both corpora. Raises `LearningError` if they were split with different patterns."""
        if not isinstance(other, PretokenCounts):
            return NotImplemented
        if self.pretokenization != other.pretokenization:
            raise LearningError(
                f"counts split with {str(self.pretokenization)!r} and {str(other.pretokenization)!r} do not add up; "
                "count both with one pattern"
            )
        native = _core.WordCounts()
        native.merge(self._native)
        native.merge(other._native)
        return PretokenCounts(
            native,
            pretokenization=self.pretokenization,
            num_documents=self.num_documents + other.num_documents,
            num_bytes=self.num_bytes + other.num_bytes,
        )

    def __repr__(self) -> str:
        return f"PretokenCounts({len(self)} distinct, {self.total} in all, pattern={str(self.pretokenization)!r})"


class _Counter:
    """Counts on: keeps what has been seen so far."""

    def __init__(self, pattern: str | PreTokenization, num_threads: int | None) -> None:
        self.split = PreTokenization.of(pattern)
        self.scanner = self.split.scanner
        self.num_threads = threads(num_threads)
        self.native = _core.WordCounts()
        self.num_documents = 0
        self.num_bytes = 0

    def add_texts(self, texts: tuple[str, ...]) -> None:
        self.num_documents += len(texts)
        for text in texts:
            if not isinstance(text, str):
                raise CorpusError(f"a text is {type(text).__name__}, not str; decode or convert it first")
            self.num_bytes += len(text) if text.isascii() else len(utf8(text))
        if self.scanner is not None:
            self.native.count_texts(self.scanner, texts, self.num_threads)
        elif self.split.pattern_scanner is not None:
            spans = [span for text in texts for span in self.split.spans(self.split.normalize(text))]
            self.native.add_pieces([span for span, protected in spans if protected])
            plain = tuple(span for span, protected in spans if not protected)
            self.native.count_texts(self.split.pattern_scanner, plain, self.num_threads)
        else:
            for text in texts:
                self.native.add_pieces(list(self.split.split(self.split.normalize(text))))

    def add_file(self, file: Path, errors: str, report: Callable[[int], None]) -> None:
        if file.stat().st_size == 0:  # an empty file cannot be mapped
            self.num_documents += 1
            return
        before = self.num_bytes
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = len(data)
            valid = _core.valid_prefix(data, 0, size)
            if valid < size and errors == "strict":
                raise InvalidUtf8Error(
                    f"{file} is not UTF-8: byte 0x{data[valid]:02x} at position {valid}; "
                    'convert the file, or go on with errors="replace" (--errors replace)'
                )
            if valid < size or self.scanner is None:
                self.add_texts((data[:].decode("utf-8", errors="replace"),))
                self.num_bytes = before + size
            else:
                position = 0
                while position < size:
                    position = self.native.count_range(
                        self.scanner, data, position, min(position + _FILE_STEP, size), self.num_threads
                    )
                    self.num_bytes = before + position
                    report(self.num_bytes)
                self.num_documents += 1
        report(self.num_bytes)

    def counts(self) -> PretokenCounts:
        return PretokenCounts(
            self.native, pretokenization=self.split, num_documents=self.num_documents, num_bytes=self.num_bytes
        )


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
