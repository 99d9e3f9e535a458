"""The file of an unfinished run: everything that `--resume` needs, replaced as a whole, with a checksum of all of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from bpe_transformer.errors import CheckpointError, ConfigError, FormatError
from bpe_transformer.io import atomic_file, damage_named, parse_facts
from bpe_transformer.training.checkpoint import check_format, read_tensors
from bpe_transformer.training.config import Settings
from bpe_transformer.training.run_files.file_names import STATE
from bpe_transformer.training.tensor_files import checksum, write_tensors

SHARDS = "shards"  # a folder of what several processes hold, one folder a state in it
SNAPSHOTS = "snapshots"  # a folder of weights kept along the run
RESTART = "start the run again without resume=True"
STATE_FORMAT = 5  # of the facts in it


def save_state(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes tensors and plain facts as one file, replaced as a whole.

    Raises `OSError` with the path when there is no room; the file of before is then whole.
    """
    known = {"format": STATE_FORMAT, **facts}
    text = json.dumps({**known, "sha256": checksum(tensors, known)}, allow_nan=False, sort_keys=True)
    try:
        with atomic_file(path) as unfinished:
            write_tensors(unfinished, tensors, {"facts": text})
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from problem


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `save_state`; `CheckpointError` when the file is missing, damaged or of another version."""
    tensors, metadata = read_tensors(path)
    with damage_named(path, RESTART, CheckpointError):
        facts = {"format": 1, **parse_facts(metadata["facts"]).value}
        found = facts.pop("sha256", None)  # runs of early versions have none
        if found is not None and found != checksum(tensors, facts):
            raise FormatError("its checksum is another")
        check_format(facts, path, latest=STATE_FORMAT)
    if facts["format"] < STATE_FORMAT:
        raise CheckpointError(
            f"{path} was written by an earlier version (format {facts['format']}), whose runs cannot be resumed; "
            f"its model still loads; {RESTART}"
        )
    return tensors, facts


def begin_run(directory: str | os.PathLike[str], settings: Settings, *, given: Collection[str] | None = None) -> None:
    """Puts a state in place that says that a run has begun with these settings, before it has taken a step.

    given: the settings that somebody has named, where the others are still to be fitted to the data; see `given_settings`.

    It takes the place of an older run's state in one step; what that had beside it is removed afterwards. A model in
    the folder stays until the new run has a better one.
    """
    folder = Path(directory)
    named = None if given is None else sorted(given)
    save_state(folder / STATE, {}, {"settings": settings.to_dict(), "begun": True, "given": named})
    for name in (SHARDS, SNAPSHOTS):
        shutil.rmtree(folder / name, ignore_errors=True)


def has_begun_only(directory: str | os.PathLike[str]) -> bool:
    """Whether the run in `directory` was ended before it had saved a step."""
    return bool(load_state(Path(directory) / STATE)[1].get("begun"))


def forget_begun_run(directory: str | os.PathLike[str]) -> None:
    """Removes what `begin_run` has made, where the folder holds nothing else: for an error before anything was trained."""
    folder = Path(directory)
    if [path.name for path in folder.iterdir()] == [STATE] and has_begun_only(folder):
        (folder / STATE).unlink()
        with suppress(OSError):  # such as a folder that another program looks at
            folder.rmdir()


def given_settings(directory: str | os.PathLike[str]) -> set[str] | None:
    """The settings that somebody has named for a run that was ended before the others were fitted; None: all stand."""
    path = Path(directory) / STATE
    facts = load_state(path)[1]
    with damage_named(path, RESTART, CheckpointError):
        return None if facts.get("given") is None else {str(name) for name in facts["given"]}


def load_run_settings(directory: str | os.PathLike[str]) -> Settings:
    """The settings of the unfinished run in `directory`; `CheckpointError` when there is none or it is damaged."""
    path = Path(directory) / STATE
    _, facts = load_state(path)
    try:
        with damage_named(path, RESTART, CheckpointError):
            return Settings.from_dict(facts["settings"])
    except ConfigError as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); {RESTART}") from None
