"""The rows that a run was trained and validated on, read again for the commands that look at what training made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bpe_transformer.cli.support.training_options import CorpusChoice, TrainingCorpus, with_weight

if TYPE_CHECKING:
    from bpe_transformer.io import Errors
    from bpe_transformer.training import CheckpointInfo

Texts = list[tuple[str, ...]]  # of one row, those that the model reads


class RunRows(NamedTuple):
    """The texts of the training and of the validation rows, of every corpus of a mixture."""

    train: Texts
    validation: Texts


def run_rows(run: str, info: CheckpointInfo, split: str, source_dir: str | None, errors: Errors) -> RunRows:
    """The rows as `settings.toml` of the run says to read them; `split`, `source_dir` and `errors` where they are typed.

    A run without that file was trained on the one corpus that its model names.
    """
    said = _said_of_data(run)
    if _is_typed("split"):
        said["split"] = split
    if source_dir is not None:
        said["from"] = source_dir
    if _is_typed("errors"):
        said["errors"] = errors
    settings = info.settings
    task: Any = info.task if info.task in ("translation", "classification") else "language-model"
    found = RunRows([], [])
    for name in said.get("corpus") or [info.corpus]:
        choice = CorpusChoice(
            corpus=with_weight(name)[0],
            split=said.get("split", split),
            source_dir=said.get("from"),
            errors=said.get("errors", errors),
            task=task,
            **{key: said.get(key) for key in ("src", "tgt", "column", "label", "documents")},
            recursive=said.get("recursive", False),
            no_header=said.get("no_header", False),
            names=said.get("columns"),
        )
        choice = _with_columns(choice, info.columns, said)
        facts = choice.info()
        corpus = TrainingCorpus(choice, facts, choice.columns(facts, settings.family))
        splits = corpus.splits(said.get("validation"), settings.training.seed, dedup=said.get("dedup", False))
        for kept, rows in zip(found, splits[:2], strict=True):
            kept.extend(_texts(rows, corpus.columns.texts))
    return found


def _with_columns(choice: CorpusChoice, columns: Sequence[str], said: dict[str, Any]) -> CorpusChoice:
    """The choice with the columns of the model, where the file names none and there is one corpus."""
    if len(said.get("corpus") or [""]) > 1:
        return choice
    names = {"translation": ("src", "tgt"), "classification": ("column", "label")}.get(str(choice.task), ("column",))
    chosen: dict[str, Any] = dict(zip(names, columns, strict=False))
    return replace(choice, **chosen)


def _said_of_data(run: str) -> dict[str, Any]:
    from bpe_transformer.training.config.config_file import read_config_file
    from bpe_transformer.training.run_record import SETTINGS

    path = Path(run) / SETTINGS
    return dict(read_config_file(path).others) if path.exists() else {}


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _texts(rows: Any, columns: tuple[str, ...]) -> Texts:
    chosen = rows.select_columns(list(columns))
    return [tuple(str(row[column] or "") for column in columns) for row in chosen]
