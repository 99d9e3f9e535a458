"""`MergeTrace`: for every merge of a learning run, its pair, count and runner-up, and what it changed in the corpus."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, overload

from bpe_transformer.errors import FormatError
from bpe_transformer.io import one_line
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.vocabulary.pickling import reduced

if TYPE_CHECKING:
    import pyarrow as pa

_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True)
class MergeStep:
    """One merge: `left` and `right` become `new_id`.

    `count` is how often the pair occurred in the learning corpus when it was merged; `runner_up` the best other pair
    then (None if there was none) and `runner_up_count` its count; `tied` whether the tie rule (smallest left id, then
    right id) decided between the two. `words_touched` counts the distinct words that held the pair, `tokens_left` all
    tokens of the corpus after the merge.
    """

    rank: int
    left: int
    right: int
    new_id: int
    count: int
    runner_up: tuple[int, int] | None
    runner_up_count: int
    tied: bool
    words_touched: int
    tokens_left: int


@dataclass(frozen=True, eq=False)
class MergeTrace(Sequence[MergeStep]):
    """All merges of a learning run, by rank, as columns of the same length; `trace[i]` is one as a `MergeStep`.

    `first_rank` is the rank of `trace[0]`, the merge that makes `first_merge_id`: 0, unless the run went on from a `base`
    vocabulary, the merges of which are not part of it. The column of `MergeStep.count` is `counts`, since a sequence has a
    method `count`. `tokens_at_start` counts the tokens of the corpus before the first of these merges. Runner-up ids of
    2^32 - 1 mean that there was no other pair. `characters_left_out` is the number of distinct characters of the corpus that
    have no token, `occurrences_left_out` how often they occur in it. `saturated`: a word of the corpus reached the highest
    count, 2^64 - 1, and stayed there. `interrupted`: learning was stopped before its last merge.
    """

    first_merge_id: int
    tokens_at_start: int
    left: NDArray[np.uint32]
    right: NDArray[np.uint32]
    counts: NDArray[np.uint64]
    runner_left: NDArray[np.uint32]
    runner_right: NDArray[np.uint32]
    runner_count: NDArray[np.uint64]
    words_touched: NDArray[np.uint64]
    tokens_left: NDArray[np.uint64]
    first_rank: int = 0
    characters_left_out: int = 0
    occurrences_left_out: int = 0
    saturated: bool = False
    interrupted: bool = False

    def __reduce__(self) -> tuple[object, ...]:
        return reduced(self)

    def __len__(self) -> int:
        return len(self.left)

    @overload
    def __getitem__(self, index: int) -> MergeStep: ...
    @overload
    def __getitem__(self, index: slice) -> list[MergeStep]: ...
    def __getitem__(self, index: int | slice) -> MergeStep | list[MergeStep]:
        if isinstance(index, slice):
            return [self._step(i) for i in range(*index.indices(len(self)))]
        i = index + len(self) if index < 0 else index
        if not 0 <= i < len(self):
            raise IndexError(f"step {index} is out of range; the trace has {len(self)} merges, 0 to {len(self) - 1}")
        return self._step(i)

    def __iter__(self) -> Iterator[MergeStep]:
        return (self._step(i) for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MergeTrace):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]

    @property
    def ties(self) -> int:
        """How many merges the tie rule decided."""
        return int(self._tied().sum())

    def _tied(self) -> NDArray[np.bool_]:
        tied: NDArray[np.bool_] = (self.runner_left != _NO_ID) & (self.runner_count == self.counts)
        return tied

    def at_rank(self, rank: int) -> MergeStep | None:
        """The step of a merge; None for a merge of the base vocabulary, which this run did not learn."""
        return None if rank < self.first_rank else self[rank - self.first_rank]

    def head(self, steps: int) -> MergeTrace:
        """The first `steps` steps, as a trace."""
        columns: dict[str, Any] = {name: getattr(self, name)[:steps] for name in COLUMNS}
        return replace(self, **columns)

    def joined(self, later: MergeTrace) -> MergeTrace:
        """This trace and that of a run that went on from its last merge, as one."""
        both = {name: (getattr(self, name), getattr(later, name)) for name in COLUMNS}
        columns: dict[str, Any] = {name: np.concatenate(parts) for name, parts in both.items()}
        return replace(self, **columns, interrupted=later.interrupted, saturated=self.saturated or later.saturated)

    def _step(self, i: int) -> MergeStep:
        runner_left = int(self.runner_left[i])
        runner_up = None if runner_left == _NO_ID else (runner_left, int(self.runner_right[i]))
        return MergeStep(
            rank=self.first_rank + i,
            left=int(self.left[i]),
            right=int(self.right[i]),
            new_id=self.first_merge_id + i,
            count=int(self.counts[i]),
            runner_up=runner_up,
            runner_up_count=int(self.runner_count[i]),
            tied=runner_up is not None and int(self.runner_count[i]) == int(self.counts[i]),
            words_touched=int(self.words_touched[i]),
            tokens_left=int(self.tokens_left[i]),
        )

    def save(self, path: str | os.PathLike[str], *, digest: str) -> None:
        """Writes the columns as Parquet; the file's metadata names the digest of the tokenizer the trace belongs to."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from bpe_transformer.io import atomic_file

        columns = {name: getattr(self, name) for name in COLUMNS}
        metadata = {"digest": digest, **{name: str(int(getattr(self, name))) for name in _SCALARS}}
        table = pa.table(columns).replace_schema_metadata(metadata)
        with atomic_file(path) as new:
            pq.write_table(table, new, compression="zstd", write_page_checksum=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, digest: str, content: bytes | None = None) -> MergeTrace:
        """Reads what `save` wrote, or the content of such a file that was read already.

        Raises `FormatError` if it is not such a file or belongs to another tokenizer.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # unlike read_table, imports no pandas
            source = os.fspath(path) if content is None else pa.BufferReader(content)
            table = pq.ParquetFile(source, page_checksum_verification=True).read([*COLUMN_TYPES])
            metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
            # facts that a trace of an earlier release lacks were 0 or False in its run
            facts: dict[str, Any] = {name: int(metadata[name]) for name in _REQUIRED}
            facts |= {name: int(metadata.get(name, 0)) for name in _SCALARS if name not in _REQUIRED}
            if wrong := [name for name, number in facts.items() if not 0 <= number < 2**64]:
                raise ValueError(f"{wrong[0]} is {facts[wrong[0]]}")
            facts |= {name: bool(facts[name]) for name in _FLAGS}
            facts |= {name: _column(table.column(name), dtype) for name, dtype in COLUMN_TYPES.items()}
            found = metadata["digest"]
        except (pa.ArrowException, OSError, MemoryError, KeyError, ValueError, TypeError) as cause:
            raise FormatError(
                f"{path} is not a merge trace that can be read ({one_line(cause)}); delete it, or learn the tokenizer again"
            ) from cause
        if found != digest:
            raise FormatError(
                f"{path} is the trace of tokenizer {found[:12]}, not of {digest[:12]} beside it; "
                "delete it or restore the right one"
            )
        return cls(**facts)

    def problem_with(
        self, left: NDArray[np.uint32], right: NDArray[np.uint32], merged_ids: NDArray[np.uint32], vocab_size: int
    ) -> str | None:
        """Why this is not the trace of these merges, if it is not."""
        ranks = slice(self.first_rank, self.first_rank + len(self))
        if ranks.stop > len(left):
            return f"it has steps up to rank {ranks.stop - 1}, and there are {len(left)} merges"
        new_ids = np.arange(len(self), dtype=np.uint64) + np.uint64(self.first_merge_id)
        for name, found, expected in (
            ("left", self.left, left[ranks]),
            ("right", self.right, right[ranks]),
            ("new", new_ids, merged_ids[ranks]),
        ):
            if (differs := found != expected).any():
                step = int(differs.argmax())
                return f"the {name} id of step {step} is {found[step]}, and that of its merge {expected[step]}"
        has_runner = self.runner_left != _NO_ID
        if (np.maximum(self.runner_left, self.runner_right)[has_runner] >= vocab_size).any():
            return f"a runner-up has an id beyond the vocabulary's {vocab_size}"
        return None


def _column(chunked: pa.ChunkedArray, dtype: str) -> NDArray[Any]:
    """A column as a NumPy array. Arrow's `to_numpy` imports pandas, which takes longer than reading the file."""
    chunked.validate(full=True)
    kind = np.dtype(str(chunked.type))
    if kind != dtype or chunked.null_count:
        raise ValueError(f"a column of {chunked.type} with {chunked.null_count} empty cells")
    parts = [np.frombuffer(c.buffers()[1], kind, len(c), c.offset * kind.itemsize) for c in chunked.chunks if len(c)]
    return np.concatenate(parts) if parts else np.empty(0, kind)


_FLAGS = ("saturated", "interrupted")
_REQUIRED = ("first_merge_id", "tokens_at_start")
_SCALARS = (*_REQUIRED, "first_rank", "characters_left_out", "occurrences_left_out", *_FLAGS)
COLUMN_TYPES = {
    **dict.fromkeys(("left", "right"), "uint32"),
    "counts": "uint64",
    **dict.fromkeys(("runner_left", "runner_right"), "uint32"),
    **dict.fromkeys(("runner_count", "words_touched", "tokens_left"), "uint64"),
}
COLUMNS = tuple(COLUMN_TYPES)
