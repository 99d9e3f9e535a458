"""`UnfinishedStore`: a token store while it is written, in a private folder beside its place, resumed after a kill.

Every shard that is complete has reached the disk before its mark is written. A run of the same plan goes on after the marks
that it finds. When all shards are marked, the folder with its facts and manifest takes the place of the output in one step.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bpe_transformer.errors import DigestMismatchError, FormatError
from bpe_transformer.io import parse_facts, sync
from bpe_transformer.io.atomic import take_place
from bpe_transformer.io.manifest import FileSum, check_manifest, write_manifest
from bpe_transformer.io.workspaces import remove_resumable, remove_workspace, resumable_workspace
from bpe_transformer.ledger import Ledger, Stage
from bpe_transformer.tokenizer.store.shards import ShardFacts, shard_name
from bpe_transformer.tokenizer.store.store_facts import STORE, StoreFacts, is_store
from bpe_transformer.tokenizer.store.token_store import TokenStore

_PLAN = "plan.json"  # beside the output: what is being made
_WHOLE = "whole"  # beside the output that is whole: its inode
_STORE_FILE = re.compile(
    r"\d{5}\.([\w-]+\.)?(starts\.)?(npy|arrow)|(store|encoded|prepared|manifest)\.json|(ids|offsets)\.npy|ids\.arrow"
)


@dataclass(frozen=True)
class ShardMark:
    """What is known of a complete shard: its facts, the sums of its files, its part of the ledger, and what it read."""

    shard: ShardFacts
    files: Mapping[str, FileSum]
    stage: Stage
    read: int = 0  # rows or bytes of the source, as its plan counts them

    def to_json(self) -> str:
        files = {name: list(found) for name, found in self.files.items()}
        entry = {"shard": self.shard.to_dict(), "files": files, "stage": self.stage.to_dict(), "read": self.read}
        return json.dumps(entry, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> ShardMark:
        """The inverse of `to_json`. Raises `FormatError`."""
        data = parse_facts(text)
        files = {}
        for name, entry in data.get("files", dict).items():
            if not (isinstance(entry, list) and len(entry) == 2):
                raise FormatError(f"files.{name} is not a size and a sum")
            files[str(name)] = FileSum(int(entry[0]), str(entry[1]))
        stage = Stage.from_node(data.child("stage"))
        return cls(ShardFacts.from_node(data.child("shard")), files, stage, data.number("read"))


def made_before(out: str | os.PathLike[str], facts: StoreFacts, *, overwrite: bool) -> TokenStore | None:
    """The store at `out` if it is what `facts` would become; None where there is nothing, or it may be overwritten.

    Raises `DigestMismatchError` for another store, and `FormatError` for what is no store.
    """
    target = Path(out).resolve()
    if target.is_dir() and target.is_mount():
        raise FormatError(f"{out} is a mount point, which cannot be replaced at once; name a folder in it")
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return None
    if not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(out))
    if not is_store(target):
        raise FormatError(f"{out} exists and holds no token store; name another folder, or remove it")
    if overwrite:
        return None
    found = StoreFacts.read(target)
    if (difference := _difference(found, facts)) is not None:
        raise DigestMismatchError(
            f"{out} was made with {difference}; pass overwrite=True to make it anew, or name another folder"
        )
    remove_resumable(target)  # of a run that was killed when its output was in place
    return TokenStore.load(target)


def _difference(found: StoreFacts, wanted: StoreFacts) -> str | None:
    if found.digest != wanted.digest:
        return f"the tokenizer {found.digest[:12]}…, not {wanted.digest[:12]}…"
    before, now = found.source, json.loads(json.dumps(wanted.source))
    if before.get("sources") != now.get("sources"):
        old = {str(source.get("path")): source for source in before.get("sources") or []}
        new = {source["path"]: source for source in now.get("sources") or []}
        changed = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
        return f"other sources: {changed[0]} is another" if changed else "other sources: their order changed"
    if (before.get("dataset"), before.get("rows")) != (now.get("dataset"), now.get("rows")):
        return "other rows"
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            return f"{name}={before.get(name)!r:.80}, not {now.get(name)!r:.80}"
    if (found.columns, found.layout) != (wanted.columns, wanted.layout):
        return f"format={found.layout!r}, not {wanted.layout!r}"
    return None


class UnfinishedStore:
    """A store that is being written. Hold a lock on `target` meanwhile (`lock_output`).

    facts: of the store without its shards and ledger. `folder` is where shards are written, `marks` those that are complete.
    """

    def __init__(self, target: Path, facts: StoreFacts) -> None:
        self._target, self._facts = target, facts
        self.marks: dict[int, ShardMark] = {}
        self.is_whole = False  # an earlier run has written all, and was stopped before it took its place

    def __enter__(self) -> UnfinishedStore:
        with ExitStack() as stack:
            self._place = stack.enter_context(resumable_workspace(self._target))
            self.folder = self._place / "output"
            stack.push(self._close)
            with remedy_added(self._place):
                self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: Any) -> None:
        self._stack.__exit__(kind, value, trace)

    def _close(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not (self.has_progress or self.is_whole):  # all is in its place, or nothing is worth to keep
            remove_workspace(self._place)

    @property
    def has_progress(self) -> bool:
        return bool(self.marks) or any(path.stat().st_size for path in self._place.glob("*.journal"))

    def _start(self) -> None:
        if os.path.lexists(self._place / _WHOLE):
            if self._can_take_place():
                self.is_whole = True
                return
            shutil.rmtree(self.folder, ignore_errors=True)  # the old output, or that of another call
            (self._place / _WHOLE).unlink()
        plan = json.dumps({"digest": self._facts.digest, **self._facts.to_dict()}, sort_keys=True)
        if not (self._place / _PLAN).is_file() or (self._place / _PLAN).read_text(encoding="utf-8") != plan:
            shutil.rmtree(self.folder, ignore_errors=True)
            for path in (*self._place.glob("*.mark"), *self._place.glob("*.journal")):
                path.unlink()
            (self._place / _PLAN).write_text(plan, encoding="utf-8")
        self.folder.mkdir(exist_ok=True)
        for path in self._place.glob("*.mark"):
            with suppress(FormatError, OSError, ValueError):
                mark = ShardMark.from_json(path.read_bytes())
                if all(_has_size(self.folder / name, found.size) for name, found in mark.files.items()):
                    self.marks[int(path.stem)] = mark

    def _can_take_place(self) -> bool:
        """Whether the folder that is said to be whole is this one, and not the old output, with which it was exchanged."""
        try:
            inode = int((self._place / _WHOLE).read_text())
            found = StoreFacts.read(self.folder)
            if self.folder.stat().st_ino != inode or _difference(found, self._facts) is not None:
                return False
            check_manifest(self.folder)
        except (OSError, ValueError):
            return False
        return True

    def journal(self, index: int) -> Path:
        """Where the writer of a shard may say how far it is; removed with its mark."""
        return self._place / f"{shard_name(index)}.journal"

    def mark(self, index: int, mark: ShardMark) -> None:
        """Says that a shard is complete, once its files are on the disk.

        The mark need not be there: without it, or cut off by a power failure, the shard is written once more.
        """
        with remedy_added(self._place):
            path = self._place / f"{shard_name(index)}.mark"
            new = path.with_suffix(".new")
            new.write_text(mark.to_json(), encoding="utf-8")
            os.replace(new, path)
            self.journal(index).unlink(missing_ok=True)
        self.marks[index] = mark

    def finish(self, ledger: Ledger, extra: Mapping[str, FileSum] | None = None) -> TokenStore:
        """Puts the finished folder in the place of the target; an older output is removed after that.

        `ledger` is what happened before; the stages of the shards are added to it as one. `extra` are files that were put
        beside the shards.
        """
        with remedy_added(self._place):
            if not self.is_whole:
                self._write_facts(ledger, extra or {})
                (self._place / _WHOLE).write_text(str(self.folder.stat().st_ino))
                sync(self._place / _WHOLE)
            drop = (
                [path.name for path in self._target.iterdir() if _STORE_FILE.fullmatch(path.name)]
                if self._target.exists()
                else []
            )
            take_place(self.folder, self._target, self._place, drop=drop)
        return TokenStore.load(self._target, check="sizes")

    def _write_facts(self, ledger: Ledger, extra: Mapping[str, FileSum]) -> None:
        marks = [self.marks[index] for index in sorted(self.marks)]
        facts = joined_facts(self._facts, marks, ledger)
        for path in self.folder.iterdir():  # of a shard that was begun and cut otherwise
            if path.name not in {*facts.files, *extra} and path.is_file():
                path.unlink()
        facts.write(self.folder)
        sums = {name: found for mark in marks for name, found in mark.files.items()}
        write_manifest(self.folder, (STORE, *facts.files, *extra), {**sums, **extra})


def joined_facts(facts: StoreFacts, marks: list[ShardMark], ledger: Ledger) -> StoreFacts:
    """The facts of a store of these shards, with the sum of their stages after the stages of `ledger`."""
    stage = None
    for mark in marks:
        stage = mark.stage if stage is None else stage + mark.stage
    whole = ledger if stage is None else ledger.with_stage(stage)
    return replace(facts, shards=tuple(mark.shard for mark in marks), ledger=whole)


@contextmanager
def remedy_added(folder: Path) -> Iterator[None]:
    """Re-raises an error of writing with the folder and the remedy."""
    try:
        yield
    except OSError as cause:
        if cause.filename is not None:
            raise
        message = f"{cause.strerror or cause}; what was encoded is kept, so the same call goes on from there"
        raise OSError(cause.errno, message, str(folder)) from cause


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
