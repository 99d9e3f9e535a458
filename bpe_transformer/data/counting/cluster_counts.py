"""`count` on a cluster: every unit of the files is counted to a file of counts, and these are added in a tree.

No process holds more than `max_memory` of counts, however many there are. What a unit or a sum came to lies in a shared
folder under a name of its own, so that a killed driver or worker goes on there.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from bpe_transformer.data.cluster import connected, on_cluster
from bpe_transformer.data.corpora import local_files
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import DEFAULT_ERRORS, ByteFile, Errors, atomic_file, file_format, lock_output
from bpe_transformer.io.workspaces import remove_workspace, resumable_workspace
from bpe_transformer.ledger import Ledger
from bpe_transformer.tokenizer import PretokenCounter, Pretokenizer
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.facts import CountFacts, read_stage_of
from bpe_transformer.tokenizer.files.source_files import (
    UNIT_BYTES,
    Piece,
    Source,
    find_tables_and_texts,
    first_line,
    open_source,
    plan_units,
)
from bpe_transformer.tokenizer.store.remote_files import filesystem_of, is_url
from bpe_transformer.tokenizer.store.shared_store import deliver

Progress = Callable[[int, int], object]
FAN_IN = 16  # files of counts that are added at once
_MAX_MEMORY = "1GB"  # of a task, where nothing is said


@dataclass(frozen=True)
class ClusterCounting:
    """How files are counted on a cluster; see `PretokenCounter`. unit_bytes: of text in a unit of work."""

    pretokenizer: Pretokenizer
    documents: str = "file"
    columns: tuple[str, ...] | None = None
    errors: Errors = DEFAULT_ERRORS
    max_memory: int | str = _MAX_MEMORY
    unit_bytes: int = UNIT_BYTES

    def counter(self, folder: Path) -> PretokenCounter:
        return PretokenCounter(self.pretokenizer, 1, max_memory=self.max_memory, spill_dir=folder)


def count_on_cluster(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: ClusterCounting,
    *,
    cluster: str,
    progress: Progress | None = None,
    fail_above: float | None = None,
) -> dict[str, Any]:
    """Counts files and folders on the Ray cluster at the address `cluster` to the file of counts `out`; returns its facts.

    Paths and `out` may be URLs; all machines of the cluster have to reach them. Where each line is a document, large files
    that are not compressed are counted in pieces. The counts are those of one machine. Raises `DataLossError`, and writes
    nothing, if a larger share than `fail_above` (0 to 1) was lost in reading.
    """
    sources = find_tables_and_texts(paths)
    units = _units(sources, options)
    total = sum(source.size for source in sources)
    with ExitStack() as stack:
        place = stack.enter_context(_shared_place(out, _plan(sources, options)))
        stack.enter_context(connected(cluster))  # once for counting and adding
        there = _names(place)
        done = sum(_bytes(units[unit], sources) for unit in range(len(units)) if _unit_file(unit) in there)
        left = [unit for unit in range(len(units)) if _unit_file(unit) not in there and _is_needed(unit, there)]
        for unit, _ in on_cluster(_CountUnit(sources, units, options, place), left, cluster):
            done += _bytes(units[unit], sources)
            if progress is not None:
                progress(done, total)
        last = _add_all(len(units), place, options, cluster)
        return _take(place, last, out, fail_above)


def _units(sources: Sequence[Source], options: ClusterCounting) -> list[list[Piece]]:
    """As `plan_units`, but tables are counted whole."""
    units: list[list[Piece]] = []
    for number, source in enumerate(sources):
        lines = options.documents == "line" and file_format(source.path) == ".txt"
        found = plan_units([source], "line" if lines else "file", options.unit_bytes)
        units += [[Piece(number, piece.start, piece.stop) for piece in unit] for unit in found]
    return units


def _bytes(pieces: Sequence[Piece], sources: Sequence[Source]) -> int:
    return sum((piece.stop or sources[piece.source].size) - piece.start for piece in pieces)


def _plan(sources: Sequence[Source], options: ClusterCounting) -> str:
    facts = {
        **asdict(options),
        "pretokenizer": options.pretokenizer.facts(),
        "sources": [asdict(one) for one in sources],
    }
    return json.dumps(facts, sort_keys=True, default=str)


# --- the shared folder ---------------------------------------------------------------------------------------------------


@contextmanager
def _shared_place(out: str | os.PathLike[str], plan: str) -> Iterator[str]:
    """The folder or URL of the counts on their way; what another plan left there is removed."""
    if is_url(out):
        place = f"{os.fspath(out)}.parts"
        _prepare_place(place, plan)
        yield place
        system, root = filesystem_of(place)
        system.rm(root, recursive=True)
        return
    target = Path(out).resolve()
    with lock_output(out, reentrant=True), resumable_workspace(target) as folder:
        place = str(folder / "counts")
        Path(place).mkdir(exist_ok=True)
        _prepare_place(place, plan)
        yield place
        remove_workspace(folder)


def _prepare_place(place: str, plan: str) -> None:
    names = _names(place)
    if "plan.json" in names and _read(place, "plan.json") == plan:
        return
    for name in names:
        _remove(place, name)
    with tempfile.TemporaryDirectory(dir=None if is_url(place) else place) as folder:
        file = Path(folder) / "plan.json"
        file.write_text(plan, encoding="utf-8")
        deliver(file, place, "plan.json")


def _names(place: str) -> set[str]:
    if not is_url(place):
        return {entry.name for entry in os.scandir(place) if entry.is_file()}
    system, root = filesystem_of(place)
    return {Path(name).name for name in system.ls(root, detail=False)} if system.exists(root) else set()


def _read(place: str, name: str) -> str:
    if not is_url(place):
        return (Path(place) / name).read_text(encoding="utf-8")
    system, root = filesystem_of(place)
    return bytes(system.cat_file(f"{root}/{name}")).decode()


def _remove(place: str, name: str) -> None:
    if not is_url(place):
        (Path(place) / name).unlink(missing_ok=True)
        return
    system, root = filesystem_of(place)
    system.rm_file(f"{root}/{name}")


def _fetched(place: str, name: str, folder: Path) -> Path:
    """A file of the shared folder on this machine."""
    if not is_url(place):
        return Path(place) / name
    system, root = filesystem_of(place)
    system.get_file(f"{root}/{name}", str(folder / name))
    return folder / name


def _take(place: str, name: str, out: str | os.PathLike[str], fail_above: float | None) -> dict[str, Any]:
    """Puts the last sum at `out`; returns its facts. Raises `DataLossError` before that."""
    with tempfile.TemporaryDirectory() as folder:
        file = _fetched(place, name, Path(folder))
        facts, _ = counts_file.read(file)
        Ledger((read_stage_of(CountFacts.from_json(facts).sources),)).check(fail_above)
        if is_url(out):
            parent, _, last = os.fspath(out).rpartition("/")
            deliver(file, parent, last)
        else:
            with atomic_file(out) as new:
                shutil.copyfile(file, new)
    return dict(facts)


# --- tasks ---------------------------------------------------------------------------------------------------------------


def _unit_file(unit: int) -> str:
    return f"unit-{unit:06d}.parquet"


def _sum_file(level: int, number: int) -> str:
    return f"sum-{level}-{number:06d}.parquet"


def _is_needed(unit: int, there: set[str]) -> bool:
    """Whether no sum has taken a unit in already."""
    return not any(_sum_file(level, unit // FAN_IN**level) in there for level in range(1, 12))


@dataclass(frozen=True)
class _CountUnit:
    sources: Sequence[Source]
    units: Sequence[Sequence[Piece]]
    options: ClusterCounting
    place: str

    def __call__(self, unit: int) -> None:
        within = None if is_url(self.place) else self.place
        with tempfile.TemporaryDirectory(prefix=".task-", dir=within) as folder:
            counter = self.options.counter(Path(folder))
            for piece in self.units[unit]:
                self._add(counter, piece, Path(folder))
            file = Path(folder) / _unit_file(unit)
            counter.save(file)
            deliver(file, self.place, file.name)

    def _add(self, counter: PretokenCounter, piece: Piece, folder: Path) -> None:
        source, options = self.sources[piece.source], self.options
        chosen: dict[str, Any] = {"documents": options.documents, "errors": options.errors}
        if not piece.is_whole or (is_url(source.path) and file_format(source.path) == ".txt"):
            limits = _limits(source, piece)
            with open_source(source) as file:
                stretch = cast(BinaryIO, io.BufferedReader(_Stretch(file, *limits), 1 << 20))
                return counter.add_stream(stretch, name=source.path, **chosen)
        path = Path(source.path)
        if is_url(source.path):
            system, name = filesystem_of(source.path)
            path = folder / Path(name).name
            system.get_file(name, str(path))
        columns = None if local_files.is_text(path) else options.columns
        counter.add_file(path, columns=columns, **chosen)


def _limits(source: Source, piece: Piece) -> tuple[int, int | None]:
    start = first_line(source, piece.start) if piece.start else 0
    return start, None if piece.stop is None else first_line(source, piece.stop)


class _Stretch(io.RawIOBase):
    """The bytes of a file from `start` to before `stop`."""

    def __init__(self, file: ByteFile, start: int, stop: int | None) -> None:
        self._file, self._left = file, None if stop is None else stop - start
        if start:
            file.skip(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        got = self._file.readinto(view if self._left is None else view[: self._left])
        self._left = None if self._left is None else self._left - got
        return got


@dataclass(frozen=True)
class _AddCounts:
    """Adds the files of a group to one, and removes them."""

    groups: Sequence[Sequence[str]]
    level: int
    options: ClusterCounting
    place: str

    def __call__(self, number: int) -> None:
        within = None if is_url(self.place) else self.place
        with tempfile.TemporaryDirectory(prefix=".task-", dir=within) as folder:
            if _sum_file(self.level, number) not in _names(self.place):  # done by a task whose machine was lost
                counter = self.options.counter(Path(folder))
                for name in self.groups[number]:
                    counter.add_counts(_fetched(self.place, name, Path(folder)))
                file = Path(folder) / _sum_file(self.level, number)
                counter.save(file)
                deliver(file, self.place, file.name)
        for name in self.groups[number]:
            if name in _names(self.place):
                _remove(self.place, name)


def _add_all(num_units: int, place: str, options: ClusterCounting, cluster: str) -> str:
    """The name of the file of the sum of all units."""
    names = [_unit_file(unit) for unit in range(num_units)]
    if not names:
        raise CorpusError("there is nothing to count; name a file that holds text")
    level = 0
    while len(names) > 1:
        level += 1
        groups = [names[start : start + FAN_IN] for start in range(0, len(names), FAN_IN)]
        there = _names(place)
        missing = [
            number
            for number in range(len(groups))
            if not any(_sum_file(above, number // FAN_IN ** (above - level)) in there for above in range(level, 12))
        ]
        for _ in on_cluster(_AddCounts(groups, level, options, place), missing, cluster):
            pass
        names = [_sum_file(level, number) for number in range(len(groups))]
    return names[0]
