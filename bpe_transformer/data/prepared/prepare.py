"""Text columns of `datasets` to a token store: Arrow strings go to the core as they are, shard by shard, resumed after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.corpora.table_cache import cache_folder, read_stage
from bpe_transformer.data.prepared.labels import label_ids, label_names, label_texts
from bpe_transformer.data.prepared.row_encoder import Framing, RowEncoder
from bpe_transformer.data.prepared.row_sources import DatasetRows, StreamRows
from bpe_transformer.data.prepared.task_columns import TaskColumns
from bpe_transformer.data.prepared.unit_encoding import Progress, encode_dataset, encode_stream, encode_to_place
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import CorpusError, FormatError, refuse_one_string
from bpe_transformer.io import lock_output, recover_directory
from bpe_transformer.io.manifest import sum_of
from bpe_transformer.io.printable import times
from bpe_transformer.io.workspaces import remove_resumable
from bpe_transformer.ledger import Ledger, StageRecorder
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.store import StoreFacts, TokenStore
from bpe_transformer.tokenizer.store.shared_store import RemoteStore
from bpe_transformer.tokenizer.store.token_store import TOKENIZER
from bpe_transformer.tokenizer.store.unfinished_store import UnfinishedStore, made_before

_ROWS_VERSION = 2  # part of every plan; raise it when the same text gives other rows


@dataclass(frozen=True)
class PrepareOptions:
    """Where prepared rows go, and how they get there.

    out: folder of the store. None puts it into the cache, by the dataset, the tokenizer and the options, where a later
    call finds it. cache_dir: the cache, instead of that of `datasets`. overwrite: replace another store at `out`.
    num_proc: processes that encode shards side by side, each with one thread; None encodes in this one with all cores.
    cluster: the address of a Ray cluster that encodes instead, "ray" to start one here; its machines need the dataset's
    files and `out` under the same paths.
    unit_bytes: text in a shard; None: by the size of the corpus, 64 MiB at most. progress: called with the rows done and the
    rows in all. fail_above: the largest share of its data, 0 to 1, that a stage may lose; more raises `DataLossError`, and
    nothing is written.
    keep_tokenizer: save the tokenizer beside the rows, so that they can be trained on by themselves.
    before: what was lost before, where the dataset does not know it itself.
    """

    out: str | os.PathLike[str] | None = None
    overwrite: bool = False
    num_proc: int | None = None
    cluster: str | None = None
    cache_dir: str | os.PathLike[str] | None = None
    progress: Progress | None = None
    unit_bytes: int | None = None
    fail_above: float | None = None
    keep_tokenizer: bool = False
    before: Ledger | None = None


def prepare_translation(
    dataset: Any, tokenizer: Tokenizer, *, src: str, tgt: str, max_len: int, **options: Any
) -> TokenStore:
    """Encodes the columns `src` and `tgt` to src_ids (… eos) and tgt_ids (bos … eos); `options` as `PrepareOptions` has them.

    `dataset` is a `datasets.Dataset` or a streamed `IterableDataset`. Pairs with a side that is null, blank or gives no ids,
    and pairs with a side of more than `max_len` ids (its eos, and the target's bos, counted), are dropped, and the ledger
    says how many. Nothing is truncated. Special tokens written in the text are plain text.

    Called again after it was killed, it goes on where it was.

    Raises:
        CorpusError: a column is missing or not text, or no pair is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
        DigestMismatchError: `out` holds a store of something else.
    """
    return prepare_corpus(dataset, tokenizer, TaskColumns("translation", (src, tgt)), max_len=max_len, **options)


def prepare_language_model(dataset: Any, tokenizer: Tokenizer, *, column: str = "text", **options: Any) -> TokenStore:
    """Encodes `column` to ids, each row with eos at its end; length has no limit. Otherwise as `prepare_translation`.

    Raises:
        CorpusError: the column is missing or not text, or no row is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    return prepare_corpus(dataset, tokenizer, TaskColumns("language-model", (column,)), max_len=None, **options)


def prepare_classification(
    dataset: Any,
    tokenizer: Tokenizer,
    *,
    column: str,
    label: str,
    max_len: int,
    labels: Sequence[str] = (),
    **options: Any,
) -> TokenStore:
    """Encodes `column`, each row framed as `SpecialIds.framed` has it, with the number of its `label`.

    A text of more than `max_len` ids keeps its beginning; the ledger says how many were cut, and how much of them. Rows
    without text, without a label, or with one that is not among `labels` are dropped and counted. labels: their names in
    the order of their numbers, such as those of the training rows for the rows to validate on; none: those that occur.
    Otherwise as `prepare_translation`.

    Raises:
        CorpusError: a column is missing or of the wrong kind, there are too few or too many labels, or no row is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    columns = TaskColumns("classification", (column, label))
    return prepare_corpus(dataset, tokenizer, columns, max_len=max_len, labels=labels, **options)


def prepare_corpus(
    dataset: Any,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    *,
    max_len: int | None,
    labels: Sequence[str] = (),
    **options: Any,
) -> TokenStore:
    """`prepare_translation`, `prepare_classification` or `prepare_language_model`, as `columns` say.

    `max_len` is not for language models; `labels` is for classification alone.
    """
    encoder, numbers = _encoder(dataset, tokenizer, columns, max_len, labels)
    return _prepare(dataset, encoder, PrepareOptions(**options), numbers)


def prepare_to_url(
    dataset: Any,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    url: str,
    *,
    max_len: int | None,
    labels: Sequence[str] = (),
    **options: Any,
) -> StoreFacts:
    """As `prepare_corpus`, to a URL that fsspec knows, such as s3://bucket/rows; gives back the facts of the store there.

    Every shard is encoded on this machine, or by the cluster's, and delivered when it is whole. The manifest comes last: what
    is there without one is not finished, and goes on when this is called again.
    """
    encoder, numbers = _encoder(dataset, tokenizer, columns, max_len, labels)
    chosen = PrepareOptions(**options)
    rows = _rows(dataset, encoder, chosen.unit_bytes, numbers)
    if isinstance(rows, StreamRows):
        raise CorpusError("a streamed dataset is encoded in its order, to a folder; copy that to the URL")
    store = RemoteStore(url, _planned(rows, encoder), overwrite=chosen.overwrite)
    before = _before(dataset, rows, chosen)
    if not store.is_whole:
        how = {"num_proc": chosen.num_proc, "cluster": chosen.cluster, "progress": _progress(chosen)}
        encode_to_place(rows, encoder, store, store.place, **how)  # type: ignore[arg-type]
        _check_losses(store, before, chosen.fail_above)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.keep_tokenizer and not store.is_whole:
            tokenizer.save(Path(folder) / TOKENIZER)
            store.put_folder(Path(folder) / TOKENIZER)
    facts = store.finish(before)
    facts.ledger.check(chosen.fail_above)
    return facts


def _encoder(
    dataset: Any, tokenizer: Tokenizer, columns: TaskColumns, max_len: int | None, labels: Sequence[str]
) -> tuple[RowEncoder, npt.NDArray[np.int64] | None]:
    """What encodes the rows for a task, and for classification the number of each row's label."""
    refuse_one_string(CorpusError, labels=labels)
    _check_kind(dataset, columns)
    special = SpecialIds.of(tokenizer)
    if columns.task == "language-model":
        return RowEncoder(tokenizer, {"ids": Framing(columns.columns[0], None, special.eos)}, None), None
    if max_len is None or max_len < 3:
        raise CorpusError(f"max_len={max_len} leaves no room for text between special tokens; ask for at least 3")
    if columns.task == "translation":
        src, tgt = columns.columns
        framed = {"src_ids": Framing(src, None, special.eos), "tgt_ids": Framing(tgt, special.bos, special.eos)}
        return RowEncoder(tokenizer, framed, max_len), None
    column, label = columns.columns
    texts = label_texts(dataset, label)
    names = tuple(labels) or label_names(texts, label)
    framed = {"ids": Framing(column, special.first, special.last)}
    return RowEncoder(tokenizer, framed, max_len, truncate=True, label=label, labels=names), label_ids(texts, names)


def _check_kind(dataset: Any, columns: TaskColumns) -> None:
    """Raises `CorpusError` for several splits at once, and for a stream whose labels are not known beforehand."""
    import datasets

    if isinstance(dataset, dict):  # DatasetDict and IterableDatasetDict
        raise CorpusError(
            f"this is a {type(dataset).__name__} of several splits; give one of them: {', '.join(dataset)}"
        )
    if columns.task == "classification" and isinstance(dataset, datasets.IterableDataset):
        raise CorpusError(
            f"the labels in {columns.columns[1]!r} of a streamed dataset are not known before its end; load it without streaming"
        )


def _prepare(
    dataset: Any, encoder: RowEncoder, options: PrepareOptions, labels: npt.NDArray[np.int64] | None = None
) -> TokenStore:
    rows = _rows(dataset, encoder, options.unit_bytes, labels)
    facts = _planned(rows, encoder)
    before = _before(dataset, rows, options)
    if options.out is not None:
        with lock_output(options.out, reentrant=True):
            found = made_before(options.out, facts, overwrite=options.overwrite)
            if found is None:
                return _write(Path(options.out).resolve(), facts, rows, encoder, options, before)
            found.ledger.check(options.fail_above)
            return found
    if isinstance(rows, StreamRows):
        raise CorpusError("a streamed dataset has no place in the cache; name a folder for its ids with out=…")
    target = _cached_place(facts, options)
    with lock_output(target, reentrant=True, wait=True):  # for a run that prepares the same
        recover_directory(target)
        try:
            store = TokenStore.load(target)
        except (FormatError, OSError):  # nothing is there, or it is damaged
            return _write(target, facts, rows, encoder, options, before)
        remove_resumable(target)  # of a run that was killed when its store was in place
        store.ledger.check(options.fail_above)
        _progress(options)(rows.num_rows, rows.num_rows)
        return store


def _before(dataset: Any, rows: DatasetRows | StreamRows, options: PrepareOptions) -> Ledger:
    """What was lost before the rows came here."""
    read = read_stage(dataset) if isinstance(rows, DatasetRows) else None
    return options.before or Ledger().with_stages(read)


def _rows(
    dataset: Any, encoder: RowEncoder, unit_bytes: int | None, labels: npt.NDArray[np.int64] | None
) -> DatasetRows | StreamRows:
    import datasets

    if isinstance(dataset, datasets.IterableDataset):
        return StreamRows(dataset, encoder.columns, unit_bytes)
    return DatasetRows(dataset, encoder.columns, unit_bytes, labels)


def _planned(rows: DatasetRows | StreamRows, encoder: RowEncoder) -> StoreFacts:
    """The facts of the store before any row is encoded."""
    tokenizer = encoder.tokenizer
    plan = {
        "version": _ROWS_VERSION,
        **rows.facts,
        "text_columns": {name: frame.column for name, frame in encoder.framed.items()},
        "max_len": encoder.max_len,
        "label_column": encoder.label,
    }
    ends = {name: frame.ends for name, frame in encoder.framed.items()}
    return StoreFacts(
        tokenizer.digest,
        tokenizer.vocab_size,
        tuple(encoder.framed),
        (),
        Ledger(),
        ends,
        encoder.values,
        encoder.labels,
        source=plan,
    )


def _cached_place(facts: StoreFacts, options: PrepareOptions) -> Path:
    cache = Path(options.cache_dir) if options.cache_dir is not None else cache_folder()
    return cache.resolve() / hashlib.sha256(json.dumps(facts.to_dict()).encode()).hexdigest()[:32]


def _progress(options: PrepareOptions) -> Progress:
    return options.progress or (lambda done, total: None)


def _write(
    target: Path,
    facts: StoreFacts,
    rows: DatasetRows | StreamRows,
    encoder: RowEncoder,
    options: PrepareOptions,
    before: Ledger,
) -> TokenStore:
    with UnfinishedStore(target, facts) as store:
        if not store.is_whole:
            if isinstance(rows, StreamRows):
                encode_stream(rows, encoder, store, _progress(options))
            else:
                how = {"num_proc": options.num_proc, "cluster": options.cluster, "progress": _progress(options)}
                encode_dataset(rows, encoder, store, **how)  # type: ignore[arg-type]
            _check_losses(store, before, options.fail_above)
            if options.keep_tokenizer:
                encoder.tokenizer.save(store.folder / TOKENIZER)
        files = sorted((store.folder / TOKENIZER).iterdir()) if options.keep_tokenizer else []
        return store.finish(before, {f"{TOKENIZER}/{file.name}": sum_of(file) for file in files})


def _check_losses(store: UnfinishedStore | RemoteStore, before: Ledger, fail_above: float | None) -> None:
    """Raises `CorpusError` if nothing is left, `DataLossError` if too much was lost; what was written is then dropped."""
    stage = sum((mark.stage for _, mark in sorted(store.marks.items())), start=StageRecorder().stage("encode"))
    marks = dict(store.marks)
    store.marks.clear()
    before.with_stage(stage).check(fail_above)
    if stage.kept.examples == 0:
        reasons = ", ".join(f"{amount.examples:,} {reason}" for reason, amount in stage.dropped.items())
        raise CorpusError(
            f"nothing is left of {times(stage.received.examples, 'row')} ({reasons or 'there were none'}); "
            "check the columns or max_len"
        )
    store.marks.update(marks)
