"""Prepared rows to train on: stores that `prepare` or `encode --file` has written, and the rows held out of them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bpe_transformer.data.prepared.task_columns import TaskColumns
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.printable import times
from bpe_transformer.ledger import HELD_OUT, Ledger, StageRecorder
from bpe_transformer.tokenizer.store import TokenStore

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

_HELD_OUT_SHARE = 20  # one row in so many
_MOST_HELD_OUT = 1_000  # rows


def columns_of(store: TokenStore) -> TaskColumns:
    """The task of a store and the text columns that it was made from."""
    named = store.facts.source.get("text_columns", {})
    columns = tuple(
        str(named.get(name, name.removesuffix("_ids") if name != "ids" else "text")) for name in store.columns
    )
    label = store.facts.source.get("label_column")
    return TaskColumns(store.task, (*columns, str(label)) if store.task == "classification" else columns)


def load_stores(
    path: str | os.PathLike[str], tokenizer: Tokenizer, validation: str | None = None, *, seed: int = 1
) -> tuple[TokenStore, TokenStore, str]:
    """Rows to train on, rows to validate on, and how these were chosen, in a line for a person.

    These are the store `validation`, or a twentieth of the rows (at most 1,000), drawn by `seed` and taken out.

    Raises:
        CorpusError: the rows do not end with an end-of-sequence id, or there are too few.
        FormatError: a folder is no store, or is damaged.
        DigestMismatchError: another tokenizer made the ids.
    """
    store = TokenStore.load(path, tokenizer)
    for name in store.columns:
        if not store.facts.ends[name][1]:
            raise CorpusError(
                f"the rows of {path} do not end with an end-of-sequence id, so that texts would run together; "
                "encode them with add_eos=True, or with prepare"
            )
    if validation is not None:
        other = TokenStore.load(validation, tokenizer)
        return store, other, f"validation: the {len(other):,} rows of {validation}"
    if len(store) < 2:
        raise CorpusError(
            f"{path} has {times(len(store), 'row')}, too few to hold one out; name rows with validation=…"
        )
    number = max(1, min(_MOST_HELD_OUT, len(store) // _HELD_OUT_SHARE))
    drawn = np.random.Generator(np.random.PCG64(seed)).choice(len(store), number, replace=False)
    train, held_out = store.without(drawn), store.select(np.sort(drawn))
    _account_for(train, held_out, tokenizer)
    return (
        train,
        held_out,
        f"validation: {number:,} of {times(len(store), 'row')}, drawn by seed {seed} and taken out of the training rows",
    )


def _account_for(train: TokenStore, held_out: TokenStore, tokenizer: Tokenizer) -> None:
    """Adds to the ledgers of both what was taken out of the training rows; its bytes are those of its tokens."""
    sizes = np.array([len(token) for token in tokenizer.model.decoded_bytes], np.int64)
    sizes[list(tokenizer.special_tokens.values())] = 0
    taken = sum(
        int(sizes[row].sum()) for column in held_out.columns for rows in held_out.blocks(column) for row in rows
    )
    taken = min(taken, train.ledger.kept.bytes)  # flat files of ids do not know their bytes
    recorder = StageRecorder()
    recorder.keep(train.ledger.kept.bytes - taken, len(train))
    recorder.drop(HELD_OUT, taken, len(held_out))
    kept = StageRecorder()
    kept.keep(taken, len(held_out))
    for store, stage in ((train, recorder.stage("split")), (held_out, kept.stage("split"))):
        ledger = store.ledger.with_stage(stage) if store is train else Ledger((stage,))
        store.facts = replace(store.facts, ledger=ledger)
