"""Figures as JSON lines: `metrics.jsonl` in the folder of a run, which `curve` and every data frame library read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpe_transformer.errors import CheckpointError, FormatError
from bpe_transformer.io import atomic_file, parse_facts, read_limited

METRICS = "metrics.jsonl"
_MAX_BYTES = 1 << 30


class JsonLinesLogger:
    """Appends one JSON object a call, with the key `step`, and flushes it.

    A number that is not finite becomes null: no JSON file ever holds a NaN.

    Args:
        path: of the file; its folder is created.
        after_step: the step that the run goes on from, 0 for a new run. Lines of later steps are removed, since the run
            takes these steps once more, and so is a last line that a killed process left unfinished.
    """

    def __init__(self, path: str | os.PathLike[str], *, after_step: int = 0) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in _lines(self.path) if 0 < line["step"] <= after_step]
        with atomic_file(self.path) as unfinished:
            unfinished.write_text("".join(map(_encoded, kept)), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        self._file.write(_encoded({"step": step, **metrics}))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The figures that a run has logged, in order; `path` is the run's folder or the file.

    A last line that is not whole, as of a run that is writing it, is left out.

    Raises:
        CheckpointError: there are none, or a line is not a figure of a step.
    """
    file = Path(path)
    file = file / METRICS if file.is_dir() else file
    if not file.is_file():
        raise CheckpointError(
            f"{path} holds no figures of a run ({METRICS} is missing); name the folder that train -o wrote"
        )
    found = _lines(file, strict=True)
    if not found:
        raise CheckpointError(f"{file} holds no figures yet; wait until the run has taken some steps")
    return found


def _lines(path: Path, *, strict: bool = False) -> list[dict[str, Any]]:
    try:
        text = read_limited(path, _MAX_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return []
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            if not line.strip():
                continue
            node = parse_facts(line)
            node.number("step")
        except FormatError as problem:
            if number == len(lines) or not strict:
                continue  # a run was ended while it wrote this line, or is writing it
            raise CheckpointError(f"{path}, line {number}: {problem}; remove the line, or name another run") from None
        found.append(dict(node.value))
    return found


def _encoded(metrics: Mapping[str, Any]) -> str:
    return json.dumps({name: _finite(value) for name, value in metrics.items()}, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
