"""How a model came to be, for its page: the loss over steps, what it writes for rows it has not trained on, and the
attention over one of them at the moments whose weights the run has kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import BpeTransformerError, CheckpointError, ConfigError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.curves.live_run import RunSample
from bpe_transformer.inspection.curves.run_curves import RunCurve, averaged, run_curves

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer
    from bpe_transformer.training.checkpoint import CheckpointInfo

SAMPLES = 4  # rows
_POINTS = 300  # of a line of losses
_LONGEST = 400  # characters of a row that is shown


@dataclass(frozen=True, slots=True)
class TrainingStrip(View):
    """What a page shows of a training run; what is not known of it is None or empty, and `left_out` says why.

    curve: losses in `loss_unit`. samples: rows of the validation split, what the model writes for them, and what is right.
    moments: `AttentionOverTraining.as_dict()` of the first of these rows.
    """

    curve: RunCurve | None
    samples: tuple[RunSample, ...]
    moments: dict[str, Any] | None
    left_out: tuple[str, ...]
    loss_unit: str

    def as_dict(self) -> dict[str, Any]:
        curve: dict[str, Any] | None = None
        if self.curve is not None:
            lines = {name: averaged(getattr(self.curve, name), _POINTS) for name in ("train", "validation")}
            curve = {
                "steps": self.curve.steps,
                "seconds": self.curve.seconds,
                "best": self.curve.best,
                **{name: [[x, round(y, 5)] for x, y in points] for name, points in lines.items()},
            }
        return {
            "curve": curve,
            "loss_unit": self.loss_unit,
            "samples": [sample.as_dict() for sample in self.samples],
            "moments": self.moments,
            "left_out": list(self.left_out),
        }


def training_strip(
    run: str | os.PathLike[str], model: Any, tokenizer: Tokenizer, info: CheckpointInfo
) -> TrainingStrip:
    """What is known of the training of the run in a folder, whose `model` is loaded.

    The rows of a corpus that is generated or read in place are looked up; no other corpus is searched for.
    """
    left_out: list[str] = []
    curve: RunCurve | None = None
    try:
        (curve,) = run_curves([run]).runs
    except CheckpointError:
        left_out.append("No losses are shown: the run has no metrics.jsonl, which train writes.")
    samples: list[RunSample] = []
    rows = _validation_rows(info)
    if rows:
        from bpe_transformer.inspection.curves.run_samples import write_samples

        samples = write_samples(model, tokenizer, info, rows)
    else:
        left_out.append(
            f"No samples are shown: the rows of {info.corpus or 'its corpus'} are not part of this package."
        )
    moments, reason = _moments(run, info, samples)
    return TrainingStrip(
        curve,
        tuple(samples),
        moments,
        tuple([*left_out, reason] if reason else left_out),
        "nats per label" if info.labels else "nats per token",
    )


def _validation_rows(info: CheckpointInfo, most: int = SAMPLES) -> list[tuple[Any, ...]]:
    """The first rows with a text of the validation split; none for a corpus that would have to be found or downloaded."""
    from bpe_transformer.data.corpora.load import load_corpus
    from bpe_transformer.data.corpora.recipes import all_recipes

    recipe = all_recipes().get(info.corpus)
    if recipe is None or "validation" not in recipe.splits or any(split.files for split in recipe.splits.values()):
        return []
    try:
        rows = load_corpus(info.corpus, "validation")
    except BpeTransformerError:
        return []
    if any(column not in rows.column_names for column in info.columns):
        return []
    values = (tuple(_short(row[column]) for column in info.columns) for row in rows)
    return list(islice((row for row in values if str(row[0]).strip()), most))


def _short(value: Any) -> Any:
    """A text, cut after the last whole line, or word, of its first characters."""
    if not isinstance(value, str) or len(value) <= _LONGEST:
        return value
    cut = value[:_LONGEST]
    return cut.rpartition("\n")[0] or cut.rpartition(" ")[0] or cut


def _moments(
    run: str | os.PathLike[str], info: CheckpointInfo, samples: Sequence[RunSample]
) -> tuple[dict[str, Any] | None, str]:
    """The attention over the first sample along the run, or why there is none."""
    from bpe_transformer.inspection.attention.over_training import attention_over_training

    if not info.family.attention or info.labels or not samples:
        return None, ""
    try:
        return attention_over_training(run, samples[0].given).as_dict(), ""
    except (CheckpointError, ConfigError) as problem:
        return None, f"Attention along the run is not shown: {problem}."
