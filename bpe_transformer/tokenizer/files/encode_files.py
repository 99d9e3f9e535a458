"""Files and folders to a token store, read where they lie and resumed after a kill.

The sources are cut into units of work, the same wherever they are encoded; a unit becomes a shard. Ids are appended to the
files of the shard, and every second a line of its journal says how far everything is that has reached the disk. A run that
finds such a journal cuts the files back to its last line and goes on from there. When all shards are complete the folder,
bound by a manifest, takes the place of the output in one step (see `store/unfinished_store.py`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from bpe_transformer.errors import CorpusError, EncodingError, SpecialTokenError
from bpe_transformer.io import ErrorsOrKeep, lock_output, read_ahead
from bpe_transformer.ledger import Ledger, Stage, StageRecorder
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.framing import Frame
from bpe_transformer.tokenizer.encoding.special_tokens import SpecialNames, named
from bpe_transformer.tokenizer.files.file_texts import FileTexts, Group
from bpe_transformer.tokenizer.files.source_files import UNIT_BYTES, Piece, Source, find_sources, plan_units
from bpe_transformer.tokenizer.store import Layout, ShardWriter, StoreFacts, TokenStore, id_dtype
from bpe_transformer.tokenizer.store.shards import LAYOUTS, shard_name
from bpe_transformer.tokenizer.store.unfinished_store import ShardMark, UnfinishedStore, made_before, remedy_added

Progress = Callable[[int, int], object]
Documents = Literal["file", "line"]
_PLAN_VERSION = 2  # raise it when the same files give other rows
_SYNC_SECONDS = 1.0
_COLUMN = "ids"


@dataclass(frozen=True)
class FileOptions:
    """How files become documents and ids; see `Tokenizer.encode_files`."""

    format: Layout = "npy"
    documents: Documents = "file"
    glob: str = "**/*"
    errors: ErrorsOrKeep = "strict"
    num_threads: int | None = None
    allowed_special: SpecialNames = frozenset()
    disallowed_special: SpecialNames = "all"
    add_bos: bool = False
    add_eos: bool = False
    unit_bytes: int = UNIT_BYTES

    def check(self) -> None:
        for name, value, choices in (
            ("format", self.format, LAYOUTS), ("documents", self.documents, ("file", "line")),
            ("errors", self.errors, ("strict", "replace", "keep")),
        ):  # fmt: skip
            if value not in choices:
                raise CorpusError(f"{name}={value!r} is unknown; choose {', '.join(choices[:-1])} or {choices[-1]}")
        named("allowed_special", self.allowed_special)
        named("disallowed_special", self.disallowed_special)


def encode_files(
    codec: Codec,
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: FileOptions,
    overwrite: bool = False,
    fail_above: float | None = None,
    progress: Progress | None = None,
) -> TokenStore:
    """See `Tokenizer.encode_files`."""
    work = FileUnits.of(codec, paths, out, options)
    with lock_output(out):
        if (found := made_before(out, work.facts, overwrite=overwrite)) is not None:
            found.ledger.check(fail_above)
            return found
        with UnfinishedStore(Path(out).resolve(), work.facts) as store:
            if not store.is_whole:
                done = sum(mark.read for mark in store.marks.values())
                for unit in range(len(work.units)):
                    if unit in store.marks:
                        continue

                    def report(read: int, before: int = done) -> None:
                        if progress is not None:
                            progress(before + read, work.total)

                    mark = work.encode(unit, store.folder, store.journal(unit), report)
                    store.mark(unit, mark)
                    done += mark.read
                work.check_losses(store, fail_above)
            return store.finish(Ledger())


class FileUnits:
    """The units of work that make files a store; any of them can be encoded by itself."""

    def __init__(self, codec: Codec, sources: Sequence[Source], options: FileOptions) -> None:
        allowed, disallowed = (
            named("allowed_special", options.allowed_special),
            named("disallowed_special", options.disallowed_special),
        )
        self._codec, self._special = codec, (allowed, disallowed)
        self._options, self.sources = options, sources
        self._frame = Frame.of(codec.model, options.add_bos, options.add_eos)
        self._texts = FileTexts(sources, codec, options.documents, options.errors, allowed, disallowed)
        self.units = plan_units(sources, options.documents, options.unit_bytes)
        self.total = sum(source.size for source in sources)
        plan: dict[str, Any] = {
            "version": _PLAN_VERSION, "documents": options.documents, "errors": options.errors,
            "allowed_special": _listed(allowed), "disallowed_special": _listed(disallowed),
            "unit_bytes": options.unit_bytes, "sources": [asdict(source) for source in sources],
        }  # fmt: skip
        model, ends = codec.model, {_COLUMN: (self._frame.prefix_ids, self._frame.suffix_ids)}
        self.facts = StoreFacts(
            model.digest, model.vocab_size, (_COLUMN,), (), Ledger(), ends, layout=options.format, source=plan
        )

    @classmethod
    def of(
        cls,
        codec: Codec,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        options: FileOptions,
    ) -> FileUnits:
        """The units of the files that `paths` name."""
        options.check()
        return cls(codec, find_sources(paths, options.glob, besides=out), options)

    def encode(
        self, unit: int, folder: Path, journal: Path | None = None, report: Callable[[int], None] | None = None
    ) -> ShardMark:
        """Encodes a unit to its shard in `folder`; goes on where `journal` says."""
        dtype = id_dtype(self.facts.vocab_size)
        with ShardWriter(folder, shard_name(unit), (_COLUMN,), (), dtype, opened=False) as writer:
            progress = _UnitProgress(writer, journal)
            with remedy_added(folder):
                progress.resume()
            pieces: list[Piece] = self.units[unit]
            try:
                at = progress.state
                groups = self._texts.groups(pieces, at.piece, at.position)
                with closing(read_ahead(groups, depth=1, size=lambda group: group.num_bytes)) as ahead:
                    for group in ahead:
                        encodings = self._encode(group)
                        with remedy_added(folder):
                            progress.append(group, encodings, self._frame)
                        if report is not None:
                            report(group.done)
            except BaseException:
                progress.save_if_possible()
                raise
            with remedy_added(folder):
                shard, sums = writer.finish(self._options.format)
            progress.close()
        read = sum((piece.stop or self.sources[piece.source].size) - piece.start for piece in pieces)
        return ShardMark(shard, sums, progress.state.stage(), read)

    def _encode(self, group: Group) -> Encodings:
        """The ids of a group. Errors name the file."""
        try:
            return self._codec.encode_batch(group.rows, self._options.num_threads, *self._special)
        except (EncodingError, SpecialTokenError):
            for index, text in enumerate(group.rows):
                try:
                    self._codec.encode(text, *self._special)
                except (EncodingError, SpecialTokenError) as cause:
                    raise type(cause)(f"{group.origin(index)}: {cause}") from None
            raise

    def check_losses(self, store: UnfinishedStore, fail_above: float | None) -> None:
        """Raises `DataLossError` if more was lost than `fail_above` allows; what was written is then dropped."""
        stage = sum((mark.stage for _, mark in sorted(store.marks.items())), start=StageRecorder().stage("encode"))
        marks = dict(store.marks)
        store.marks.clear()
        Ledger((stage,)).check(fail_above)
        store.marks.update(marks)


@dataclass(frozen=True)
class _State:
    """How far a unit is: at byte `position` of the piece with index `piece`, with the totals up to there."""

    piece: int = 0
    position: int | None = None
    rows: int = 0
    ids: int = 0
    bytes: int = 0
    line_breaks: int = 0
    replaced: int = 0

    def stage(self) -> Stage:
        recorder = StageRecorder()
        recorder.keep(self.bytes - self.line_breaks, self.rows)
        if self.line_breaks:
            recorder.drop("line breaks", self.line_breaks, 0)
        recorder.replace(self.replaced)
        return recorder.stage("encode")


class _UnitProgress:
    """A unit while it is written: its shard, its journal if it has one, and how far both are."""

    def __init__(self, writer: ShardWriter, journal: Path | None) -> None:
        self._writer, self._path = writer, journal
        self._journal: BinaryIO | None = None
        self._logged = time.monotonic()
        self.state = _State()

    def resume(self) -> None:
        """Continues an earlier run if all that its journal names is there."""
        if self._path is not None:
            self._journal = open(self._path, "a+b")  # noqa: SIM115
            self._journal.seek(0)
            data = self._journal.read()
            whole = data.rfind(b"\n") + 1  # text after the last newline is a line that was cut off
            with suppress(ValueError, TypeError, KeyError):
                last = _State(**json.loads(data[:whole].splitlines()[-1])) if whole else _State()
                if self._writer.can_resume(last.rows, {_COLUMN: last.ids}):
                    self.state = last
            self._journal.truncate(whole if self.state != _State() else 0)
        self._writer.resume(self.state.rows, {_COLUMN: self.state.ids})

    def append(self, group: Group, encodings: Encodings, frame: Frame) -> None:
        """Writes the framed ids of a group, and about once a second the state to the journal."""
        lengths = np.diff(encodings.row_starts)
        ids, row_starts, is_text = frame.layout(lengths, group.begins, group.ends, self._writer.dtype)
        ids[is_text] = encodings.ids
        ends = row_starts[1:][group.ends]
        self._writer.append_open(_COLUMN, ids, ends)
        state = self.state
        self.state = _State(
            group.piece, group.position, state.rows + len(ends), state.ids + len(ids), state.bytes + group.num_bytes,
            state.line_breaks + group.line_breaks, state.replaced + group.replaced,
        )  # fmt: skip
        if time.monotonic() - self._logged >= _SYNC_SECONDS:
            self._save()

    def _save(self) -> None:
        """Writes the state to the journal, after the ids are on the disk: after a power failure it must not name more."""
        if self._journal is None or self._journal.closed:
            return
        self._writer.sync()
        self._journal.write(json.dumps(asdict(self.state)).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._logged = time.monotonic()

    def save_if_possible(self) -> None:
        """Keeps what was done before an error; the first error is raised, not one of this."""
        with suppress(OSError, ValueError):
            if self.state != _State():
                self._save()
        self.close()

    def close(self) -> None:
        if self._journal is not None:
            with suppress(OSError):
                self._journal.close()


def _listed(names: SpecialNames) -> list[str] | str:
    return names if isinstance(names, str) else sorted(names)
