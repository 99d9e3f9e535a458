"""The facts of pre-token counts besides the words: how the texts were split, their sizes and their sources."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError, LearningError
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer


@dataclass(frozen=True)
class CountSource:
    """One source that was counted: a file, a dataset, or texts.

    `missing` values were null, and U+FFFD replaced invalid bytes at `replaced` places. `complete` is False if counting was
    cut short; `stopped_at` is then the byte of a text file up to which it was counted: the bytes from there on, counted
    separately, add up to the counts of the whole file.
    """

    name: str
    num_documents: int
    num_bytes: int
    missing: int = 0
    replaced: int = 0
    weight: float = 1.0
    complete: bool = True
    stopped_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class CountFacts:
    """How counted texts were split, how large they were, and what was dropped from their counts.

    `unicode` names the versions of the character classes and normalisation that the split depends on, "" for counts that
    were not split here. `saturated` is set if a count reached 2^64 - 1 before it was weighted.
    """

    pretokenizer: Pretokenizer
    num_documents: int = 0
    num_bytes: int = 0
    sources: tuple[CountSource, ...] = ()
    dropped_words: int = 0
    dropped_occurrences: int = 0
    saturated: bool = False
    unicode: str = ""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values, as a file of counts holds them."""
        return {
            "pretokenization": self.pretokenizer.facts(),
            "unicode": self.unicode,
            "num_documents": self.num_documents,
            "num_bytes": self.num_bytes,
            "sources": [asdict(source) for source in self.sources],
            "dropped_words": self.dropped_words,
            "dropped_occurrences": self.dropped_occurrences,
            "saturated": self.saturated,
            "partial": not all(source.complete for source in self.sources),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CountFacts:
        """The facts that `to_json` wrote. Raises `FormatError` if something is missing or of another type."""
        try:
            return cls(
                pretokenizer=Pretokenizer.from_facts(values["pretokenization"]),
                num_documents=int(values["num_documents"]),
                num_bytes=int(values["num_bytes"]),
                sources=tuple(CountSource(**source) for source in values["sources"]),
                dropped_words=int(values["dropped_words"]),
                dropped_occurrences=int(values["dropped_occurrences"]),
                saturated=bool(values["saturated"]),
                unicode=str(values["unicode"]),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise FormatError(f"the facts of these counts are incomplete ({problem!r}); count anew") from problem

    def __add__(self, other: CountFacts) -> CountFacts:
        """The facts of both corpora together. Raises `LearningError` if they were split differently."""
        self.check_same_split(other)
        return CountFacts(
            pretokenizer=self.pretokenizer,
            num_documents=self.num_documents + other.num_documents,
            num_bytes=self.num_bytes + other.num_bytes,
            sources=self.sources + other.sources,
            dropped_words=self.dropped_words + other.dropped_words,
            dropped_occurrences=self.dropped_occurrences + other.dropped_occurrences,
            saturated=self.saturated or other.saturated,
            unicode=self.unicode or other.unicode,
        )

    def with_dropped(self, words: int, occurrences: int) -> CountFacts:
        """The facts after that many more words were dropped."""
        return replace(
            self,
            dropped_words=self.dropped_words + words,
            dropped_occurrences=self.dropped_occurrences + occurrences,
        )

    def with_saturated(self, saturated: bool) -> CountFacts:
        """The facts after a count may have reached 2^64 - 1."""
        return replace(self, saturated=self.saturated or saturated)

    def check_same_split(self, other: CountFacts) -> None:
        """Raises `LearningError` unless both were split the same way, so that their counts add up."""
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


def unicode_versions(pretokenizer: Pretokenizer) -> str:
    """The versions of the character classes and normalisation that a split depends on."""
    if pretokenizer.normalized_scanner is None:
        import regex

        classes = f"regex {regex.__version__}"
    else:
        classes = _core.unicode_source
    normalizes = pretokenizer.normalization or pretokenizer.rewriting
    return f"{classes}, unicodedata {unicodedata.unidata_version}" if normalizes else classes
