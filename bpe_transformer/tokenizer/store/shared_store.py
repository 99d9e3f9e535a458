"""A token store that others write: shards arrive from other processes or machines, in a shared folder or at a URL.

A worker encodes a unit in a folder of its own and delivers the files in one step each, so that a worker that was taken for
dead, and is not, can do no harm: it delivers the same bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bpe_transformer.errors import FormatError
from bpe_transformer.io.manifest import MANIFEST, FileSum, listed_files, manifest_text, sum_of
from bpe_transformer.ledger import Ledger
from bpe_transformer.tokenizer.store.remote_files import filesystem_of, is_url
from bpe_transformer.tokenizer.store.shards import shard_name
from bpe_transformer.tokenizer.store.store_facts import STORE, StoreFacts
from bpe_transformer.tokenizer.store.unfinished_store import ShardMark, joined_facts

_MARKS = "_marks"  # of an unfinished store at a URL


class UnitEncoder(Protocol):
    """What encodes a unit of work to a shard in a folder."""

    def encode(self, unit: int, folder: Path) -> ShardMark: ...


@dataclass(frozen=True)
class Delivered:
    """Encodes units in a folder of its own and delivers their files to `place`, a shared folder or a URL."""

    work: UnitEncoder
    place: str

    def __call__(self, unit: int) -> ShardMark:
        within = None if is_url(self.place) else Path(self.place).parent
        with tempfile.TemporaryDirectory(prefix=".shard-", dir=within) as folder:
            mark = self.work.encode(unit, Path(folder))
            for name in mark.files:
                deliver(Path(folder) / name, self.place, name)
        return mark


def deliver(file: Path, place: str, name: str) -> None:
    """Puts a file into a folder or at a URL in one step."""
    if not is_url(place):
        os.replace(file, Path(place) / name)
        return
    system, root = filesystem_of(place)
    system.makedirs(root, exist_ok=True)
    system.put_file(str(file), f"{root}/{name}")


class RemoteStore:
    """A store at a URL while it is written: marks lie beside its shards, and the manifest comes last.

    An object store has no folders to exchange: what is there without a manifest is not whole, and loads as damaged.
    """

    def __init__(self, url: str, facts: StoreFacts, *, overwrite: bool) -> None:
        self.place, self._facts = url.rstrip("/"), facts
        self._system, self._root = filesystem_of(self.place)
        self.marks: dict[int, ShardMark] = {}
        self.is_whole = False
        self._extra: dict[str, FileSum] = {}
        self._start(overwrite)

    def _start(self, overwrite: bool) -> None:
        plan = json.dumps(self._facts.to_dict(), sort_keys=True).encode()
        if self._exists(MANIFEST):
            same = self._exists(f"{_MARKS}/plan.json") and self._read(f"{_MARKS}/plan.json") == plan
            if same and not overwrite:
                self.is_whole = True
                return
            if not overwrite:
                raise FormatError(f"{self.place} holds a store of something else; overwrite it, or name another place")
            self._system.rm(self._root, recursive=True)
        if not self._exists(f"{_MARKS}/plan.json") or self._read(f"{_MARKS}/plan.json") != plan:
            with suppress(FileNotFoundError):
                self._system.rm(f"{self._root}/{_MARKS}", recursive=True)
            self._write(f"{_MARKS}/plan.json", plan)
            return
        for name in self._system.glob(f"{self._root}/{_MARKS}/*.mark"):
            mark = ShardMark.from_json(self._system.cat_file(name))
            if all(self._size(file) == found.size for file, found in mark.files.items()):
                self.marks[int(Path(name).stem)] = mark

    def mark(self, index: int, mark: ShardMark) -> None:
        """Says that a shard is complete."""
        self._write(f"{_MARKS}/{shard_name(index)}.mark", mark.to_json().encode())
        self.marks[index] = mark

    def put_folder(self, folder: Path) -> None:
        """Puts a folder of files beside the shards, under its own name."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            self._write(name, file.read_bytes())
            self._extra[name] = sum_of(file)

    def finish(self, ledger: Ledger) -> StoreFacts:
        """Writes the facts and, last, the manifest; of a store that is whole already it only gives back the facts."""
        if self.is_whole:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / STORE).write_bytes(self._read(STORE))
                return StoreFacts.read(folder)
        marks = [self.marks[index] for index in sorted(self.marks)]
        facts = joined_facts(self._facts, marks, ledger)
        with tempfile.TemporaryDirectory() as folder:
            facts.write(folder)
            sums = {name: found for mark in marks for name, found in mark.files.items()}
            sums[STORE] = sum_of(Path(folder) / STORE)
            self._write(STORE, (Path(folder) / STORE).read_bytes())
        self._write(MANIFEST, manifest_text({**sums, **self._extra}).encode())
        return facts

    def _exists(self, name: str) -> bool:
        return bool(self._system.exists(f"{self._root}/{name}"))

    def _size(self, name: str) -> int:
        return int(self._system.size(f"{self._root}/{name}")) if self._exists(name) else -1

    def _read(self, name: str) -> bytes:
        return bytes(self._system.cat_file(f"{self._root}/{name}"))

    def _write(self, name: str, data: bytes) -> None:
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._system.pipe_file(path, data)


def fetch_store(url: str, folder: str | os.PathLike[str]) -> None:
    """Copies a store from a URL to a folder on this machine."""
    system, root = filesystem_of(url)
    Path(folder).mkdir(parents=True, exist_ok=True)
    facts_file = Path(folder) / STORE
    system.get_file(f"{root}/{STORE}", str(facts_file))
    system.get_file(f"{root}/{MANIFEST}", str(Path(folder) / MANIFEST))
    for name in listed_files(folder):
        (Path(folder) / name).parent.mkdir(exist_ok=True)
        system.get_file(f"{root}/{name}", str(Path(folder) / name))
