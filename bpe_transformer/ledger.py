"""The ledger: what every stage of the pipeline received, kept, dropped, truncated and replaced. Plain data.

It stands below all rooms that read text, because each of them writes it: bytes in = kept + dropped + truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bpe_transformer.errors import DataLossError, FormatError
from bpe_transformer.io import Node

_MAX_NOTES = 100  # of one stage; a file that is not text at all would leave one a line
_MAX_PLACES = 3  # of one reason
HELD_OUT = "held out for validation"
ALSO_VALIDATION, REPEATED = "also a validation row", "repeats an earlier row"  # with --dedup
# what says nothing: rows dropped for it are no loss, and neither are the bytes that only divide rows
WITHOUT_CONTENT = ("blank line", "empty", "empty file", "no docstring", "line breaks", "byte order mark")
_NO_LOSS = (*WITHOUT_CONTENT, HELD_OUT, ALSO_VALIDATION, REPEATED)  # or what was asked for


@dataclass(frozen=True)
class Amount:
    """examples: rows (or files, where a stage reads files); bytes: of UTF-8 text."""

    examples: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.examples + other.examples, self.bytes + other.bytes)


class LedgerRow(NamedTuple):
    stage: str
    outcome: str  # "received", "kept", "dropped", "truncated" or "replaced"
    reason: str  # "" for what was received and kept
    examples: int  # of what was replaced: characters
    bytes: int
    places: tuple[str, ...] = ()  # of the first examples


@dataclass(frozen=True)
class Stage:
    """What one stage did, which adds up: received = kept + dropped, and in bytes + truncated.

    `dropped` and `truncated` map a reason to an amount (a truncated row is also a kept one), `places` to where the first
    examples of it are. `replaced` counts the characters U+FFFD that took the place of bytes that are not UTF-8.
    """

    name: str
    kept: Amount
    dropped: Mapping[str, Amount] = field(default_factory=dict)
    truncated: Mapping[str, Amount] = field(default_factory=dict)
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replaced: int = 0
    notes: tuple[str, ...] = ()

    @property
    def received(self) -> Amount:
        """What came in, as the sum of what became of it."""
        lost = sum(self.dropped.values(), Amount())
        cut = sum(amount.bytes for amount in self.truncated.values())
        return self.kept + lost + Amount(0, cut)

    @property
    def loss(self) -> float:
        """The share of bytes that were dropped, truncated or replaced, or of rows that were dropped: the larger one.

        Blank rows and line breaks are no loss, nor is what was asked for: rows held out, and duplicates.
        """
        lost = [amount for reason, amount in self.dropped.items() if reason not in _NO_LOSS]
        cut = sum(amount.bytes for amount in self.truncated.values())
        size = sum(amount.bytes for amount in lost) + cut + self.replaced
        rows = sum(amount.examples for amount in lost)
        return max(size / max(self.received.bytes, 1), rows / max(self.received.examples, 1))

    def rows(self) -> list[LedgerRow]:
        rows = [
            LedgerRow(self.name, "received", "", self.received.examples, self.received.bytes),
            LedgerRow(self.name, "kept", "", self.kept.examples, self.kept.bytes),
        ]
        for outcome, amounts in (("dropped", self.dropped), ("truncated", self.truncated)):
            for reason, what in amounts.items():
                rows.append(
                    LedgerRow(self.name, outcome, reason, what.examples, what.bytes, self.places.get(reason, ()))
                )
        if self.replaced:
            rows.append(LedgerRow(self.name, "replaced", "bytes that are not UTF-8", self.replaced, 0))
        return rows

    def __str__(self) -> str:
        """A line: what came in, and what became of it where that is not the same."""
        lost = [_described(row) for row in self.rows() if row.reason]
        all_kept = f"{_amounts(self.kept)}, all kept"
        kept = all_kept if self.received == self.kept else f"{_amounts(self.received)} in, {_amounts(self.kept)} kept"
        return "; ".join((f"{self.name}: {kept}", *lost))

    def __add__(self, other: Stage) -> Stage:
        """The same stage over two stretches of data, this one first."""
        places = {
            reason: (*self.places.get(reason, ()), *other.places.get(reason, ()))[:_MAX_PLACES]
            for reason in {**self.places, **other.places}
        }
        return Stage(
            self.name,
            self.kept + other.kept,
            _sum(self.dropped, other.dropped),
            _sum(self.truncated, other.truncated),
            places,
            self.replaced + other.replaced,
            (*self.notes, *other.notes)[:_MAX_NOTES],
        )

    def to_dict(self) -> dict[str, Any]:
        def pairs(amounts: Mapping[str, Amount]) -> dict[str, list[int]]:
            return {reason: [amount.examples, amount.bytes] for reason, amount in amounts.items()}

        return {
            "name": self.name,
            "received": [self.received.examples, self.received.bytes],
            "kept": [self.kept.examples, self.kept.bytes],
            "dropped": pairs(self.dropped),
            "truncated": pairs(self.truncated),
            "places": {reason: list(places) for reason, places in self.places.items()},
            "replaced": self.replaced,
            "notes": list(self.notes),
        }

    @classmethod
    def from_node(cls, data: Node) -> Stage:
        """The inverse of `to_dict`. Raises `FormatError` that names the place."""

        def amounts(outcome: str) -> dict[str, Amount]:
            pairs = data.child(outcome)
            return {reason: _amount(pairs, reason) for reason in pairs.value}

        where = data.optional("places")
        places = {} if where is None else {reason: where.texts(reason) for reason in where.value}
        stage = cls(
            data.get("name", str),
            _amount(data, "kept"),
            amounts("dropped"),
            amounts("truncated"),
            places,
            data.number("replaced", default=0),
            data.texts("notes"),
        )
        if data.get("received", list, None) is not None and _amount(data, "received") != stage.received:
            raise FormatError(f"{data.place}: received {data.value['received']} is not kept + dropped + truncated")
        return stage


def _sum(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> dict[str, Amount]:
    return {reason: one.get(reason, Amount()) + other.get(reason, Amount()) for reason in {**one, **other}}


def _amount(data: Node, key: str) -> Amount:
    numbers = data.numbers(key)
    if len(numbers) != 2:
        raise FormatError(f"{key} has {len(numbers)} numbers, not examples and bytes")
    return Amount(*numbers)


@dataclass(frozen=True)
class Ledger:
    """The stages in the order in which the data passed them.

    >>> Ledger((Stage("encode", Amount(2, 20), dropped={"empty": Amount(1, 0)}),)).rows()[2]
    LedgerRow(stage='encode', outcome='dropped', reason='empty', examples=1, bytes=0, places=())
    """

    stages: tuple[Stage, ...] = ()

    def rows(self) -> list[LedgerRow]:
        """One row a stage and outcome, ready for a table."""
        return [row for stage in self.stages for row in stage.rows()]

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{stage.name}: {note}" for stage in self.stages for note in stage.notes)

    @property
    def kept(self) -> Amount:
        """What came out of the last stage."""
        return self.stages[-1].kept if self.stages else Amount()

    @property
    def dropped(self) -> Amount:
        """Everything dropped, by all stages and for all reasons."""
        return sum((amount for stage in self.stages for amount in stage.dropped.values()), Amount())

    def with_stage(self, stage: Stage) -> Ledger:
        return replace(self, stages=(*self.stages, stage))

    def with_stages(self, *stages: Stage | None) -> Ledger:
        """With these at the end; None is passed over."""
        return replace(self, stages=(*self.stages, *(stage for stage in stages if stage is not None)))

    def check(self, most: float | None) -> None:
        """Raises `DataLossError` if a stage lost a larger share than `most`, from 0 to 1; None lets everything pass."""
        for stage in self.stages:
            if most is not None and stage.loss > most:
                rows = [row for row in stage.rows() if row.reason and row.reason not in _NO_LOSS]
                what = "; ".join(_described(row) for row in rows)
                raise DataLossError(
                    f"the stage {stage.name!r} lost {stage.loss:.3%} of its data, more than the {most:.3%} that fail_above "
                    f"allows ({what}); mend the data, or allow more"
                )

    def to_dict(self) -> dict[str, Any]:
        return {"stages": [stage.to_dict() for stage in self.stages]}

    @classmethod
    def from_node(cls, data: Node) -> Ledger:
        """The inverse of `to_dict`. Raises `FormatError` that names the place."""
        return cls(tuple(Stage.from_node(stage) for stage in data.children("stages")))


def _amounts(amount: Amount) -> str:
    return f"{_counted(amount.examples, 'row')}, {_counted(amount.bytes, 'byte')}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _described(row: LedgerRow) -> str:
    if row.outcome == "replaced":
        return f"{_counted(row.examples, 'character')} replaced by U+FFFD"
    where = f" ({', '.join(row.places)}{', …' if row.examples > len(row.places) else ''})" if row.places else ""
    size = f" by {_counted(row.bytes, 'byte')}" if row.outcome == "truncated" else f" of {_counted(row.bytes, 'byte')}"
    rows = f"{_counted(row.examples, 'row')}{size}" if row.examples else _counted(row.bytes, "byte")
    return f"{rows} {row.outcome}: {row.reason}{where}"


class StageRecorder:
    """Records what a stage keeps and loses while it runs; `stage` gives the result."""

    def __init__(self) -> None:
        self._kept = Amount()
        self._dropped: dict[str, Amount] = {}
        self._truncated: dict[str, Amount] = {}
        self._places: dict[str, list[str]] = {}
        self._replaced = 0
        self._notes: list[str] = []
        self._num_notes = 0

    def keep(self, num_bytes: int, examples: int = 1) -> None:
        self._kept += Amount(examples, num_bytes)

    def drop(self, reason: str, num_bytes: int = 0, examples: int = 1, places: Iterable[str] = ()) -> None:
        self._dropped[reason] = self._dropped.get(reason, Amount()) + Amount(examples, num_bytes)
        self._place(reason, places)

    def truncate(self, reason: str, num_bytes: int, examples: int = 1, places: Iterable[str] = ()) -> None:
        """Bytes that were cut off rows; the rest of these rows goes to `keep`."""
        self._truncated[reason] = self._truncated.get(reason, Amount()) + Amount(examples, num_bytes)
        self._place(reason, places)

    def replace(self, characters: int) -> None:
        self._replaced += characters

    def note(self, text: str) -> None:
        self._num_notes += 1
        if self._num_notes <= _MAX_NOTES:
            self._notes.append(text)

    def note_replaced(self, text: str, characters: int) -> None:
        """Notes that so many U+FFFD took the place of what no text may hold."""
        self.replace(characters)
        self.note(text)

    def _place(self, reason: str, places: Iterable[str]) -> None:
        known = self._places.setdefault(reason, [])
        if len(known) < _MAX_PLACES:
            known += [place for place, _ in zip(places, range(_MAX_PLACES - len(known)), strict=False)]

    def stage(self, name: str) -> Stage:
        more = self._num_notes - len(self._notes)
        notes = [*self._notes, f"… and {more:,} more of this kind"] if more else self._notes
        places = {reason: tuple(where) for reason, where in self._places.items() if where}
        return Stage(name, self._kept, dict(self._dropped), dict(self._truncated), places, self._replaced, tuple(notes))
