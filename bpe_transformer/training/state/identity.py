"""What a run has to agree in with the one that it goes on with: all that decides its result, but not where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpe_transformer.errors import CheckpointError
from bpe_transformer.training.checkpoint import CheckpointInfo
from bpe_transformer.training.config import ENDS

# settings that may be others when a run goes on: when it ends and saves, where it runs, what it does about bad steps
FREE = (
    *ENDS,
    *("patience", "save_steps", "save_minutes", "snapshots", "skip_bad_steps"),
    *("device", "compile", "shard", "activation_checkpointing"),
)
_MOST_TOLD = 10  # differences


def run_identity(info: CheckpointInfo, data: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides the result of a run, under names for people.

    data: of the corpus: its split, the validation split, and the facts of both sources of batches.
    """
    settings = info.settings.to_dict()
    training = {name: value for name, value in settings["training"].items() if name not in FREE}
    facts = {
        "family": info.settings.family,
        "tokenizer": info.digest,
        "corpus": info.corpus,
        "columns": list(info.columns),
        "labels": list(info.labels),
    }
    return {**facts, **settings["model"], **training, **_flat(data)}


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= _flat(value, f"{prefix}{name} ") if isinstance(value, Mapping) else {f"{prefix}{name}": _plain(value)}
    return found


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def check_same_run(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """`CheckpointError`, naming every difference, unless the identities are equal."""
    names = [*current, *(name for name in saved if name not in current)]
    changed = [name for name in names if saved.get(name) != current.get(name)]
    # what batches follow from settings that are named already is not named again
    derived = ("training data ", "validation data ")
    changed = [name for name in changed if not (name.startswith(derived) and name.split(" ")[-1] in changed)]
    if changed:
        told = [
            f"{name} was {_short(saved.get(name))}, now {_short(current.get(name))}" for name in changed[:_MOST_TOLD]
        ]
        said = "; ".join(told) + (f"; and {len(changed) - len(told)} others" if len(changed) > len(told) else "")
        raise CheckpointError(
            f"the run cannot be resumed with other settings or data: {said}; leave them as they were "
            "(when it ends and saves, device, compile and the number of processes may change), "
            "or start the run without resume=True"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}…"
