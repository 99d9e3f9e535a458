"""Text columns to id columns, with `datasets.map`: batched, in several processes, cached by the tokenizer's digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bpe_transformer.data.corpora.table_cache import cache_folder, read_stage
from bpe_transformer.data.ledger import Amount, Ledger, Stage
from bpe_transformer.data.prepared.labels import label_ids, label_names, label_texts
from bpe_transformer.data.prepared.prepared_rows import Prepared
from bpe_transformer.data.prepared.task_columns import Task, TaskColumns
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import BpeTransformerError, CorpusError, FormatError
from bpe_transformer.io import bound_directory, check_manifest, end_with_parent, recover_directory
from bpe_transformer.tokenizer import Tokenizer

Progress = Callable[[int, int], None]  # (rows done, rows in all)
_ROWS_VERSION = 1  # part of every fingerprint; raise it when the same text gives other rows
_BATCH_ROWS = 1_000
# the outcome of a row, as one number while the rows are mapped
_KEPT, _EMPTY, _TOO_LONG, _NO_LABEL, _NEW_LABEL = 0, 1, 2, 3, 4


def prepare_translation(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    *,
    src: str,
    tgt: str,
    max_len: int,
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Encodes the columns `src` and `tgt`; special tokens written in the text are plain text.

    Pairs with an empty side, and pairs with a side of more than `max_len` ids (its eos, and the target's bos, counted),
    are dropped and the ledger says how many. Nothing is truncated. `progress` is called with the rows done and the rows
    in all; with several processes, when they are done.

    Raises:
        CorpusError: a column is missing or not text, or no pair is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    special = SpecialIds.of(tokenizer)
    if max_len < 3:
        raise CorpusError(f"max_len={max_len} leaves no room for text between <s> and </s>; ask for at least 3")
    framed = {"src_ids": _Framing(src, None, special.eos), "tgt_ids": _Framing(tgt, special.bos, special.eos)}
    return _prepare(dataset, tokenizer, "translation", framed, max_len, num_proc, cache_dir, progress)


def prepare_language_model(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    *,
    column: str = "text",
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Encodes `column`, each row with eos at its end. Empty rows are dropped and counted; length has no limit.

    `progress`: as in `prepare_translation`.

    Raises:
        CorpusError: the column is missing or not text, or no row is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    framed = {"ids": _Framing(column, None, SpecialIds.of(tokenizer).eos)}
    return _prepare(dataset, tokenizer, "language-model", framed, None, num_proc, cache_dir, progress)


def prepare_classification(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    *,
    column: str,
    label: str,
    max_len: int,
    labels: Sequence[str] = (),
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Encodes `column`, each row framed as `SpecialIds.framed` has it, with the number of its `label`.

    A text of more than `max_len` ids keeps its beginning; the ledger says how many were cut. Rows without text, without
    a label, or with one that is not among `labels` are dropped and counted. labels: their names in the order of their
    numbers, such as those of the training rows for the rows to validate on; none: those that occur.
    `progress`: as in `prepare_translation`.

    Raises:
        CorpusError: a column is missing or of the wrong kind, there are too few or too many labels, or no row is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    special = SpecialIds.of(tokenizer)
    if max_len < 3:
        raise CorpusError(f"max_len={max_len} leaves no room for text between two special tokens; ask for at least 3")
    texts = label_texts(dataset, label)
    names = tuple(labels) or label_names(texts, label)
    numbers = label_ids(texts, names)
    framed = {"ids": _Framing(column, special.first, special.last)}
    prepared = _prepare(
        dataset, tokenizer, "classification", framed, max_len, num_proc, cache_dir, progress, label_ids=numbers
    )
    return replace(prepared, labels=names)


def prepare_corpus(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    *,
    max_len: int,
    labels: Sequence[str] = (),
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """`prepare_translation`, `prepare_classification` or `prepare_language_model`, as `columns` say.

    `max_len` is not for language models; `labels` is for classification alone.
    """
    if columns.task == "classification":
        column, label = columns.columns
        return prepare_classification(
            dataset,
            tokenizer,
            column=column,
            label=label,
            max_len=max_len,
            labels=labels,
            num_proc=num_proc,
            cache_dir=cache_dir,
            progress=progress,
        )
    if columns.task == "translation":
        src, tgt = columns.columns
        return prepare_translation(
            dataset,
            tokenizer,
            src=src,
            tgt=tgt,
            max_len=max_len,
            num_proc=num_proc,
            cache_dir=cache_dir,
            progress=progress,
        )
    (column,) = columns.columns
    return prepare_language_model(
        dataset, tokenizer, column=column, num_proc=num_proc, cache_dir=cache_dir, progress=progress
    )


@dataclass(frozen=True)
class _Framing:
    """A text column and the ids put before and after each of its rows."""

    column: str
    bos: int | None
    eos: int


@dataclass(frozen=True)
class _EncodeBatch:
    """What `datasets.map` calls: a batch of texts in, a batch of ids, outcome and bytes out."""

    tokenizer: Tokenizer
    framed: Mapping[str, _Framing]
    max_len: int | None
    num_threads: int | None
    truncate: bool  # rows longer than max_len to it; they are dropped otherwise
    report: Callable[[int], None] | None  # called with the rows of each batch
    parent: int | None  # of a worker process, which ends with it

    def __call__(self, batch: pa.Table) -> pa.Table:
        if self.parent is not None:
            end_with_parent(self.parent)
        columns: dict[str, pa.Array] = {}
        outcome = np.zeros(batch.num_rows, dtype=np.int8)
        size = np.zeros(batch.num_rows, dtype=np.int64)
        for name, frame in self.framed.items():
            texts = [text or "" for text in batch[frame.column].to_pylist()]
            ids, row_starts = _frame(self.tokenizer, texts, frame, self.num_threads)
            lengths = np.diff(row_starts)
            outcome[[not text.strip() for text in texts]] = _EMPTY
            if self.max_len is not None:
                outcome[(outcome == _KEPT) & (lengths > self.max_len)] = _TOO_LONG
                if self.truncate:
                    ids, row_starts = _truncate(ids, row_starts, self.max_len)
            size += np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
            columns[name] = pa.ListArray.from_arrays(row_starts.astype(np.int32), pa.array(ids))
        if self.report is not None:
            self.report(batch.num_rows)
        return pa.table({**columns, "outcome": outcome, "bytes": size})


def _frame(
    tokenizer: Tokenizer, texts: Sequence[str], frame: _Framing, num_threads: int | None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The ids of all texts in one array (n,), framed, and where each row begins (len(texts) + 1,)."""
    encodings = tokenizer.encode_batch(texts, num_threads, disallowed_special=())
    num_added = 1 if frame.bos is None else 2
    row_starts = np.asarray(encodings.row_starts, dtype=np.int64)
    row_starts = row_starts + num_added * np.arange(len(row_starts), dtype=np.int64)
    ids = np.empty(row_starts[-1], dtype=np.int32)
    is_text = np.ones(len(ids), dtype=np.bool_)
    is_text[row_starts[1:] - 1] = False
    ids[row_starts[1:] - 1] = frame.eos
    if frame.bos is not None:
        is_text[row_starts[:-1]] = False
        ids[row_starts[:-1]] = frame.bos
    ids[is_text] = encodings.ids
    return ids, row_starts


def _truncate(
    ids: npt.NDArray[np.int32], row_starts: npt.NDArray[np.int64], max_len: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Rows of at most `max_len` ids: each keeps its beginning and the special id at its end."""
    lengths = np.diff(row_starts)
    kept = np.arange(len(ids)) - np.repeat(row_starts[:-1], lengths) < max_len - 1
    kept[row_starts[1:] - 1] = True
    return ids[kept], np.concatenate(([0], np.minimum(lengths, max_len).cumsum()))


def _prepare(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    task: Task,
    framed: Mapping[str, _Framing],
    max_len: int | None,
    num_proc: int | None,
    cache_dir: str | os.PathLike[str] | None,
    progress: Progress | None,
    *,
    label_ids: npt.NDArray[np.int64] | None = None,
) -> Prepared:
    """label_ids: (N,) numbers of labels that become the column label, negative for rows to drop; such rows are cut to
    `max_len` where others are dropped."""
    _check_text_columns(dataset, [frame.column for frame in framed.values()])
    cache = Path(cache_dir) if cache_dir is not None else cache_folder()
    truncate = label_ids is not None
    encoded = _encode(
        dataset, tokenizer, framed, max_len, truncate, num_proc, cache, progress or (lambda done, total: None)
    )
    outcomes = encoded.select_columns(["outcome", "bytes"]).with_format("numpy")[:]
    outcome = outcomes["outcome"]
    if label_ids is not None:
        outcome = np.where(
            (outcome != _EMPTY) & (label_ids < 0), np.where(label_ids == -1, _NO_LABEL, _NEW_LABEL), outcome
        )
    stage = _stage(outcome, outcomes["bytes"], max_len, truncate=truncate)
    if stage.kept.examples == 0:
        reasons = ", ".join(f"{amount.examples:,} {reason}" for reason, amount in stage.dropped.items())
        raise CorpusError(
            f"nothing is left of {len(dataset):,} rows ({reasons or 'there were none'}); check the columns or max_len"
        )
    kept = encoded.remove_columns(["outcome", "bytes"]).with_format(None)
    if label_ids is not None:
        kept = kept.add_column("label", label_ids)
    if stage.kept.examples < len(encoded):
        kept = kept.select(np.flatnonzero(np.isin(outcome, [_KEPT, _TOO_LONG] if truncate else [_KEPT])))
    read = read_stage(dataset)
    return Prepared(kept, tokenizer.digest, task, Ledger((stage,) if read is None else (read, stage)))


def _encode(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    framed: Mapping[str, _Framing],
    max_len: int | None,
    truncate: bool,
    num_proc: int | None,
    cache: Path,
    progress: Progress,
) -> datasets.Dataset:
    """Columns of ids, and of each row's outcome and bytes; from the cache when it has them."""
    several, done, total = (num_proc or 1) > 1, 0, len(dataset)

    def report(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    columns = list(dict.fromkeys(frame.column for frame in framed.values()))
    fingerprint = _fingerprint(dataset, tokenizer, framed, max_len, truncate)
    ids = dict.fromkeys(framed, datasets.Sequence(datasets.Value("int32")))
    # processes share the cores already, so each encodes with one thread
    encode = _EncodeBatch(
        tokenizer,
        framed,
        max_len,
        1 if several else None,
        truncate,
        None if several else report,
        os.getpid() if several else None,
    )
    place = cache / fingerprint
    if not _is_whole(place):
        with bound_directory(place, keep_others=False) as folder, _worker_errors(num_proc):
            dataset.select_columns(columns).with_format("arrow").map(
                encode,
                batched=True,
                batch_size=_BATCH_ROWS,
                remove_columns=columns,
                features=datasets.Features(
                    {**ids, "outcome": datasets.Value("int8"), "bytes": datasets.Value("int64")}
                ),
                num_proc=num_proc,
                cache_file_name=str(folder / "rows.arrow"),
                load_from_cache_file=False,
                new_fingerprint=fingerprint,
                desc="encoding",
            )
    if done < total:  # the rest came from the cache, or from other processes
        progress(total, total)
    return datasets.concatenate_datasets(
        [datasets.Dataset.from_file(str(file)) for file in sorted(place.glob("*.arrow"))]
    )


def _is_whole(place: Path) -> bool:
    """Whether the cache has these rows; damaged ones are encoded anew."""
    recover_directory(place)
    try:
        check_manifest(place)
    except FormatError:
        return False
    return True


@contextmanager
def _worker_errors(num_proc: int | None) -> Iterator[None]:
    """Says in one line that a worker process was killed."""
    try:
        yield
    except RuntimeError as problem:
        if (num_proc or 1) == 1 or "subprocess" not in str(problem):
            raise
        raise BpeTransformerError(
            f"one of {num_proc} encoding processes was killed, perhaps because memory ran out; "
            "run it again with fewer processes (num_proc)"
        ) from None


def _stage(outcome: npt.NDArray[np.int8], size: npt.NDArray[np.int64], max_len: int | None, *, truncate: bool) -> Stage:
    def amount(code: int) -> Amount:
        return Amount(int((outcome == code).sum()), int(size[outcome == code].sum()))

    too_long = {f"longer than max_len={max_len}": amount(_TOO_LONG)}
    dropped = {
        "empty": amount(_EMPTY),
        "without a label": amount(_NO_LABEL),
        "with a label that training rows lack": amount(_NEW_LABEL),
        **({} if truncate else too_long),
    }
    kept = amount(_KEPT) + (amount(_TOO_LONG) if truncate else Amount())
    found, cut = (
        {reason: what for reason, what in amounts.items() if what.examples}
        for amounts in (dropped, too_long if truncate else {})
    )
    return Stage("encode", kept, dropped=found, truncated=cut)


def _fingerprint(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    framed: Mapping[str, _Framing],
    max_len: int | None,
    truncate: bool,
) -> str:
    facts = [_ROWS_VERSION, dataset._fingerprint, tokenizer.digest, max_len, *(["truncate"] if truncate else [])]
    facts += [[name, frame.column, frame.bos, frame.eos] for name, frame in framed.items()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _check_text_columns(dataset: datasets.Dataset, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in dataset.column_names:
            raise CorpusError(f"the corpus has no column {column!r}; its columns are {', '.join(dataset.column_names)}")
        kind = getattr(dataset.features[column], "dtype", None)
        if kind not in ("string", "large_string"):
            raise CorpusError(
                f"column {column!r} holds {kind or dataset.features[column]}, not text; name a text column"
            )
