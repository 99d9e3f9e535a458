"""The rows that a model is validated on: a split, a file, or a share that is taken out of the training rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.corpora import local_files
from bpe_transformer.data.corpora.load import corpus_info, load_corpus, parse_split, rows_of_share
from bpe_transformer.data.corpora.reading import AS_IS, Reading
from bpe_transformer.data.corpora.table_cache import read_notes, read_stage, text_sizes
from bpe_transformer.errors import CorpusError, refuse_one_string
from bpe_transformer.io import DEFAULT_ERRORS, Errors
from bpe_transformer.io.printable import times
from bpe_transformer.ledger import ALSO_VALIDATION, HELD_OUT, REPEATED, Ledger, Stage, StageRecorder

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

Numbers = npt.NDArray[np.int64]
_HELD_OUT_SHARE = 20  # one row in so many
_MOST_HELD_OUT = 1_000  # rows


class Splits(NamedTuple):
    """Rows to train on and rows to validate on; `notes` say how these were chosen and what both have in common.

    ledgers: what was lost on the way to the training rows, and to the validation rows.
    """

    train: datasets.Dataset
    validation: datasets.Dataset
    notes: tuple[str, ...] = ()
    ledgers: tuple[Ledger, Ledger] = (Ledger(), Ledger())


def load_with_validation(
    name: str,
    split: str = "train",
    validation: str | None = None,
    *,
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = DEFAULT_ERRORS,
    reading: Reading = AS_IS,
    columns: Sequence[str] | None = None,
    also: Sequence[str] = (),
    label: str | None = None,
    documents: bool = False,
    seed: int = 1,
    dedup: bool = False,
) -> Splits:
    """The rows of `split` to train on, and others to validate on.

    These are `validation`: a split, a share of the training split (which is then taken out of it), or a file as
    `load_corpus` takes it. None takes the corpus's own validation split, and where it has none, holds rows out.

    Args:
        columns: what the task reads; rows that agree in them are the same.
        also: columns to read besides, which do not decide that.
        label: hold out the same share of every label.
        documents: the rows are documents of a language model: of fewer than 20 the end of each is held out.
        dedup: drop training rows that are also validation rows, or repeat an earlier one.

    Raises:
        CorpusError: as `load_corpus` does; also when there are too few rows to hold any out, or none is left to train on.
    """
    refuse_one_string(CorpusError, columns=columns, also=also)
    wanted = None if columns is None else tuple(dict.fromkeys((*columns, *also)))

    def load(name: str, split: str) -> datasets.Dataset:
        rows = load_corpus(name, split, source_dir=source_dir, errors=errors, reading=reading, columns=wanted)
        _note(rows, read, stages)
        return rows

    read: list[str] = []
    stages: dict[str, Stage] = {}  # of what was read
    base, _ = parse_split(split)
    known = corpus_info(name, base, errors=errors, reading=reading).splits
    validation = validation or ("validation" if "validation" in known else None)
    if validation is None:
        whole = load(name, split)
        if len(whole) < 2 and not documents:
            few = f"{name} has {times(len(whole), 'row')}, too few to hold one out"
            raise CorpusError(f"{few}; name rows to validate on with validation=…")
        train, held_out, note = _held_out(whole, (columns or ("text",))[0], label, seed, documents=documents)
    elif _is_file(validation, known):
        train, held_out = whole, _ = load(name, split), load(validation, "train")
        note = f"validation: {len(held_out):,} rows of {validation}"
    elif parse_split(validation)[0] == base:
        whole = load(name, base)
        train, held_out = _without(whole, split, validation)
        note = f"validation: {times(len(held_out), 'row')}, {validation}, which are taken out of the training rows"
    else:
        train, held_out = whole, _ = load(name, split), load(name, validation)
        note = f"validation: {times(len(held_out), 'row')} of the split {validation}"
    return _finished(Splits(train, held_out, (*read, note)), whole, stages, columns, dedup=dedup)


def _note(rows: datasets.Dataset, notes: list[str], stages: dict[str, Stage]) -> None:
    """Adds what there was to say when these rows were read, and what was lost."""
    notes.extend(note for note in read_notes(rows) if note not in notes)
    if (stage := read_stage(rows)) is not None:
        stages[rows._fingerprint] = stage


def _finished(
    splits: Splits,
    whole: datasets.Dataset,
    stages: Mapping[str, Stage],
    columns: Sequence[str] | None,
    *,
    dedup: bool,
) -> Splits:
    """The splits compared with each other, and with their ledgers; `whole` is what the training rows were taken from."""
    train, held_out = splits.train, splits.validation
    used = list(columns or [name for name in train.column_names if name in held_out.column_names])
    ledger = _ledger(stages, whole).with_stages(_held_out_stage(whole, train, used))
    train, shared, dropped = _compared(train, held_out, used, dedup=dedup)
    return Splits(train, held_out, (*splits.notes, *shared), (ledger.with_stages(dropped), _ledger(stages, held_out)))


def _ledger(stages: Mapping[str, Stage], rows: datasets.Dataset) -> Ledger:
    """What was lost when these rows were read."""
    stage = stages.get(rows._fingerprint)
    return Ledger() if stage is None else Ledger((stage,))


def _held_out_stage(whole: datasets.Dataset, train: datasets.Dataset, columns: Sequence[str]) -> Stage | None:
    """What was taken out of the rows that were read, for validation; None for nothing."""
    if whole is train:
        return None
    recorder, before, left = StageRecorder(), _num_bytes(whole, columns), _num_bytes(train, columns)
    recorder.keep(left, len(train))
    recorder.drop(HELD_OUT, before - left, len(whole) - len(train))
    return recorder.stage("split")


def _num_bytes(rows: datasets.Dataset, columns: Sequence[str]) -> int:
    batches = rows.select_columns(list(columns)).with_format("arrow").iter(10_000)
    return sum(int(_sizes(batch, columns).sum()) for batch in batches)


def _sizes(batch: pa.Table, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """(N,) bytes of each row's texts."""
    return sum((text_sizes(batch[name]) for name in columns), np.zeros(batch.num_rows, dtype=np.int64))


def _is_file(validation: str, splits: Sequence[str]) -> bool:
    return validation.partition("[")[0] not in splits and local_files.looks_local(validation)


def _without(rows: datasets.Dataset, split: str, validation: str) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The rows of `split` that are not in `validation`, and those that are, both shares of `rows`."""
    wanted, held_out = (np.asarray(rows_of_share(len(rows), *parse_split(part))) for part in (split, validation))
    train = wanted[~np.isin(wanted, held_out)]
    if len(train) == 0:
        raise CorpusError(
            f"validation={validation!r} takes all {len(wanted):,} rows of {split!r} out of the training rows; take fewer"
        )
    return rows.select(train), rows.select(held_out)


def _held_out(
    rows: datasets.Dataset, column: str, label: str | None, seed: int, *, documents: bool
) -> tuple[datasets.Dataset, datasets.Dataset, str]:
    if documents and len(rows) < _HELD_OUT_SHARE:
        train, held_out = _cut(rows, column)
        texts = "text" if len(rows) == 1 else times(len(rows), "text")
        return train, held_out, f"validation: the last twentieth of the {texts}, held out"
    train, held_out = hold_out(rows, seed=seed, label=label)
    how = f"drawn with seed {seed}" + ("" if label is None else f", in every {label} alike")
    return train, held_out, f"validation: {len(held_out):,} of {times(len(rows), 'row')} held out, {how}"


def hold_out(
    rows: datasets.Dataset, *, seed: int = 1, label: str | None = None
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """All rows but a twentieth (at least 1, at most 1,000), drawn by the seed, and these; both in their order.

    label: a column of which every value gives the same share, as far as whole rows allow.
    """
    number = max(1, min(_MOST_HELD_OUT, len(rows) // _HELD_OUT_SHARE))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
    if label is None:
        drawn = order[:number]
    else:
        values = np.unique(np.asarray([str(value) for value in rows[label]]), return_inverse=True)[1][order]
        # the rows of each value evenly over a line from 0 to 1, so that its start has a share of all
        counts = np.bincount(values)
        by_value = np.argsort(values, kind="stable")
        within = np.empty(len(rows), dtype=np.int64)
        within[by_value] = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
        drawn = order[np.argsort((within + 0.5) / counts[values], kind="stable")[:number]]
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[drawn] = False
    return rows.select(np.flatnonzero(kept)), rows.select(np.flatnonzero(~kept))


def _cut(rows: datasets.Dataset, column: str) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Each text without about its last twentieth, and these ends: cut after a line, else after a word, else anywhere."""
    import datasets

    starts, ends = [], []
    for text in rows[column]:
        wanted = len(text or "") - max(1, len(text or "") // _HELD_OUT_SHARE)
        cut = max(text.rfind("\n", 0, wanted + 1), -1) + 1 or text.rfind(" ", 0, wanted + 1) + 1 if text else 0
        cut = cut if 2 * cut > wanted else wanted
        starts.append((text or "")[:cut])
        ends.append((text or "")[cut:])
    if not any(text.strip() for text in starts) or not any(text.strip() for text in ends):
        raise CorpusError("the text is too short to hold a part of it out; name rows to validate on with validation=…")
    return tuple(
        datasets.Dataset.from_dict({column: [text for text in part if text.strip()]}) for part in (starts, ends)
    )


def _compared(
    train: datasets.Dataset, validation: datasets.Dataset, columns: Sequence[str], *, dedup: bool
) -> tuple[datasets.Dataset, tuple[str, ...], Stage | None]:
    """The training rows, without the duplicates if `dedup`, what there is to say of them, and the account of those dropped."""
    if not columns:
        return train, (), None
    others = _distinct(validation, columns)
    if not dedup:
        number = sum(int(np.isin(hashes, others).sum()) for hashes, _ in _hashed(train, columns))
        if not number:
            return train, (), None
        note = (
            f"{number:,} of {len(train):,} training rows are also validation rows, so the validation is too good; "
            "drop them with dedup=True"
        )
        return train, (note,), None
    own, sizes = (np.concatenate(found) for found in zip(*_hashed(train, columns), strict=True))
    shared = np.isin(own, others)
    first = np.zeros(len(own), dtype=np.bool_)
    first[np.unique(own, return_index=True)[1]] = True
    kept = first & ~shared
    if not kept.any():
        raise CorpusError(
            "all training rows are also validation rows, so dedup leaves none; name other validation rows"
        )
    repeated = ~first & ~shared
    note = (
        f"duplicates: {int(shared.sum()):,} training rows that are also validation rows and {int(repeated.sum()):,} that "
        f"repeat an earlier one dropped, {int(kept.sum()):,} kept"
    )
    recorder = StageRecorder()
    recorder.keep(int(sizes[kept].sum()), int(kept.sum()))
    for reason, dropped in ((ALSO_VALIDATION, shared), (REPEATED, repeated)):
        if dropped.any():
            places = (f"row {row:,}" for row in np.flatnonzero(dropped).tolist())
            recorder.drop(reason, int(sizes[dropped].sum()), int(dropped.sum()), places)
    rows = train if kept.all() else train.select(np.flatnonzero(kept))
    return rows, (note,), recorder.stage("dedup")


class KnownRows:
    """Rows to find others among, compared by `columns` in their order.

    Where there are so few of them that `load_with_validation` cuts the end off texts, a text that holds one of them, or is
    part of one, counts too.
    """

    def __init__(self, rows: datasets.Dataset, columns: Sequence[str]) -> None:
        refuse_one_string(CorpusError, columns=columns)
        self._texts: list[tuple[str, str]] | None = None  # each as it is, and without white space around it
        self._hashes = np.empty(0, np.uint64)
        if len(rows) < _HELD_OUT_SHARE and len(columns) == 1:
            self._texts = [(text, text.strip()) for text in rows[columns[0]] if text]
        else:
            self._hashes = _distinct(rows, columns)

    def count(self, rows: datasets.Dataset, columns: Sequence[str]) -> int:
        """How many of `rows` are among them."""
        refuse_one_string(CorpusError, columns=columns)
        if self._texts is not None and len(columns) == 1:
            texts = [(row or "").strip() for row in rows[columns[0]]]
            return sum(
                any(text and (text in whole or inside in text) for whole, inside in self._texts) for text in texts
            )
        return sum(int(np.isin(hashes, self._hashes).sum()) for hashes, _ in _hashed(rows, columns))


def _distinct(rows: datasets.Dataset, columns: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The hashes of the rows, ascending, each once."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _ in _hashed(rows, columns))]))


def _hashed(
    rows: datasets.Dataset, columns: Sequence[str]
) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]:
    """(64-bit hashes of the rows' values in `columns`, bytes of the texts among them), some rows at a time."""
    from pandas.util import hash_array  # type: ignore[import-untyped]  # datasets depends on it

    for batch in rows.select_columns(list(columns)).with_format("arrow").iter(10_000):
        hashed = np.zeros(batch.num_rows, dtype=np.uint64)
        for name in columns:
            values = np.asarray([str(value) for value in batch[name].to_pylist()], dtype=object)
            hashed = hashed * np.uint64(0x9E3779B97F4A7C15) + hash_array(values, categorize=False)
        yield hashed, _sizes(batch, columns)
