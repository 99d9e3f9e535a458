"""Weights kept along a run, a file for each moment, to look at afterwards: what the model was while it learned.

A model changes most at the beginning, so the shares of the run at which they are kept double: of four, 0 (step 0, before
anything is learned), 1/4, 1/2 and 1, the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from bpe_transformer.errors import CheckpointError
from bpe_transformer.io import atomic_file
from bpe_transformer.training.checkpoint import read_tensors
from bpe_transformer.training.run_files.file_names import STATE
from bpe_transformer.training.state.state_file import SNAPSHOTS
from bpe_transformer.training.tensor_files import write_tensors

_NAME = re.compile(r"step-(\d+)\.safetensors")
_IN_STATE = re.compile(r"snapshot\.(\d+)\.(.+)")


def moments(count: int) -> tuple[float, ...]:
    """The shares of a run at which `count` snapshots are kept, in order.

    >>> moments(4), moments(1)
    ((0.0, 0.25, 0.5, 1.0), (1.0,))
    """
    kept = [2.0 ** -(count - 1 - place) for place in range(1, count)]
    return (0.0, *kept) if count > 1 else (1.0,) * count


class SnapshotKeeper:
    """Decides when a run keeps its weights, and writes them."""

    def __init__(self, run: Path, count: int) -> None:
        self._folder, self._moments = run / SNAPSHOTS, moments(count)
        self._kept = 0

    def go_on(self, share: float) -> None:
        """Leaves out the moments before this share of the run, which an earlier sitting has kept."""
        self._kept = self._reached(share)

    def _reached(self, share: float) -> int:
        return sum(moment <= share for moment in self._moments)

    def is_due(self, share: float) -> bool:
        """Whether a moment has come since the last one."""
        return self._reached(share) > self._kept

    def keep(self, step: int, share: float, weights: Mapping[str, Tensor] | None) -> None:
        """Marks the moment as kept and writes its weights; None: another process writes them."""
        self._kept = self._reached(share)
        if weights is not None:
            self._folder.mkdir(exist_ok=True)
            with atomic_file(self._folder / f"step-{step}.safetensors") as path:
                write_tensors(path, weights, {"format": "pt", "step": str(step)})


def snapshot_steps(run: str | os.PathLike[str]) -> tuple[int, ...]:
    """The steps whose weights a run has kept, in order: by `snapshots`, and the last validations by `average_last`."""
    return tuple(sorted({*_files(Path(run)), *_in_state(Path(run) / STATE)}))


def load_snapshot(run: str | os.PathLike[str], step: int) -> dict[str, Tensor]:
    """The weights of a step that `snapshot_steps` names.

    Raises:
        CheckpointError: there are none of this step, or the file is damaged or holds values that are not finite.
    """
    folder = Path(run)
    if step in (files := _files(folder)):
        path = files[step]
        weights = read_tensors(path)[0]
    else:
        path, names = folder / STATE, _in_state(folder / STATE).get(step, {})
        if not names:
            raise CheckpointError(
                f"{run} has kept no weights of step {step}; choose one of {', '.join(map(str, snapshot_steps(run)))}"
            )
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(full) for name, full in names.items()}
    broken = [name for name, value in weights.items() if not bool(value.isfinite().all())]
    if broken:
        raise CheckpointError(f"{path} is damaged ({broken[0]} holds values that are not finite); train again")
    return weights


def _files(run: Path) -> dict[int, Path]:
    folder = run / SNAPSHOTS
    found = {path: _NAME.fullmatch(path.name) for path in folder.iterdir()} if folder.is_dir() else {}
    return {int(name[1]): path for path, name in found.items() if name}


def _in_state(path: Path) -> dict[int, dict[str, str]]:
    """By step, the names of the weights and those of the tensors in the file of the run's state; empty without a file."""
    if not path.is_file():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("snapshot.")]  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); train again or restore it") from None
    found: dict[int, dict[str, str]] = {}
    for name in names:
        if parts := _IN_STATE.fullmatch(name):
            found.setdefault(int(parts[1]), {})[parts[2]] = name
    return found
