"""Files and folders to ids on disk: `.npy` or Arrow, mapped into memory when read, resumed after a kill.

Ids are appended to files in a private folder beside the output (see `io/workspaces.py`), and every second a line of a
journal says how far everything is that has reached the disk. A run that finds such a folder cuts the files back to the last
line and goes on from there. When all is done the folder in it, bound by a manifest, takes the place of the output in one step.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import CorpusError, DigestMismatchError, EncodingError, FormatError, SpecialTokenError
from bpe_transformer.io import ErrorsOrKeep, damage_named, read_facts
from bpe_transformer.io.atomic import sync, take_place
from bpe_transformer.io.locks import lock_output
from bpe_transformer.io.manifest import MANIFEST, check_files, check_manifest, write_manifest
from bpe_transformer.io.npy_files import map_npy
from bpe_transformer.io.workspaces import remove_resumable, remove_workspace, resumable_workspace
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.encodings import NPY_HEADER, Encodings, npy_header
from bpe_transformer.tokenizer.encoding.framing import Frame
from bpe_transformer.tokenizer.encoding.special_tokens import SpecialNames, named
from bpe_transformer.tokenizer.files.file_texts import FileTexts, Group, find_sources

Format = Literal["npy", "arrow"]
Progress = Callable[[int, int], object]
_VERSION = 1
_FACTS = "encoded.json"
_JOURNAL = "journal.jsonl"
_COLUMNS = ("ids.npy", "offsets.npy")
_ARROW = "ids.arrow"
_WHOLE = "whole"  # beside the output that is whole: its inode
_FILES = (*_COLUMNS, _ARROW, _FACTS, _JOURNAL, MANIFEST)
_SYNC_SECONDS = 1.0
_ANEW = "make it anew with encode_files"


@dataclass(frozen=True)
class Totals:
    """Totals of the sources encoded so far: documents (and how many of them have no ids), bytes read, ids written.

    `replaced` counts the places where U+FFFD replaced bytes that are not UTF-8.
    """

    documents: int = 0
    empty: int = 0
    bytes: int = 0
    ids: int = 0
    replaced: int = 0


class HasDigest(Protocol):
    """An object with the digest of a tokenizer."""

    @property
    def digest(self) -> str: ...


@dataclass(frozen=True)
class EncodedFiles:
    """A folder of encoded files: `encodings` are mapped into memory, one for each document, in the order of `sources`."""

    path: Path
    encodings: Encodings
    totals: Totals
    digest: str
    sources: tuple[str, ...]

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        tokenizer: HasDigest | None = None,
        *,
        check: Literal["sizes", "sha256"] = "sha256",
    ) -> EncodedFiles:
        """Reads all files once to compare them with the folder's manifest; `check="sizes"` only finds what is cut off.

        Raises `FormatError` if `path` is not a folder of encoded files, `DigestMismatchError` if another tokenizer
        made it.
        """
        folder = Path(path)
        check_files(folder, _FILES, check=check)
        try:
            with damage_named(folder / _FACTS, _ANEW):
                facts = read_facts(folder / _FACTS)
                plan = facts.child("plan")
                version = plan.get("version", int)
            _check_version(folder, version)
            with damage_named(folder / _FACTS, _ANEW):
                counted = facts.child("totals")
                totals = Totals(**{field.name: counted.number(field.name) for field in fields(Totals)})
                digest, sources = plan.get("digest", str), tuple(s.get("path", str) for s in plan.children("sources"))
                format, vocab_size = plan.get("format", str), facts.number("vocab_size", high=1 << 32, default=None)
            encodings = _read(folder, format)
        except FileNotFoundError as cause:
            raise FormatError(
                f"{folder} holds no encoded files ({cause.filename} is missing); make it with encode_files"
            ) from None
        if (len(encodings), len(encodings.ids)) != (totals.documents, totals.ids):
            raise FormatError(f"{folder} is damaged: it does not hold the {totals.ids} ids it names; {_ANEW}")
        if tokenizer is not None and digest != tokenizer.digest:
            raise DigestMismatchError(
                f"{folder} was encoded with the tokenizer {digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "encode it again, or load the tokenizer it belongs to"
            )
        if check == "sha256":
            _check_ids(folder, encodings.ids, vocab_size)
        return cls(folder, encodings, totals, digest, sources)


@dataclass(frozen=True)
class _State:
    """How far a run is: at byte `position` of the source with index `source`, with the totals up to there."""

    source: int = 0
    position: int = 0
    totals: Totals = Totals()
    closed: int = 0  # ids up to the end of the last whole document


def encode_files(
    codec: Codec,
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    format: Format,
    documents: Literal["file", "line"],
    glob: str,
    errors: ErrorsOrKeep,
    num_threads: int | None,
    allowed_special: SpecialNames,
    disallowed_special: SpecialNames,
    add_bos: bool,
    add_eos: bool,
    overwrite: bool,
    progress: Progress | None,
) -> EncodedFiles:
    """See `Tokenizer.encode_files`."""
    allowed, disallowed = (
        named("allowed_special", allowed_special),
        named("disallowed_special", disallowed_special),
    )
    frame = Frame.of(codec.model, add_bos, add_eos)
    sources = find_sources(paths, glob, besides=out)
    plan: dict[str, Any] = {
        "version": _VERSION, "digest": codec.model.digest, "format": format, "documents": documents, "errors": errors,
        "allowed_special": _listed(allowed), "disallowed_special": _listed(disallowed),
        "bos": list(frame.prefix_ids), "eos": list(frame.suffix_ids), "sources": [asdict(source) for source in sources],
    }  # fmt: skip
    for name, value, choices in (("format", format, ("npy", "arrow")), ("documents", documents, ("file", "line"))):
        if value not in choices:
            raise CorpusError(f"{name}={value!r} is unknown; choose {' or '.join(choices)}")
    target = Path(out).resolve()
    if target.is_dir() and target.is_mount():
        raise CorpusError(f"{out} is a mount point, which cannot be replaced at once; name a folder in it")
    with lock_output(out):
        if target.exists() and not _is_empty(target):
            found = _facts(target)
            if not overwrite:
                _check_same(target, found, plan)
                remove_resumable(target)  # of a run that was killed when its output was in place
                return EncodedFiles.load(target)
        with _UnfinishedOutput(target, plan, len(codec.model.tokens)) as output:
            texts = FileTexts(sources, codec, documents, errors, allowed, disallowed)
            total = sum(source.size for source in sources)
            for group in () if output.is_whole else texts.groups(output.state.source, output.state.position):
                encodings = _encode(codec, group, num_threads, allowed, disallowed)
                output.append(group, encodings, frame)
                if progress is not None:
                    progress(min(group.done, total), total)
            output.finish()
        return EncodedFiles.load(target, check="sizes")


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _encode(
    codec: Codec, group: Group, num_threads: int | None, allowed: SpecialNames, disallowed: SpecialNames
) -> Encodings:
    """The ids of a group. Errors name the file."""
    try:
        return codec.encode_batch(group.rows, num_threads, allowed, disallowed)
    except (EncodingError, SpecialTokenError):
        for index, text in enumerate(group.rows):
            try:
                codec.encode(text, allowed, disallowed)
            except (EncodingError, SpecialTokenError) as cause:
                raise type(cause)(f"{group.origin(index)}: {cause}") from None
        raise


def _listed(names: SpecialNames) -> list[str] | str:
    return names if isinstance(names, str) else sorted(names)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        plan: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))["plan"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FormatError(f"{folder} exists and holds no encoded files; name another folder, or remove it") from None
    return plan


def _check_version(folder: Path, version: object) -> None:
    """Raises `FormatError` for encoded files of another version than this one writes."""
    if version != _VERSION:
        raise FormatError(
            f"{folder} has version {version} of the encoded files' format, this program knows {_VERSION}; "
            "use the version of bpe-transformer that wrote it, or make it anew with overwrite=True (--overwrite)"
        )


def _check_same(folder: Path, found: dict[str, Any], plan: dict[str, Any]) -> None:
    """Raises `DigestMismatchError` if what lies in `folder` is not what `plan` would make."""
    _check_version(folder, found.get("version", _VERSION))
    if found.get("digest") != plan["digest"]:
        cause = f"the tokenizer {str(found.get('digest'))[:12]}…, not {plan['digest'][:12]}…"
    elif found.get("sources") != plan["sources"]:
        before = {str(source.get("path")): source for source in found.get("sources", [])}
        now = {source["path"]: source for source in plan["sources"]}
        changed = [path for path in sorted({*before, *now}) if before.get(path) != now.get(path)]
        cause = f"other sources: {changed[0]} is another" if changed else "other sources: their order changed"
    elif different := [name for name in plan if found.get(name) != plan[name]]:
        cause = f"{different[0]}={found.get(different[0])!r}, not {plan[different[0]]!r}"
    else:
        return
    raise DigestMismatchError(
        f"{folder} was made with {cause}; pass overwrite=True (--overwrite) to make it anew, or name another folder"
    )


class _UnfinishedOutput:
    """The output while it is written: a private folder beside the target, with the ids so far and a journal."""

    def __init__(self, target: Path, plan: dict[str, Any], vocab_size: int) -> None:
        self._target, self._plan, self._vocab_size = target, plan, vocab_size
        self._dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
        self._logged = 0.0  # when the journal was written to
        self._handles: list[Any] = []
        self.state = _State()
        self.is_whole = False  # an earlier run has written all, and was stopped before it took its place

    def __enter__(self) -> _UnfinishedOutput:
        with ExitStack() as stack:
            self._place = stack.enter_context(resumable_workspace(self._target))
            self._folder = self._place / "output"
            with _remedy_added(self._place):
                self._start()
            stack.push(self._close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: Any) -> None:
        self._stack.__exit__(kind, value, trace)

    def _start(self) -> None:
        if os.path.lexists(self._place / _WHOLE):
            if self._can_take_place():
                self.is_whole = True
                return
            shutil.rmtree(self._folder, ignore_errors=True)  # the old output, or that of another call
            (self._place / _WHOLE).unlink()
        self._folder.mkdir(exist_ok=True)
        self._journal = open(self._folder / _JOURNAL, "a+b")  # noqa: SIM115
        self._handles.append(self._journal)
        self._resume()
        self._ids = self._open("ids.npy", self.state.totals.ids * self._dtype.itemsize)
        self._offsets = self._open("offsets.npy", (self.state.totals.documents + 1) * 8)
        if not self.state.totals.documents:
            self._offsets.seek(NPY_HEADER)
            self._offsets.write(np.zeros(1, np.int64).tobytes())
        self._handles += (self._ids, self._offsets)

    def _can_take_place(self) -> bool:
        """Whether the folder that is said to be whole is this one, and not the old output, with which it was exchanged."""
        try:
            inode = int((self._place / _WHOLE).read_text())
            if self._folder.stat().st_ino != inode or _facts(self._folder) != self._plan:
                return False
            check_manifest(self._folder)
        except (OSError, ValueError):
            return False
        return True

    def _close(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._handles:
            with suppress(OSError, ValueError):  # the first error is raised, not one of this
                self._log_state()
        for handle in self._handles:
            with suppress(OSError):  # a full disk has raised an error already
                handle.close()
        if kind is None or (
            self.state == _State() and not self.is_whole
        ):  # all is in its place, or nothing is worth to go on with
            remove_workspace(self._place)

    def _resume(self) -> None:
        """Continues an earlier run if it had the same plan and all that its journal names is there."""
        self._journal.seek(0)
        data = self._journal.read()
        whole = data.rfind(b"\n") + 1  # text after the last newline is a line that was cut off
        try:
            entries = [json.loads(line) for line in data[:whole].splitlines()]
            last = _State(**{**entries[-1], "totals": Totals(**entries[-1]["totals"])}) if entries[1:] else _State()
        except (ValueError, TypeError, KeyError):
            entries, last = [], _State()
        sizes = (last.totals.ids * self._dtype.itemsize, (last.totals.documents + 1) * 8)
        if entries[:1] == [self._plan] and all(
            _size(self._folder / name) >= NPY_HEADER + size for name, size in zip(_COLUMNS, sizes, strict=True)
        ):
            self.state = last
            self._journal.truncate(whole)
            return
        self._journal.truncate(0)
        self._log(self._plan)

    def _log(self, entry: dict[str, Any]) -> None:
        self._journal.write(json.dumps(entry).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._logged = time.monotonic()

    def _log_state(self) -> None:
        """Writes the state to the journal, after the ids are on the disk: after a power failure it must not name more."""
        for handle in (self._ids, self._offsets):
            handle.flush()
            os.fsync(handle.fileno())
        self._log(asdict(self.state))

    def _open(self, name: str, kept: int) -> Any:
        path = self._folder / name
        path.touch()
        handle = open(path, "r+b")  # noqa: SIM115
        handle.truncate(NPY_HEADER + kept)
        handle.seek(0, os.SEEK_END)
        return handle

    def append(self, group: Group, encodings: Encodings, frame: Frame) -> None:
        """Writes the framed ids of a group, and about once a second the state to the journal."""
        ids, row_starts, is_text = frame.layout(np.diff(encodings.row_starts), group.begins, group.ends, self._dtype)
        ids[is_text] = encodings.ids
        totals, closed = self.state.totals, self.state.closed
        offsets = totals.ids + row_starts[1:][group.ends]
        lengths = np.diff(offsets, prepend=closed)
        with _remedy_added(self._folder):
            self._ids.write(ids.data)
            self._offsets.write(np.ascontiguousarray(offsets, np.int64).data)
        done = Totals(
            totals.documents + len(offsets), totals.empty + int((lengths == frame.num_ids).sum()),
            totals.bytes + group.num_bytes, totals.ids + len(ids), totals.replaced + group.replaced,
        )  # fmt: skip
        self.state = _State(group.source, group.position, done, int(offsets[-1]) if len(offsets) else closed)
        if time.monotonic() - self._logged >= _SYNC_SECONDS:
            with _remedy_added(self._folder):
                self._log_state()

    def finish(self) -> None:
        """Puts the finished folder in the place of the target; an older output is removed after that."""
        with _remedy_added(self._place):
            if not self.is_whole:
                self._write_rest()
                (self._place / _WHOLE).write_text(str(self._folder.stat().st_ino))
                sync(self._place / _WHOLE)
            for name in (_JOURNAL, *(_COLUMNS if self._plan["format"] == "arrow" else ())):
                (self._folder / name).unlink(missing_ok=True)
            take_place(self._folder, self._target, self._place, drop=_FILES)

    def _write_rest(self) -> None:
        """Writes the headers and the facts, and syncs all files to the disk."""
        self._log_state()
        totals = self.state.totals
        for handle, dtype, length in (
            (self._ids, self._dtype, totals.ids),
            (self._offsets, np.dtype(np.int64), totals.documents + 1),
        ):
            handle.seek(0)
            handle.write(npy_header(dtype, length))
            handle.flush()
            os.fsync(handle.fileno())
        if self._plan["format"] == "arrow":
            _to_arrow(self._folder, self._plan["digest"])
        facts = {"plan": self._plan, "totals": asdict(totals), "vocab_size": self._vocab_size}
        (self._folder / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        write_manifest(self._folder, [_FACTS, *((_ARROW,) if self._plan["format"] == "arrow" else _COLUMNS)])


@contextmanager
def _remedy_added(folder: Path) -> Iterator[None]:
    """Re-raises an error of writing with the folder and the remedy."""
    try:
        yield
    except OSError as cause:
        if cause.filename is not None:
            raise
        message = f"{cause.strerror or cause}; what was encoded is kept, so the same call goes on from there"
        raise OSError(cause.errno, message, str(folder)) from cause


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(handle: Any, folder: Path) -> None:
    """Two runs that write to one folder would mix their ids. Where the system has no such locks, none is taken."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise CorpusError(f"another run is writing {folder}; wait for it, or name another output") from None


def _to_arrow(folder: Path, digest: str) -> None:
    """`ids.arrow`: an Arrow stream with one batch, so that it can be used without a copy."""
    import pyarrow as pa

    encodings = _read(folder, "npy")
    lists = encodings.to_arrow()
    schema = pa.schema([pa.field("ids", lists.type, nullable=False)], metadata={"digest": digest})
    with pa.OSFile(str(folder / "ids.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([lists], schema=schema))
    sync(folder / "ids.arrow")


def _read(folder: Path, format: str) -> Encodings:
    """The ids of a folder, mapped into memory. Raises `FormatError` that names the file and the place."""
    if format == "npy":
        ids, row_starts = (_mapped(folder / name, kinds) for name, kinds in zip(_COLUMNS, ("u2 u4", "i8"), strict=True))
        with damage_named(folder / _COLUMNS[1], _ANEW):
            return Encodings(ids, row_starts)
    import pyarrow as pa

    path = folder / "ids.arrow"
    with damage_named(path, _ANEW, FormatError, pa.ArrowException), pa.memory_map(str(path)) as file:
        column = pa.ipc.open_stream(file).read_all()["ids"]
        kinds = pa.types
        if not kinds.is_large_list(column.type) or column.type.value_type not in (pa.uint16(), pa.uint32()):
            raise FormatError(f"its ids are of type {column.type}")
        if not column.num_chunks:
            return Encodings(np.empty(0, column.type.value_type.to_pandas_dtype()), np.zeros(1, np.int64))
        if column.num_chunks > 1 or column.null_count:
            raise FormatError(f"it holds {column.num_chunks} batches and {column.null_count} nulls")
        return Encodings.from_arrow(column.chunk(0))


def _mapped(path: Path, kinds: str) -> NDArray[Any]:
    with damage_named(path, _ANEW):
        array = map_npy(path)
        if array.dtype.str[1:] not in kinds.split():
            raise FormatError(f"it holds {array.dtype}")
        return array


def _check_ids(folder: Path, ids: NDArray[Any], vocab_size: int | None) -> None:
    """Raises `FormatError` for an id that the vocabulary does not have; folders of earlier versions do not say its size."""
    if vocab_size is not None and len(ids) and (largest := int(ids.max())) >= vocab_size:
        raise FormatError(
            f"{folder} is damaged: id {largest} at position {int(ids.argmax()):,} is out of range, its vocabulary has ids "
            f"0 to {vocab_size - 1}; {_ANEW}"
        )
