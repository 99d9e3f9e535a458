"""Prepared rows: a corpus as ids, saved in a folder and loaded for the tokenizer it belongs to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.data.ledger import Ledger
from bpe_transformer.data.prepared.task_columns import Task
from bpe_transformer.errors import DigestMismatchError, FormatError
from bpe_transformer.io import bound_directory, check_files, damage_named, one_line, read_facts, shown
from bpe_transformer.tokenizer import Tokenizer

FORMAT_VERSION = 1  # of prepared.json and the rows beside it
_FACTS = "prepared.json"
_ROWS = "rows"
_ANEW = "run prepare again"


@dataclass(frozen=True)
class Prepared:
    """Rows of ids, the digest of the tokenizer that made them, and the ledger of what was kept and dropped.

    `dataset` has src_ids (… eos) and tgt_ids (bos … eos) for translation, ids (… eos) for a language model, and for
    classification ids and label, a number whose name is in `labels`.
    """

    dataset: datasets.Dataset
    digest: str
    task: Task
    ledger: Ledger
    labels: tuple[str, ...] = ()

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Ids a row: (N, 2), src and tgt, for translation; (N, 1) for the other tasks."""
        columns = ["src_ids", "tgt_ids"] if self.task == "translation" else ["ids"]
        batches = self.dataset.select_columns(columns).with_format("arrow").iter(10_000)
        lengths = [
            np.stack([pc.list_value_length(batch[column]).to_numpy() for column in columns], axis=1)
            for batch in batches
        ]
        return np.concatenate(lengths).astype(np.int64)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `directory`: the rows as `datasets` saves them, what they are in prepared.json, and a manifest of both."""
        facts: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "task": self.task,
            "digest": self.digest,
            "ledger": self.ledger.to_dict(),
        }
        facts |= {"labels": list(self.labels)} if self.labels else {}
        with bound_directory(directory) as folder:
            self.dataset.save_to_disk(str(folder / _ROWS))
            (folder / _FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | os.PathLike[str], tokenizer: Tokenizer) -> Prepared:
        """Reads all files once to compare them with the folder's manifest.

        Raises:
            FormatError: `directory` is not one that `save` wrote, a later version of this library wrote it, or a file of it is
                damaged or of another run.
            DigestMismatchError: another tokenizer made the ids.
        """
        folder = Path(directory)
        check_files(folder, (_FACTS, _ROWS))
        path = folder / _FACTS
        try:
            with damage_named(path, _ANEW):
                facts = read_facts(path)
                version = facts.get("version", int)
        except FileNotFoundError:
            raise FormatError(
                f"{folder} holds no prepared corpus ({_FACTS} is missing); write one with prepare"
            ) from None
        check_version(version, path)
        with damage_named(path, _ANEW):
            digest, task = facts.get("digest", str), facts.get("task", str)
            if task not in get_args(Task):
                raise FormatError(f"task is {shown(task)}, not {' or '.join(get_args(Task))}")
            ledger = Ledger.from_node(facts.child("ledger"))
            labels = facts.texts("labels") if "labels" in facts.value else ()
        if digest != tokenizer.digest:
            raise DigestMismatchError(
                f"{folder} was prepared with the tokenizer {digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "prepare it again, or load the tokenizer it belongs to"
            )
        columns = ("src_ids", "tgt_ids") if task == "translation" else ("ids",)
        dataset = _load_rows(folder / _ROWS, columns, tokenizer.vocab_size, num_labels=len(labels))
        return cls(dataset, digest, cast(Task, task), ledger, labels)


def _load_rows(folder: Path, columns: Sequence[str], vocab_size: int, *, num_labels: int) -> datasets.Dataset:
    """The rows that `datasets` saved, once every list, id and label in them is known to be right. Raises `FormatError`."""
    named = (*columns, "label") if num_labels else tuple(columns)
    try:
        found = datasets.load_from_disk(str(folder))
        if not isinstance(found, datasets.Dataset) or tuple(found.column_names) != named:
            raise FormatError(f"it should hold rows with {' and '.join(named)}")
        for name in columns:
            if found.features[name] != datasets.Sequence(datasets.Value("int32")):
                raise FormatError(f"{name} holds {found.features[name]}, not lists of ids")
            _check_column(found.data.column(name), name, vocab_size)
        if num_labels:
            _check_labels(found.data.column("label"), num_labels)
    except Exception as problem:  # whatever `datasets` and Arrow make of a damaged file
        raise FormatError(f"{folder} is damaged ({one_line(problem)}); {_ANEW}") from None
    return found


def _check_column(column: pa.ChunkedArray, name: str, vocab_size: int) -> None:
    for chunk in column.chunks:
        chunk.validate(full=True)
        ids = chunk.flatten()
        if chunk.null_count or ids.null_count:
            raise FormatError(f"{name} holds nulls")
        limits = pc.min_max(ids).as_py() if len(ids) else {"min": 0, "max": 0}
        if limits["min"] < 0 or limits["max"] >= vocab_size:
            wrong = limits["min"] if limits["min"] < 0 else limits["max"]
            raise FormatError(f"{name} holds the id {wrong}, and the tokenizer has 0 to {vocab_size - 1}")


def _check_labels(column: pa.ChunkedArray, num_labels: int) -> None:
    column.validate(full=True)
    limits = pc.min_max(column).as_py()
    if column.null_count or not 0 <= (limits["min"] or 0) <= (limits["max"] or 0) < num_labels:
        raise FormatError(f"label holds numbers that are not 0 to {num_labels - 1}")


def check_version(version: int, path: Path) -> None:
    """`FormatError` when a later version of this library wrote `path`."""
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{path} is of version {version}, and this bpe-transformer reads up to version {FORMAT_VERSION}; "
            "use the version that wrote it, or run prepare again"
        )
