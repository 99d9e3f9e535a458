"""Prepared rows: a corpus as ids, saved in a folder and loaded for the tokenizer it belongs to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.data.ledger import Ledger
from bpe_transformer.data.prepared.task_columns import Task
from bpe_transformer.errors import DigestMismatchError, FormatError
from bpe_transformer.io import atomic_directory
from bpe_transformer.tokenizer import Tokenizer

FORMAT_VERSION = 1  # of prepared.json and the rows beside it
_FACTS = "prepared.json"
_ROWS = "rows"


@dataclass(frozen=True)
class Prepared:
    """Rows of ids, the digest of the tokenizer that made them, and the ledger of what was kept and dropped.

    `dataset` has src_ids (… eos) and tgt_ids (bos … eos) for translation, ids (… eos) for a language model.
    """

    dataset: datasets.Dataset
    digest: str
    task: Task
    ledger: Ledger

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Ids a row: (N, 2), src and tgt, for translation; (N, 1) for a language model."""
        columns = ["src_ids", "tgt_ids"] if self.task == "translation" else ["ids"]
        batches = self.dataset.select_columns(columns).with_format("arrow").iter(10_000)
        lengths = [
            np.stack([pc.list_value_length(batch[column]).to_numpy() for column in columns], axis=1)
            for batch in batches
        ]
        return np.concatenate(lengths).astype(np.int64)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `directory`: the rows as `datasets` saves them, and what they are in prepared.json."""
        facts = {"version": FORMAT_VERSION, "task": self.task, "digest": self.digest, "ledger": self.ledger.to_dict()}
        with atomic_directory(directory) as folder:
            self.dataset.save_to_disk(str(folder / _ROWS))
            (folder / _FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | os.PathLike[str], tokenizer: Tokenizer) -> Prepared:
        """
        Raises:
            FormatError: `directory` is not one that `save` wrote, or a later version of this library wrote it.
            DigestMismatchError: another tokenizer made the ids.
        """
        folder = Path(directory)
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            check_version(facts, folder / _FACTS)
            digest, task, ledger = facts["digest"], facts["task"], Ledger.from_dict(facts["ledger"])
        except FormatError:
            raise
        except FileNotFoundError:
            raise FormatError(
                f"{folder} holds no prepared corpus ({_FACTS} is missing); write one with prepare"
            ) from None
        except (ValueError, KeyError, TypeError) as problem:
            raise FormatError(f"{folder / _FACTS} is damaged ({problem}); run prepare again") from None
        if digest != tokenizer.digest:
            raise DigestMismatchError(
                f"{folder} was prepared with the tokenizer {digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "prepare it again, or load the tokenizer it belongs to"
            )
        try:
            dataset = datasets.load_from_disk(str(folder / _ROWS))
        except (FileNotFoundError, ValueError, pa.ArrowInvalid) as problem:
            raise FormatError(f"{folder / _ROWS} is damaged ({problem}); run prepare again") from None
        return cls(cast(datasets.Dataset, dataset), digest, task, ledger)


def check_version(facts: Mapping[str, Any], path: Path) -> None:
    """`FormatError` when a later version of this library wrote `facts`."""
    if facts["version"] > FORMAT_VERSION:
        raise FormatError(
            f"{path} is of version {facts['version']}, and this bpe-transformer reads up to version {FORMAT_VERSION}; "
            "use the version that wrote it, or run prepare again"
        )
