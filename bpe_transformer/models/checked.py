"""Frozen dataclasses that check themselves when they are made, and report every problem at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bpe_transformer.errors import ConfigError

_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


def option(
    default: Any = dataclasses.MISSING,
    *,
    unit: str,
    meaning: str,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a `Checked` dataclass: its unit and meaning for `--help`, and the values it may take.

    choices: the allowed texts. low: the least allowed number. below: every allowed number is smaller than this one.
    """
    metadata = {"unit": unit, "meaning": meaning, "choices": choices, "low": low, "below": below}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Checked:
    """Base of every configuration: a wrong value never makes it past the constructor.

    Raises:
        ConfigError: lists every wrong type, value out of range and contradiction, each with its remedy.
    """

    def __post_init__(self) -> None:
        problems = [problem for f in fields(self) for problem in _field_problems(f, getattr(self, f.name))]
        if not problems:
            for f in fields(self):  # a whole number where a float belongs, so that equal settings compare equal
                value = getattr(self, f.name)
                if isinstance(value, int) and str(f.type).startswith("float"):
                    object.__setattr__(self, f.name, float(value))
        # a contradiction between fields can only be looked for where the types are right
        typed = all(_type_problem(f, getattr(self, f.name)) is None for f in fields(self))
        problems += self.contradictions() if typed else []
        if problems:
            raise ConfigError("; ".join(problems))

    def contradictions(self) -> list[str]:
        """Problems that lie between fields; called when every field has the right type."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def problems_of(cls: type[Checked], values: Mapping[str, Any]) -> list[str]:
    """What is wrong with `values` taken as fields of `cls`, field by field; contradictions are not looked for."""
    known = {f.name: f for f in fields(cls)}
    return [problem for name, value in values.items() for problem in _field_problems(known[name], value)]


def _field_problems(field: dataclasses.Field[Any], value: object) -> list[str]:
    """The problems of one value: its type first, and its range where the type is right."""
    wrong_type = _type_problem(field, value)
    if wrong_type is not None:
        return [wrong_type]
    if value is None or not field.metadata:
        return []
    unit, choices = field.metadata["unit"], field.metadata["choices"]
    low, below = field.metadata["low"], field.metadata["below"]
    found = []
    if choices and value not in choices:
        found.append(f"{field.name}={value!r} is unknown; choose {' or '.join(choices)}")
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{field.name}={value} ({unit}) must be a finite number"]
    if isinstance(value, (int, float)):
        if low is not None and not value >= low:
            found.append(f"{field.name}={value} ({unit}) must be at least {low}")
        if below is not None and not value < below:
            found.append(f"{field.name}={value} ({unit}) must be below {below}")
    return found


def _type_problem(field: dataclasses.Field[Any], value: object) -> str | None:
    name, _, optional = str(field.type).partition(" | ")
    if name not in _TYPES or (optional and value is None):
        return None
    if isinstance(value, _TYPES[name]) and isinstance(value, bool) == (name == "bool"):
        return None
    return f"{field.name}={value!r} must be of type {name} ({field.metadata['unit']})"
