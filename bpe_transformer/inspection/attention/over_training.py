"""Attention as training goes: one sentence over the weights that a run has kept along its way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inspection.attention.attended import AttentionReader
from bpe_transformer.inspection.attention.attention_map import AttentionMap
from bpe_transformer.inspection.attention.reading import Reading
from bpe_transformer.inspection.attention.units import Unit
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict

MOST = 8  # moments that are read unless more are wanted


@dataclass(frozen=True, slots=True)
class TrainingMoment(View):
    """The model after `step` steps.

    map: its weights, of one head or one mean. written: its translation of the text then; None: the model writes none.
    agreement: the share of rows whose largest weight lies where it does at the last moment, 0 to 1.
    """

    step: int
    map: AttentionMap
    written: str | None
    agreement: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "written": self.written,
            "agreement": self.agreement,
            "weights": self.map.weights[0].tolist(),
        }


@dataclass(frozen=True, slots=True)
class AttentionOverTraining(View):
    """Moments of a run in their order, all between the same rows and columns.

    run: name of its folder. target: what a translator is read while writing, in every moment; None: the text itself is read.
    """

    run: str
    text: str
    target: str | None
    moments: tuple[TrainingMoment, ...]

    @property
    def last(self) -> AttentionMap:
        """The map at the end, whose rows and columns are those of all."""
        return self.moments[-1].map

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "text": self.text,
            "target": self.target,
            "title": self.last.title,
            "unit": self.last.unit,
            "src_tokens": [token_dict(token) for token in self.last.src_tokens],
            "tgt_tokens": [token_dict(token) for token in self.last.tgt_tokens],
            "moments": [moment.as_dict() for moment in self.moments],
        }


def attention_over_training(
    run: str | os.PathLike[str],
    text: str,
    target: str | None = None,
    unit: Unit = "words",
    reading: Reading | None = None,
    most: int = MOST,
) -> AttentionOverTraining:
    """The attention over `text` at the moments whose weights `run` has kept, the model that it holds among them.

    target: what a translator is read while writing; None is what its final model writes. reading: one layer and one head,
    or their mean or maximum. most: moments; of more, some are left out evenly, never the first and the last.

    Raises:
        ConfigError: as `attended_text`, or a reading of all layers or heads.
        CheckpointError: the run is missing or damaged, or has kept no weights.
    """
    from bpe_transformer.inference import Translator
    from bpe_transformer.training.checkpoint import set_weights, weights_of
    from bpe_transformer.training.state import load_snapshot, snapshot_steps

    reading = reading or Reading()
    if "all" in (reading.layer, reading.head):
        raise ConfigError("one map is shown for each moment; choose layer and head by number, or mean or max, not all")
    reader = AttentionReader.load(run)
    model = reader.model
    last = int(model.info.result.get("steps", 0))
    kept = sorted({*snapshot_steps(run), last})
    if len(kept) < 2:
        raise CheckpointError(
            f"{run} has kept the weights of its last step only; train it with snapshots=8 to look at its way there"
        )
    reader.attended(text, target, unit)  # refuses a text or a target before the search
    if isinstance(model, Translator) and target is None:
        target = model.translate(text, beam=1)
    final = weights_of(model.model)
    found: list[tuple[int, AttentionMap, str | None]] = []
    for step in _thinned(kept, most):
        weights = final if step == last else load_snapshot(run, step)
        set_weights(model.model, weights, source=f"{run}, step {step}")
        (view,) = reader.attended(text, target, unit).maps(reading)
        written = model.translate(text, beam=1) if isinstance(model, Translator) else None
        found.append((step, view.mean(), written))
    peaks = [view.weights[0].argmax(axis=1) for _, view, _ in found]
    moments = (
        TrainingMoment(step, view, written, float((peak == peaks[-1]).mean()))
        for (step, view, written), peak in zip(found, peaks, strict=True)
    )
    return AttentionOverTraining(Path(run).resolve().name, text, target, tuple(moments))


def _thinned(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of them, evenly, with the first and the last."""
    if most < 2:
        raise ConfigError(f"most={most} leaves no way to look at; ask for 2 moments or more")
    count = min(most, len(steps))
    return [steps[round(place * (len(steps) - 1) / (count - 1))] for place in range(count)]
