"""The ledger: what every stage of the pipeline kept, dropped and truncated. Plain data, which the command line prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node

_MAX_NOTES = 100  # of one stage; a file that is not text at all would leave one a line


@dataclass(frozen=True)
class Amount:
    """examples: rows (or files, where a stage reads files); bytes: of UTF-8 text."""

    examples: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.examples + other.examples, self.bytes + other.bytes)


class LedgerRow(NamedTuple):
    stage: str
    outcome: str  # "kept", "dropped" or "truncated"
    reason: str  # "" for what was kept
    examples: int
    bytes: int


@dataclass(frozen=True)
class Stage:
    """What one stage did. `dropped` and `truncated` map a reason to an amount; `notes` name files and places."""

    name: str
    kept: Amount
    dropped: Mapping[str, Amount] = field(default_factory=dict)
    truncated: Mapping[str, Amount] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rows(self) -> list[LedgerRow]:
        rows = [LedgerRow(self.name, "kept", "", self.kept.examples, self.kept.bytes)]
        for outcome, amounts in (("dropped", self.dropped), ("truncated", self.truncated)):
            rows += [LedgerRow(self.name, outcome, why, what.examples, what.bytes) for why, what in amounts.items()]
        return rows

    def to_dict(self) -> dict[str, Any]:
        def pairs(amounts: Mapping[str, Amount]) -> dict[str, list[int]]:
            return {reason: [amount.examples, amount.bytes] for reason, amount in amounts.items()}

        return {
            "name": self.name,
            "kept": [self.kept.examples, self.kept.bytes],
            "dropped": pairs(self.dropped),
            "truncated": pairs(self.truncated),
            "notes": list(self.notes),
        }

    @classmethod
    def from_node(cls, data: Node) -> Stage:
        """The inverse of `to_dict`. Raises `FormatError` that names the place."""

        def amounts(outcome: str) -> dict[str, Amount]:
            pairs = data.child(outcome)
            return {reason: _amount(pairs, reason) for reason in pairs.value}

        kept = _amount(data, "kept")
        return cls(data.get("name", str), kept, amounts("dropped"), amounts("truncated"), data.texts("notes"))


def _amount(data: Node, key: str) -> Amount:
    numbers = data.numbers(key)
    if len(numbers) != 2:
        raise FormatError(f"{key} has {len(numbers)} numbers, not examples and bytes")
    return Amount(*numbers)


@dataclass(frozen=True)
class Ledger:
    """The stages in the order in which the data passed them.

    >>> Ledger((Stage("encode", Amount(2, 20), dropped={"empty": Amount(1, 0)}),)).rows()[1]
    LedgerRow(stage='encode', outcome='dropped', reason='empty', examples=1, bytes=0)
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

    def to_dict(self) -> dict[str, Any]:
        return {"stages": [stage.to_dict() for stage in self.stages]}

    @classmethod
    def from_node(cls, data: Node) -> Ledger:
        """The inverse of `to_dict`. Raises `FormatError` that names the place."""
        return cls(tuple(Stage.from_node(stage) for stage in data.children("stages")))


class StageRecorder:
    """Records what a stage keeps and drops while it runs; `stage` gives the result."""

    def __init__(self) -> None:
        self._kept = Amount()
        self._dropped: dict[str, Amount] = {}
        self._notes: list[str] = []
        self._num_notes = 0

    def keep(self, num_bytes: int, examples: int = 1) -> None:
        self._kept += Amount(examples, num_bytes)

    def drop(self, reason: str, num_bytes: int = 0, examples: int = 1) -> None:
        self._dropped[reason] = self._dropped.get(reason, Amount()) + Amount(examples, num_bytes)

    def note(self, text: str) -> None:
        self._num_notes += 1
        if self._num_notes <= _MAX_NOTES:
            self._notes.append(text)

    def stage(self, name: str) -> Stage:
        more = self._num_notes - len(self._notes)
        notes = [*self._notes, f"… and {more:,} more of this kind"] if more else self._notes
        return Stage(name, self._kept, dict(self._dropped), notes=tuple(notes))
