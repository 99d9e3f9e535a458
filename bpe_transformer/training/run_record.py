"""What repeats a run, written into its folder: `settings.toml`, and `run.json` with versions, data, tokenizer and machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bpe_transformer.errors import FormatError
from bpe_transformer.io import atomic_file, read_facts
from bpe_transformer.training.callbacks import Callback, RunStart
from bpe_transformer.training.config.config_file import DataValue, settings_toml

if TYPE_CHECKING:
    from bpe_transformer.data import TokenStore
    from bpe_transformer.training.tasks import Rows

SETTINGS, RECORD = "settings.toml", "run.json"
_PACKAGES = ("bpe-transformer", "torch", "numpy", "datasets", "pyarrow", "safetensors", "regex", "transformers")


class RunRecord(Callback):
    """Writes `settings.toml`, which `train --config` reads, and `run.json` when a run begins. A resumed run keeps its own.

    Args:
        facts: of the data: corpus, columns, digests, ledgers; plain data for JSON.
        notes: why a setting has its value, by its name; comments in settings.toml.
        data: the corpus and the options for its rows; the table [data] of settings.toml.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        *,
        notes: Mapping[str, str] | None = None,
        data: Mapping[str, DataValue] | None = None,
    ) -> None:
        self.facts, self.notes, self.data = dict(facts), dict(notes or {}), dict(data or {})

    def on_start(self, start: RunStart) -> None:
        if start.step and _is_record(start.directory / RECORD):
            return
        record = {
            **self.facts,
            "parameters": start.parameters,
            "total_steps": start.total_steps,
            "processes": start.processes,
            "versions": versions(),
            "machine": machine(),
            "argv": sys.argv,
        }
        _write(start.directory / SETTINGS, settings_toml(start.settings, head=_HEAD, notes=self.notes, data=self.data))
        _write(start.directory / RECORD, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


_HEAD = "What repeats this run: train --config reads it. run.json beside it says on what data and machine they ran."


def versions() -> dict[str, str]:
    """Those of this library, Python and the packages that decide what a run computes."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Where a run computes: system, processor, cores, threads, memory in bytes, and GPUs."""
    facts: dict[str, Any] = {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        facts["memory"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return facts


def _is_record(path: Path) -> bool:
    """Whether a file is there and holds an object; one that is damaged is written anew."""
    try:
        read_facts(path)
    except (OSError, FormatError):
        return False
    return True


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def data_facts(
    train: Rows, validation: Rows, *, corpus: str, columns: Sequence[str], split: str = ""
) -> dict[str, Any]:
    """What a run reads: its corpus, the digests of tokenizer and rows, and the ledgers of what was kept and dropped."""
    rows = {"training": train, "validation": validation}
    return {
        "corpus": corpus,
        "split": split,
        "columns": list(columns),
        "tokenizer": train.digest,
        **{name: [_store_facts(store) for store in stores_of(stores)] for name, stores in rows.items()},
    }


def stores_of(rows: Rows) -> tuple[TokenStore, ...]:
    """The stores of one corpus, or of each of a mixture."""
    stores: Any = getattr(rows, "stores", (rows,))
    return tuple(stores)


def _store_facts(store: TokenStore) -> dict[str, Any]:
    return {"rows": len(store), "fingerprint": store.fingerprint, "ledger": store.ledger.to_dict()}
