"""`TokenStore`: rows of ids on disk, mapped into memory, with the digest of their tokenizer and the ledger of their text."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpe_transformer.errors import ConfigError, DigestMismatchError, FormatError
from bpe_transformer.io import bound_directory
from bpe_transformer.io.manifest import MANIFEST, check_files, listed_files, sum_of
from bpe_transformer.io.npy_files import scratch_array
from bpe_transformer.ledger import Ledger
from bpe_transformer.tokenizer.encoding.encodings import Encodings, Ids
from bpe_transformer.tokenizer.store.shards import ANEW, Shard, check_ids, id_dtype, open_shard, release_pages
from bpe_transformer.tokenizer.store.store_facts import STORE, StoreFacts

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

Check = Literal["sizes", "sha256"]
_OPEN_SHARDS = 512  # mapped at once; a process has some 65,000 mappings
_BLOCK_ROWS = 1 << 16
TOKENIZER = "tokenizer"  # folder of the tokenizer, in what prepare has written


class HasDigest(Protocol):
    """An object with the digest of a tokenizer."""

    @property
    def digest(self) -> str: ...


class TokenStore:
    """A folder of id rows that `prepare` or `encode --file` has written; nothing of it is loaded before it is used.

    A row has ids in each of the columns: "ids", or "src_ids" and "tgt_ids". `take` gathers any rows, `ids_between` cuts a
    column laid end to end, `store[i]` is the row `i` of the first column. `select` gives a view of some rows.
    """

    def __init__(self, path: str | os.PathLike[str], facts: StoreFacts, rows: NDArray[np.int64] | None = None) -> None:
        self.path = Path(path)
        self.facts = facts
        self._rows = rows  # of the whole store, for a view
        self._dtype = id_dtype(facts.vocab_size)
        self._first_rows = np.cumsum([0, *(shard.rows for shard in facts.shards)], dtype=np.int64)
        self._open: OrderedDict[int, Shard] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], tokenizer: HasDigest | None = None, *, check: Check = "sha256"
    ) -> TokenStore:
        """The store in a folder. "sha256" reads all files once to compare them with the manifest; "sizes" only finds what
        is missing or cut off, and row starts are checked when they are first used.

        Raises:
            FormatError: `path` is no store, a later version wrote it, or a file of it is damaged or of another run.
            DigestMismatchError: another tokenizer made the ids.
        """
        folder = Path(path)
        check_files(folder, (STORE,))
        store = cls(folder, StoreFacts.read(folder))
        if tokenizer is not None:
            store.check_digest(tokenizer)
        store.validate(full=check == "sha256")
        return store

    def validate(self, *, full: bool = False) -> None:
        """Compares the files with the manifest: their sizes, or with `full` also their SHA-256 sums, row starts and all ids.

        Raises `FormatError` for the first that is not right.
        """
        check_files(self.path, self.facts.files, check="sha256" if full else "sizes")
        for index, facts in enumerate(self.facts.shards if full else ()):
            shard = self._shard(index)
            check_ids(self.path, facts, shard, self.facts.vocab_size, len(self.labels))
            shard.release()
        if not full:
            for name in self.facts.files:
                if not (self.path / name).is_file():
                    raise FormatError(f"{self.path} is damaged: {name} is missing; {ANEW}")

    def check_digest(self, tokenizer: HasDigest) -> None:
        """Raises `DigestMismatchError` if another tokenizer made the ids."""
        if self.digest != tokenizer.digest:
            raise DigestMismatchError(
                f"{self.path} was encoded with the tokenizer {self.digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "encode it again, or load the tokenizer it belongs to"
            )

    # --- facts ---------------------------------------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """The digest of the tokenizer."""
        return self.facts.digest

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that were encoded, if it were files."""
        return tuple(str(source["path"]) for source in self.facts.source.get("sources", ()))

    @property
    def num_empty(self) -> int:
        """Rows that hold no ids but those that every row begins and ends with."""
        added = [len(prefix) + len(suffix) for prefix, suffix in (self.facts.ends[name] for name in self.columns)]
        return int((self.lengths == added).all(axis=1).sum())

    @property
    def columns(self) -> tuple[str, ...]:
        return self.facts.columns

    @property
    def task(self) -> Literal["translation", "language-model", "classification"]:
        """What the rows are for: texts with labels, pairs to translate, or texts."""
        if "label" in self.facts.values:
            return "classification"
        return "translation" if self.columns == ("src_ids", "tgt_ids") else "language-model"

    @property
    def tokenizer_path(self) -> Path | None:
        """The folder of the tokenizer, where it was kept with the rows."""
        place = self.path / TOKENIZER
        return place if place.is_dir() else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the numbers in `values("label")`, for classification."""
        return self.facts.labels

    @property
    def ledger(self) -> Ledger:
        """What was kept and lost on the way from the text to these rows."""
        return self.facts.ledger

    @cached_property
    def fingerprint(self) -> str:
        """What tells these rows from others: `sha256`, and of a view also which rows it has."""
        if self._rows is None:
            return self.sha256
        digest = hashlib.sha256(self.sha256.encode())
        digest.update(np.ascontiguousarray(self._rows).data)
        return digest.hexdigest()

    @property
    def num_ids(self) -> int:
        """The number of ids in all rows and columns."""
        if self._rows is None:
            return sum(count for shard in self.facts.shards for count in shard.ids.values())
        return int(self.lengths.sum())

    @cached_property
    def sha256(self) -> str:
        """A sum of all that the rows are: equal for the same text, tokenizer and settings, however the store was written."""
        listed = listed_files(self.path) if (self.path / MANIFEST).exists() else {}
        shards = [f"{name} {(listed.get(name) or sum_of(self.path / name)).sha256}" for name in self.facts.files]
        return hashlib.sha256("\n".join([self.digest, *self.columns, *shards]).encode()).hexdigest()

    # --- rows ----------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._first_rows[-1]) if self._rows is None else len(self._rows)

    def __getitem__(self, row: int) -> Ids:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} is out of range; there are {len(self)}")
        return self.take([row % len(self)]).ids

    def __iter__(self) -> Iterator[Ids]:
        for block in self.blocks():
            yield from block

    def tolist(self, column: str | None = None) -> list[list[int]]:
        """All rows of a column as lists, for small stores."""
        return [row.tolist() for block in self.blocks(column) for row in block]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Ids a row, (N, C) for C columns."""
        lengths = scratch_array(len(self) * len(self.columns), np.int64).reshape(len(self), len(self.columns))
        for number, column in enumerate(self.columns):
            starts = self.row_starts(column)
            for first in range(0, len(self), _BLOCK_ROWS):
                lengths[first : first + _BLOCK_ROWS, number] = np.diff(starts[first : first + _BLOCK_ROWS + 1])
        return lengths

    def row_starts(self, column: str | None = None) -> NDArray[np.int64]:
        """(N + 1,) where each row begins among all ids of a column laid end to end, and their number."""
        name = self._column(column)
        if name not in self._row_starts:
            if self._rows is None and len(self.facts.shards) == 1:
                self._row_starts[name] = self._shard(0).columns[name].row_starts
            else:
                self._row_starts[name] = self._joined_row_starts(name)
        return self._row_starts[name]

    def _joined_row_starts(self, name: str) -> NDArray[np.int64]:
        starts = scratch_array(len(self) + 1, np.int64)
        if self._rows is None:
            for index, first in enumerate(self._first_rows[:-1].tolist()):
                here = self._shard(index).columns[name].row_starts
                starts[first + 1 : first + len(here)] = here[1:] + self._first_ids[name][index]
                release_pages(here)
            return starts
        for first in range(0, len(self), _BLOCK_ROWS):
            rows = self._rows[first : first + _BLOCK_ROWS]
            places = np.searchsorted(self._first_rows, rows, "right") - 1
            lengths = np.empty(len(rows), np.int64)
            for place in np.unique(places).tolist():
                here = places == place
                within = rows[here] - self._first_rows[place]
                of_shard = self._shard(place).columns[name].row_starts
                lengths[here] = of_shard[within + 1] - of_shard[within]
            starts[first + 1 : first + len(rows) + 1] = starts[first] + np.cumsum(lengths)
        return starts

    def take(self, rows: ArrayLike, column: str | None = None) -> Encodings:
        """The ids of some rows, (N,) in any order, one after another; copied out of the files."""
        wanted = np.asarray(rows, np.int64).reshape(-1)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"rows {wanted.min()} to {wanted.max()} are out of range; there are {len(self)}")
        if self._rows is not None:
            wanted = self._rows[wanted]
        name = self._column(column)
        places = np.searchsorted(self._first_rows, wanted, "right") - 1
        if len(wanted) and (places == places[0]).all():
            return _gather(self._shard(int(places[0])).columns[name], wanted - self._first_rows[places[0]])
        lengths = np.zeros(len(wanted), np.int64)
        parts = []
        for place in np.unique(places):
            here = np.flatnonzero(places == place)
            part = _gather(self._shard(int(place)).columns[name], wanted[here] - self._first_rows[place])
            lengths[here] = np.diff(part.row_starts)
            parts.append((here, part))
        row_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.empty(row_starts[-1], self._dtype)
        for here, part in parts:
            ids[_positions(row_starts[here], lengths[here])] = part.ids
        return Encodings.unchecked(ids, row_starts)

    def values(self, name: str) -> NDArray[np.int64]:
        """(N,) the values of a column with one number a row, such as labels."""
        if name not in self.facts.values:
            raise ConfigError(f"{self.path} has no values {name!r}, only {', '.join(self.facts.values) or 'ids'}")
        found = scratch_array(int(self._first_rows[-1]), np.int64)
        for index, first in enumerate(self._first_rows[:-1].tolist()):
            found[first : first + self.facts.shards[index].rows] = self._shard(index).values[name]
        return found if self._rows is None else found[self._rows]

    def ids_between(self, start: int, stop: int, column: str | None = None) -> Ids:
        """The ids from position `start` to before `stop` of a column, as if all its rows were one array."""
        name = self._column(column)
        if self._rows is not None:
            starts = self.row_starts(name)
            first = max(int(np.searchsorted(starts, start, "right")) - 1, 0)
            last = int(np.searchsorted(starts, stop, "left"))
            ids = self.take(np.arange(first, max(last, first)), name).ids
            return ids[start - int(starts[first]) : stop - int(starts[first])]
        starts = self._first_ids[name]
        first = max(int(np.searchsorted(starts, start, "right")) - 1, 0)
        parts = []
        while first < len(self.facts.shards) and starts[first] < stop:
            begin = int(starts[first])
            parts.append(self._shard(first).columns[name].ids[max(start - begin, 0) : stop - begin])
            first += 1
        if len(parts) == 1:
            return np.asarray(parts[0])
        return np.concatenate([np.empty(0, self._dtype), *parts])

    def column(self, name: str | None = None) -> StoreColumn:
        """A column by itself, for what reads it as rows laid end to end."""
        return StoreColumn(self, self._column(name))

    def blocks(self, column: str | None = None) -> Iterator[Encodings]:
        """All rows of a column in order, some 65,000 at a time; pages that were read are given back."""
        name = self._column(column)
        if self._rows is not None:
            for start in range(0, len(self), _BLOCK_ROWS):
                yield self.take(np.arange(start, min(start + _BLOCK_ROWS, len(self))), name)
            return
        for index, facts in enumerate(self.facts.shards):
            shard = self._shard(index)
            rows = shard.columns[name]
            for start in range(0, facts.rows, _BLOCK_ROWS):
                starts = rows.row_starts[start : start + _BLOCK_ROWS + 1]
                yield Encodings.unchecked(rows.ids[starts[0] : starts[-1]], starts - starts[0])
            shard.release()

    def select(self, rows: ArrayLike) -> TokenStore:
        """A view of some rows, in the order of `rows`."""
        chosen = np.asarray(rows, np.int64).reshape(-1)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise IndexError(f"rows {chosen.min()} to {chosen.max()} are out of range; there are {len(self)}")
        return TokenStore(self.path, self.facts, chosen if self._rows is None else self._rows[chosen])

    def without(self, rows: ArrayLike) -> TokenStore:
        """A view of all rows but some, in their order."""
        dropped = np.unique(np.asarray(rows, np.int64))
        kept = scratch_array(len(self) - len(dropped), np.int64)
        written = 0
        for first in range(0, len(self), _BLOCK_ROWS):
            some = np.arange(first, min(first + _BLOCK_ROWS, len(self)))
            some = some[~np.isin(some, dropped[np.searchsorted(dropped, first) :], assume_unique=True)]
            kept[written : written + len(some)] = some
            written += len(some)
        return self.select(kept)

    # --- other forms ---------------------------------------------------------------------------------------------------

    def to_arrow(self) -> pa.Table:
        """The whole store as an Arrow table over the mapped files, a chunk a shard; not of a view."""
        import pyarrow as pa

        if self._rows is not None:
            raise ConfigError("a view of some rows has no Arrow table of its own; use to_dataset(), or save it first")
        lists = pa.large_list(pa.from_numpy_dtype(self._dtype))
        shards = [self._shard(index) for index in range(len(self.facts.shards))]
        columns = {
            name: pa.chunked_array([shard.columns[name].to_arrow() for shard in shards], lists) for name in self.columns
        }
        values = {
            name: pa.chunked_array([shard.values[name] for shard in shards], pa.int64()) for name in self.facts.values
        }
        return pa.table({**columns, **values})

    def to_dataset(self) -> datasets.Dataset:
        """A `datasets.Dataset` over the mapped files, without a copy."""
        import datasets
        from datasets.table import InMemoryTable

        whole = TokenStore(self.path, self.facts)
        dataset = datasets.Dataset(InMemoryTable(whole.to_arrow()), fingerprint=self.sha256[:16])
        return dataset if self._rows is None else dataset.select(self._rows)

    def save(self, directory: str | os.PathLike[str]) -> TokenStore:
        """Writes a copy of the store, or of the rows of a view, to another folder."""
        from bpe_transformer.tokenizer.store.shard_writer import ShardWriter

        if Path(directory).resolve() == self.path.resolve() and self._rows is None:
            return self
        with bound_directory(directory, keep_others=False) as folder:
            if self._rows is None:
                for name in (STORE, *self.facts.files):
                    shutil.copyfile(self.path / name, folder / name)
                if (self.path / TOKENIZER).is_dir():
                    shutil.copytree(self.path / TOKENIZER, folder / TOKENIZER)
            else:
                with ShardWriter(folder, "00000", self.columns, self.facts.values, self._dtype) as writer:
                    for start in range(0, len(self), _BLOCK_ROWS):
                        some = self.select(np.arange(start, min(start + _BLOCK_ROWS, len(self))))
                        rows = {name: some.take(np.arange(len(some)), name) for name in self.columns}
                        writer.append(rows, {name: some.values(name) for name in self.facts.values})
                    shard, _ = writer.finish()
                facts = dict(self.facts.__dict__) | {"shards": (shard,), "layout": "npy"}
                StoreFacts(**facts).write(folder)
        return TokenStore.load(directory, check="sizes")

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenStore, (self.path, self.facts, self._rows)

    def __repr__(self) -> str:
        return f"TokenStore({str(self.path)!r}, {len(self):,} rows of {', '.join(self.columns)})"

    # --- shards --------------------------------------------------------------------------------------------------------

    def _column(self, name: str | None) -> str:
        if name is None:
            return self.columns[0]
        if name not in self.columns:
            raise ConfigError(f"{self.path} has no column {name!r}, only {', '.join(self.columns)}")
        return name

    @cached_property
    def _first_ids(self) -> Mapping[str, NDArray[np.int64]]:
        """For each column, where the ids of each shard begin, (shards + 1,)."""
        shards = self.facts.shards
        return {name: np.cumsum([0, *(shard.ids[name] for shard in shards)], dtype=np.int64) for name in self.columns}

    @cached_property
    def _row_starts(self) -> dict[str, NDArray[np.int64]]:
        return {}

    def _shard(self, index: int) -> Shard:
        with self._lock:
            found = self._open.get(index)
            if found is not None:
                self._open.move_to_end(index)
                return found
            facts = self.facts
            try:
                found = open_shard(
                    self.path, facts.shards[index], facts.columns, facts.values, facts.layout, self._dtype
                )
            except FileNotFoundError as cause:
                raise FormatError(f"{self.path} is damaged: {cause.filename} is missing; {ANEW}") from None
            self._open[index] = found
            if len(self._open) > _OPEN_SHARDS:
                self._open.popitem(last=False)
            return found


class StoreColumn:
    """One column of a store, its rows laid end to end: what batches are made from."""

    def __init__(self, store: TokenStore, name: str) -> None:
        self._store, self.name = store, name

    @cached_property
    def row_starts(self) -> NDArray[np.int64]:
        """(N + 1,) where each row begins among all ids of the column, and their number."""
        return self._store.row_starts(self.name)

    @cached_property
    def fingerprint(self) -> str:
        """What tells these rows from others, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self._store.fingerprint} {self.name}".encode()).hexdigest()[:16]

    def slice(self, start: int, stop: int) -> Ids:
        """The ids from `start` to before `stop`."""
        return self._store.ids_between(start, stop, self.name)


def _gather(rows: Encodings, wanted: NDArray[np.int64]) -> Encodings:
    """(N,) rows of a column, copied."""
    starts = rows.row_starts[wanted]
    lengths = rows.row_starts[wanted + 1] - starts
    row_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if len(wanted) == 1 or (len(wanted) and (starts[1:] == starts[:-1] + lengths[:-1]).all()):  # a stretch of rows
        return Encodings.unchecked(np.array(rows.ids[int(starts[0]) : int(starts[0] + row_starts[-1])]), row_starts)
    return Encodings.unchecked(np.asarray(rows.ids[_positions(starts, lengths)]), row_starts)


def _positions(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of all ids of rows that begin at `starts`, (lengths.sum(),)."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(int(ends[-1]) if len(ends) else 0)
