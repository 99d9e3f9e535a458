"""What a reader brings to a lesson instead of its own numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Request:
    """text: the reader's own. run: folder of a trained model. q, k, v: files of numbers (see `read_matrix`)."""

    text: str | None = None
    run: str | None = None
    q: str | None = None
    k: str | None = None
    v: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of what the reader brings."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


def read_matrix(path: str | os.PathLike[str]) -> torch.Tensor:
    """A file with one row of numbers a line, separated by blanks, tabs, commas or semicolons -> (R, C) float32.

    Empty lines and lines that begin with # are passed over.

    Raises:
        ConfigError: there is no number, something that is none, or rows of different lengths; with the line.
        OSError: the file cannot be read.
    """
    import torch

    rows: list[list[float]] = []
    for number, line in enumerate(Path(path).read_text("utf-8", errors="replace").splitlines(), 1):
        cells = line.replace(",", " ").replace(";", " ").split()
        if not cells or line.lstrip().startswith("#"):
            continue
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError:
            raise ConfigError(
                f"{path}, line {number}: {line.strip()!r} is not a row of numbers, such as 0.1 0.2"
            ) from None
        if len(rows[-1]) != len(rows[0]):
            raise ConfigError(
                f"{path}, line {number} has {len(rows[-1])} numbers and the first row {len(rows[0])}; make them equal"
            )
    if not rows:
        raise ConfigError(f"{path} holds no numbers; write one row a line, such as 0.1 0.2 0.3 0.4")
    found = torch.tensor(rows)
    if not found.isfinite().all():
        raise ConfigError(f"{path} holds a number that is infinite or none (nan); write finite numbers")
    return found
