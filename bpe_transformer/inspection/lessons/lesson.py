"""A lesson as plain data: steps of text, worked arithmetic and figures, in one language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.inspection.base.view import View

if TYPE_CHECKING:
    from torch import Tensor

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Matrix(View):
    """A matrix with names for its rows and columns.

    name: such as "Q Kᵀ (4, 4)". values: None is -∞. digits: after the point. shaded: drawn as a picture, a shade a value.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    digits: int = 2
    shaded: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        values: Tensor,
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
        *,
        digits: int = 2,
        shaded: bool = False,
    ) -> Matrix:
        """A tensor (R, C), or (C,) as one row. Rows and columns without names are numbered from 1."""
        table = values.detach().float()
        table = table[None] if table.dim() == 1 else table
        found = tuple(tuple(None if value == -math.inf else value for value in row) for row in table.tolist())
        height, width = table.shape
        return cls(
            name,
            tuple(rows) or tuple(str(number + 1) for number in range(height)),
            tuple(columns) or tuple(str(number + 1) for number in range(width)),
            found,
            digits,
            shaded,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": "matrix",
            "name": self.name,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "values": [list(row) for row in self.values],
        }


@dataclass(frozen=True, slots=True)
class Table(View):
    """Rows of written cells under headings."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        rows = [list(row) for row in self.rows]
        return {"kind": "table", "name": self.name, "columns": list(self.columns), "rows": rows}


@dataclass(frozen=True, slots=True)
class Curves(View):
    """Lines over a common axis; each is its name and its points (x, y) in the order of x."""

    name: str
    x_label: str
    y_label: str
    lines: tuple[tuple[str, tuple[Point, ...]], ...]

    def as_dict(self) -> dict[str, Any]:
        lines = [{"name": name, "points": [list(point) for point in points]} for name, points in self.lines]
        return {"kind": "curves", "name": self.name, "x_label": self.x_label, "y_label": self.y_label, "lines": lines}


Figure = Matrix | Table | Curves


@dataclass(frozen=True, slots=True)
class Step(View):
    """One step of a lesson.

    key: of its text in the language files. worked: arithmetic written out, a line each. figures: what was computed.
    """

    key: str
    title: str
    text: str
    worked: tuple[str, ...]
    figures: tuple[Figure, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "title": self.title,
            "text": self.text,
            "worked": list(self.worked),
            "figures": [figure.as_dict() for figure in self.figures],
        }


@dataclass(frozen=True, slots=True)
class Lesson(View):
    """A lesson: its steps in order. basis: where its numbers come from, in words."""

    name: str
    language: str
    title: str
    summary: str
    basis: str
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "language": self.language,
            "title": self.title,
            "summary": self.summary,
            "basis": self.basis,
            "steps": [step.as_dict() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class LessonStep(View):
    """A step with its place in its lesson, for a walk with keys. place: from 0."""

    lesson: Lesson
    place: int

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.lesson.name, "place": self.place, **self.lesson.steps[self.place].as_dict()}


@dataclass(frozen=True, slots=True)
class LessonList(View):
    """All lessons, each with its name, its title and one line."""

    language: str
    lessons: tuple[tuple[str, str, str], ...]
    remark: str  # how to begin one

    def as_dict(self) -> dict[str, Any]:
        entries = [{"name": name, "title": title, "summary": line} for name, title, line in self.lessons]
        return {"language": self.language, "lessons": entries}
