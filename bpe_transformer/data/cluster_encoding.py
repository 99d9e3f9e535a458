"""`encode --file` on a cluster: the units of the files are encoded where there is a core, and become the store of one machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bpe_transformer.data.cluster import on_cluster
from bpe_transformer.io import lock_output
from bpe_transformer.ledger import Ledger
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.files import FileOptions, FileUnits
from bpe_transformer.tokenizer.store import StoreFacts
from bpe_transformer.tokenizer.store.remote_files import is_url
from bpe_transformer.tokenizer.store.shared_store import Delivered, RemoteStore, UnitEncoder
from bpe_transformer.tokenizer.store.unfinished_store import ShardMark, UnfinishedStore, made_before

Progress = Callable[[int, int], object]


def encode_files_on_cluster(
    tokenizer: Tokenizer,
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: FileOptions,
    *,
    cluster: str,
    overwrite: bool = False,
    fail_above: float | None = None,
    progress: Progress | None = None,
) -> StoreFacts:
    """As `Tokenizer.encode_files`, on the Ray cluster at the address `cluster`; `out` may be a URL. Gives back the facts.

    Sources and output have to be reachable under the same paths or URLs from all its machines. The bytes of the store, and
    so its `sha256`, are those of one machine.
    """
    work = FileUnits.of(tokenizer.codec, paths, out, options)
    alone = FileUnits(tokenizer.codec, work.sources, replace(options, num_threads=1))

    def note(done: int) -> None:
        if progress is not None:
            progress(done, work.total)

    return write_on_cluster(
        alone, work.facts, len(work.units), out, cluster, overwrite, note, Ledger(),
        lambda store: work.check_losses(store, fail_above),
    )  # fmt: skip


def write_on_cluster(
    work: UnitEncoder,
    facts: StoreFacts,
    num_units: int,
    out: str | os.PathLike[str],
    cluster: str,
    overwrite: bool,
    report: Callable[[int], None],
    before: Ledger,
    check: Callable[[Any], None],
) -> StoreFacts:
    """Has all units that are not marked encoded and delivered, and finishes the store. `report` gets what was read."""
    with ExitStack() as stack:
        store: UnfinishedStore | RemoteStore
        if is_url(out):
            store = RemoteStore(os.fspath(out), facts, overwrite=overwrite)
            place = store.place
        else:
            stack.enter_context(lock_output(out, reentrant=True))
            if (found := made_before(out, facts, overwrite=overwrite)) is not None:
                return found.facts
            store = stack.enter_context(UnfinishedStore(Path(out).resolve(), facts))
            place = str(store.folder)
        if not store.is_whole:
            done = sum(mark.read for mark in store.marks.values())
            left = [unit for unit in range(num_units) if unit not in store.marks]
            mark: ShardMark
            for unit, mark in on_cluster(Delivered(work, place), left, cluster):
                store.mark(unit, mark)
                done += mark.read
                report(done)
            check(store)
        finished = store.finish(before)
        return finished if isinstance(finished, StoreFacts) else finished.facts
