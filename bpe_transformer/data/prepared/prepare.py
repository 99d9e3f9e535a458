"""Text columns to id columns, with `datasets.map`: batched, in several processes, cached by the tokenizer's digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.data.corpora.table_cache import cache_folder, read_stage
from bpe_transformer.data.ledger import Amount, Ledger, Stage
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import CorpusError, DigestMismatchError, FormatError
from bpe_transformer.io.atomic import atomic_directory
from bpe_transformer.tokenizer import Tokenizer

Task = Literal["translation", "language-model"]
_VERSION = 1  # part of every fingerprint; raise it when the same text gives other rows
_BATCH_ROWS = 1_000
_FACTS = "prepared.json"
_ROWS = "rows"
# the outcome of a row, as one number while the rows are mapped
_KEPT, _EMPTY, _TOO_LONG = 0, 1, 2


@dataclass(frozen=True)
class Prepared:
    """Rows of ids, the digest of the tokenizer that made them, and the account of how.

    `dataset` has src_ids (… eos) and tgt_ids (bos … eos) for translation, ids (… eos) for a language model.
    """

    dataset: datasets.Dataset
    digest: str
    task: Task
    ledger: Ledger

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Ids a row: (N, 2), src and tgt, for translation; (N, 1) for a language model."""
        columns = ["src_ids", "tgt_ids"] if self.task == "translation" else ["ids"]
        batches = self.dataset.select_columns(columns).with_format("arrow").iter(10_000)
        parts = [
            np.stack([pc.list_value_length(batch[column]).to_numpy() for column in columns], axis=1)
            for batch in batches
        ]
        return np.concatenate(parts).astype(np.int64)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `directory`: the rows as `datasets` saves them, and what they are in prepared.json."""
        facts = {"version": _VERSION, "task": self.task, "digest": self.digest, "ledger": self.ledger.to_dict()}
        with atomic_directory(directory) as part:
            self.dataset.save_to_disk(str(part / _ROWS))
            (part / _FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | os.PathLike[str], tokenizer: Tokenizer) -> Prepared:
        """
        Raises:
            FormatError: `directory` is not one that `save` wrote.
            DigestMismatchError: another tokenizer made the ids.
        """
        folder = Path(directory)
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            digest, task, ledger = facts["digest"], facts["task"], Ledger.from_dict(facts["ledger"])
        except FileNotFoundError:
            raise FormatError(
                f"{folder} holds no prepared corpus ({_FACTS} is missing); write one with prepare"
            ) from None
        except (ValueError, KeyError, TypeError) as problem:
            raise FormatError(f"{folder / _FACTS} is damaged ({problem}); run prepare again") from None
        if digest != tokenizer.digest:
            raise DigestMismatchError(
                f"{folder} was prepared with the tokenizer {digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "prepare it again, or load the tokenizer it belongs to"
            )
        try:
            dataset = datasets.load_from_disk(str(folder / _ROWS))
        except (FileNotFoundError, ValueError, pa.ArrowInvalid) as problem:
            raise FormatError(f"{folder / _ROWS} is damaged ({problem}); run prepare again") from None
        return cls(cast(datasets.Dataset, dataset), digest, task, ledger)


def prepare_translation(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    *,
    src: str,
    tgt: str,
    max_len: int,
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Prepared:
    """Encodes the columns `src` and `tgt`; special tokens written in the text are plain text.

    Pairs with an empty side, and pairs with a side of more than `max_len` ids (its eos, and the target's bos, counted),
    are dropped and the ledger says how many. Nothing is truncated.

    Raises:
        CorpusError: a column is missing or not text, or no pair is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    special = SpecialIds.of(tokenizer)
    if max_len < 3:
        raise CorpusError(f"max_len={max_len} leaves no room for text between <s> and </s>; ask for at least 3")
    framed = {"src_ids": _Framing(src, None, special.eos), "tgt_ids": _Framing(tgt, special.bos, special.eos)}
    return _prepare(dataset, tokenizer, "translation", framed, max_len, num_proc, cache_dir)


def prepare_language_model(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    *,
    column: str = "text",
    num_proc: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Prepared:
    """Encodes `column`, each row with eos at its end. Empty rows are dropped and counted; length has no limit.

    Raises:
        CorpusError: the column is missing or not text, or no row is left.
        SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
    """
    framed = {"ids": _Framing(column, None, SpecialIds.of(tokenizer).eos)}
    return _prepare(dataset, tokenizer, "language-model", framed, None, num_proc, cache_dir)


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

    def __call__(self, batch: pa.Table) -> pa.Table:
        columns: dict[str, pa.Array] = {}
        outcome = np.zeros(batch.num_rows, dtype=np.int8)
        size = np.zeros(batch.num_rows, dtype=np.int64)
        for name, frame in self.framed.items():
            texts = [text or "" for text in batch[frame.column].to_pylist()]
            ids, offsets = _frame(self.tokenizer, texts, frame, self.num_threads)
            lengths = np.diff(offsets)
            outcome[[not text.strip() for text in texts]] = _EMPTY
            if self.max_len is not None:
                outcome[(outcome == _KEPT) & (lengths > self.max_len)] = _TOO_LONG
            size += np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
            columns[name] = pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(ids))
        return pa.table({**columns, "outcome": outcome, "bytes": size})


def _frame(
    tokenizer: Tokenizer, texts: Sequence[str], frame: _Framing, num_threads: int | None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The ids of all texts in one array (n,), framed, and where each begins (len(texts) + 1,)."""
    encodings = tokenizer.encode_batch(texts, num_threads, disallowed_special=())
    marks = 1 if frame.bos is None else 2
    offsets = np.asarray(encodings.row_starts, dtype=np.int64)
    offsets = offsets + marks * np.arange(len(offsets), dtype=np.int64)
    ids = np.empty(offsets[-1], dtype=np.int32)
    is_text = np.ones(len(ids), dtype=np.bool_)
    is_text[offsets[1:] - 1] = False
    ids[offsets[1:] - 1] = frame.eos
    if frame.bos is not None:
        is_text[offsets[:-1]] = False
        ids[offsets[:-1]] = frame.bos
    ids[is_text] = encodings.ids
    return ids, offsets


def _prepare(
    dataset: datasets.Dataset,
    tokenizer: Tokenizer,
    task: Task,
    framed: Mapping[str, _Framing],
    max_len: int | None,
    num_proc: int | None,
    cache_dir: str | os.PathLike[str] | None,
) -> Prepared:
    columns = list(dict.fromkeys(frame.column for frame in framed.values()))
    _check_text_columns(dataset, columns)
    fingerprint = _fingerprint(dataset, tokenizer, framed, max_len)
    folder = Path(cache_dir) if cache_dir is not None else cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    ids = datasets.Sequence(datasets.Value("int32"))
    mapped = (
        dataset.select_columns(columns)
        .with_format("arrow")
        .map(
            # processes share the cores already, so each encodes with one thread
            _EncodeBatch(tokenizer, framed, max_len, num_threads=1 if (num_proc or 1) > 1 else None),
            batched=True,
            batch_size=_BATCH_ROWS,
            remove_columns=columns,
            features=datasets.Features(
                {**dict.fromkeys(framed, ids), "outcome": datasets.Value("int8"), "bytes": datasets.Value("int64")}
            ),
            num_proc=num_proc,
            cache_file_name=str(folder / f"{fingerprint}.arrow"),
            load_from_cache_file=True,
            new_fingerprint=fingerprint,
            desc="encoding",
        )
    )
    account = mapped.select_columns(["outcome", "bytes"]).with_format("numpy")[:]
    stage = _stage(account["outcome"], account["bytes"], max_len)
    if stage.kept.examples == 0:
        reasons = ", ".join(f"{amount.examples:,} {reason}" for reason, amount in stage.dropped.items())
        raise CorpusError(
            f"nothing is left of {len(dataset):,} rows ({reasons or 'there were none'}); check the columns or max_len"
        )
    kept = mapped.remove_columns(["outcome", "bytes"]).with_format(None)
    if stage.kept.examples < len(mapped):
        kept = kept.select(np.flatnonzero(account["outcome"] == _KEPT))
    read = read_stage(dataset)
    return Prepared(kept, tokenizer.digest, task, Ledger((stage,) if read is None else (read, stage)))


def _stage(outcome: npt.NDArray[np.int8], size: npt.NDArray[np.int64], max_len: int | None) -> Stage:
    def amount(code: int) -> Amount:
        return Amount(int((outcome == code).sum()), int(size[outcome == code].sum()))

    reasons = {"empty": amount(_EMPTY), f"longer than max_len={max_len}": amount(_TOO_LONG)}
    return Stage("encode", amount(_KEPT), dropped={reason: what for reason, what in reasons.items() if what.examples})


def _fingerprint(
    dataset: datasets.Dataset, tokenizer: Tokenizer, framed: Mapping[str, _Framing], max_len: int | None
) -> str:
    facts = [_VERSION, dataset._fingerprint, tokenizer.digest, max_len]
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
