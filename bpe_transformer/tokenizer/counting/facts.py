"""The facts of pre-token counts besides the words: how the texts were split, their sizes and their sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError, LearningError, PatternError
from bpe_transformer.io import Node, one_line, shown
from bpe_transformer.io.json_files import DAMAGE
from bpe_transformer.ledger import Stage, StageRecorder
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer


@dataclass(frozen=True)
class CountSource:
    """One source that was counted: a file, a dataset, or texts.

    `missing` values were null, and U+FFFD replaced invalid bytes at `replaced` places. `complete` is False if counting was
    cut short; `stopped_at` is then the byte of a text file up to which it was counted: the bytes from there on, counted
    separately, add up to the counts of the whole file. `missing_places` says where the first missing values are.
    `dropped` are the (rows, bytes) that never reached the counter, by the reason for which they were dropped when a corpus was
    read.
    """

    name: str
    num_documents: int
    num_bytes: int
    missing: int = 0
    replaced: int = 0
    weight: float = 1.0
    complete: bool = True
    stopped_at: int | None = None
    missing_places: tuple[str, ...] = ()
    dropped: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def after(self, read: Stage | None) -> CountSource:
        """With what was dropped and replaced when the rows that were counted were read; None: nothing is known of that."""
        if read is None:
            return self
        dropped = {reason: (amount.examples, amount.bytes) for reason, amount in read.dropped.items()}
        return replace(self, dropped=dropped, replaced=self.replaced + read.replaced)


def read_stage_of(sources: Iterable[CountSource]) -> Stage:
    """What was read of all sources together, and what was dropped or replaced."""
    recorder = StageRecorder()
    for source in sources:
        recorder.keep(source.num_bytes, source.num_documents)
        for reason, (rows, size) in source.dropped.items():
            recorder.drop(reason, size, rows)
        if source.missing:
            recorder.drop("missing", 0, source.missing, source.missing_places)
        recorder.replace(source.replaced)
    return recorder.stage("read")


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
        data = Node(values)
        try:
            return cls(
                pretokenizer=_pretokenizer(data.child("pretokenization")),
                num_documents=data.number("num_documents"),
                num_bytes=data.number("num_bytes"),
                sources=tuple(map(_source, data.children("sources"))),
                dropped_words=data.number("dropped_words"),
                dropped_occurrences=data.number("dropped_occurrences", high=2**64 - 1),
                saturated=data.get("saturated", bool),
                unicode=data.get("unicode", str),
            )
        except FormatError as problem:
            raise FormatError(f"the facts of these counts are incomplete ({problem}); count anew") from None

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


def _source(data: Node) -> CountSource:
    weight = data.value.get("weight", 1.0)
    if not isinstance(weight, (int, float)) or isinstance(weight, bool) or not 0 <= weight < float("inf"):
        raise FormatError(f"{data.place}.weight is {shown(weight)}, not a number from 0")
    return CountSource(
        name=data.get("name", str),
        num_documents=data.number("num_documents"),
        num_bytes=data.number("num_bytes"),
        missing=data.number("missing", default=0),
        replaced=data.number("replaced", default=0),
        weight=weight,
        complete=data.get("complete", bool, True),
        stopped_at=data.number("stopped_at", default=None),
        missing_places=data.texts("missing_places") if "missing_places" in data.value else (),
        dropped=_dropped(data),
    )


def _dropped(data: Node) -> dict[str, tuple[int, int]]:
    found = data.optional("dropped")
    amounts = {} if found is None else {reason: found.numbers(reason) for reason in found.value}
    if any(len(amount) != 2 for amount in amounts.values()):
        raise FormatError(f"{data.place}.dropped holds something else than (rows, bytes)")
    return {reason: (amount[0], amount[1]) for reason, amount in amounts.items()}


def _pretokenizer(data: Node) -> Pretokenizer:
    for key, kind in (("pattern", str), ("normalization", str), ("charsmap", str), ("squeeze_spaces", bool)):
        data.get(key, kind, None)
    for key in ("protected", "before", "byte_splits", "unchanged"):
        if key in data.value:
            data.texts(key)
    for step in data.get("rewriting", list, []):
        if not isinstance(step, list) or not all(isinstance(value, (str, int, type(None))) for value in step):
            raise FormatError(f"{data.place}.rewriting holds {shown(step)}, not a step of normalisation")
    try:
        return Pretokenizer.from_facts(data.value)
    except DAMAGE as problem:
        if isinstance(problem, PatternError):
            raise
        raise FormatError(f"{data.place} cannot be read ({one_line(problem)})") from None


def unicode_versions(pretokenizer: Pretokenizer) -> str:
    """The versions of the character classes and normalisation that a split depends on."""
    if pretokenizer.normalized_scanner is None:
        import regex

        classes = f"regex {regex.__version__}"
    else:
        classes = _core.unicode_source
    normalizes = pretokenizer.normalization or pretokenizer.rewriting
    return f"{classes}, Unicode {_core.unicode_version}" if normalizes else classes
