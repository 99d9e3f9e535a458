"""Text columns to framed rows of ids, a batch of Arrow columns at a time; what is dropped on the way is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.errors import BpeTransformerError, InvalidUtf8Error
from bpe_transformer.io import one_line
from bpe_transformer.ledger import StageRecorder
from bpe_transformer.tokenizer import Encodings, Tokenizer
from bpe_transformer.tokenizer.encoding.framing import Frame
from bpe_transformer.tokenizer.store import id_dtype

# why a row is dropped, by the number that says so while it is encoded; the first that applies counts
_KEPT, _MISSING, _EMPTY, _NO_IDS, _TOO_LONG, _NO_LABEL, _NEW_LABEL = range(7)


@dataclass(frozen=True)
class Framing:
    """A text column and the ids put before and after each of its rows."""

    column: str
    bos: int | None
    eos: int

    @property
    def added(self) -> int:
        """How many ids it adds to a row."""
        return 1 if self.bos is None else 2

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return () if self.bos is None else (self.bos,), (self.eos,)


class Segmented(NamedTuple):
    """A batch of rows as ids, nothing dropped or framed yet.

    first_row: the number of its first row. ids: by column. outcome: (N,) why a row is dropped. size: (N,) bytes of text.
    """

    first_row: int
    ids: Mapping[str, Encodings]
    outcome: npt.NDArray[np.int8]
    size: npt.NDArray[np.int64]


@dataclass(frozen=True)
class RowEncoder:
    """Encodes batches of rows: `framed` says for every column of ids which text it is of, and what frames it.

    A row is dropped, and counted, when one of its texts is null, blank or gives no ids, when one of its id rows has more
    than `max_len` ids (with `truncate` it keeps its beginning), or when it has no label. Special tokens written in a text
    are plain text.

    label: the column of labels, whose names are `labels`.
    """

    tokenizer: Tokenizer
    framed: Mapping[str, Framing]
    max_len: int | None
    truncate: bool = False
    label: str | None = None
    labels: tuple[str, ...] = ()
    num_threads: int | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The columns with one number a row."""
        return () if self.label is None else ("label",)

    @property
    def columns(self) -> list[str]:
        """The text columns."""
        return list(dict.fromkeys(frame.column for frame in self.framed.values()))

    def segment(self, batch: pa.Table, first_row: int) -> Segmented:
        """The ids of a batch's texts, and what is wrong with its rows. `first_row` is the number of the first row.

        Raises `InvalidUtf8Error`, and the errors of `encode_batch`, with the row.
        """
        outcome = np.zeros(batch.num_rows, np.int8)
        sizes: dict[str, npt.NDArray[np.int64]] = {}
        ids: dict[str, Encodings] = {}
        for name, frame in self.framed.items():
            texts = batch[frame.column]
            if frame.column not in sizes:
                texts = _plain(texts, first_row)
                missing = texts.is_null().to_numpy() if texts.null_count else None
                if missing is not None:
                    outcome[missing] = _MISSING
                    texts = texts.fill_null("")
                sizes[frame.column] = _byte_lengths(texts)
                blank = (sizes[frame.column] == 0) | pc.utf8_is_space(texts).to_numpy()
                outcome[(outcome == _KEPT) & blank] = _EMPTY
            ids[name] = self._encode(texts, first_row)
        return Segmented(first_row, ids, outcome, np.sum(list(sizes.values()), axis=0))

    def rows(
        self, batch: Segmented, recorder: StageRecorder, labels: npt.NDArray[np.int64] | None = None
    ) -> tuple[dict[str, Encodings], dict[str, npt.NDArray[np.int64]]]:
        """The rows of a batch that are kept, framed, by column of ids, and their labels; `recorder` notes what is lost.

        labels: (N,) the numbers of the labels, -1 for none and -2 for one without a name.
        """
        outcome, size, encoded = batch.outcome, batch.size, dict(batch.ids)
        for name, frame in self.framed.items():
            lengths = np.diff(encoded[name].row_starts)
            outcome[(outcome == _KEPT) & (lengths == 0)] = _NO_IDS
            if self.max_len is not None and not self.truncate:
                outcome[(outcome == _KEPT) & (lengths > self.max_len - frame.added)] = _TOO_LONG
        if labels is not None:
            outcome[(outcome == _KEPT) & (labels < 0)] = np.where(labels == -1, _NO_LABEL, _NEW_LABEL)[
                (outcome == _KEPT) & (labels < 0)
            ]
        kept = outcome == _KEPT
        if self.truncate and self.max_len is not None:
            for name, frame in self.framed.items():
                encoded[name] = self._cut(
                    encoded[name], kept, self.max_len - frame.added, size, batch.first_row, recorder
                )
        self._record(outcome, size, batch.first_row, recorder)
        dtype = id_dtype(self.tokenizer.vocab_size)
        rows = {name: framed_rows(encoded[name], kept, *frame.ends, dtype) for name, frame in self.framed.items()}
        return rows, {} if labels is None else {"label": labels[kept]}

    def _cut(
        self,
        rows: Encodings,
        kept: npt.NDArray[np.bool_],
        most: int,
        size: npt.NDArray[np.int64],
        first_row: int,
        recorder: StageRecorder,
    ) -> Encodings:
        """Rows of at most `most` ids each; records the bytes that are cut, and takes them off `size`, (N,)."""
        lengths = np.diff(rows.row_starts)
        long = np.flatnonzero(kept & (lengths > most))
        if not len(long):
            return rows
        for row in long.tolist():
            start = int(rows.row_starts[row])
            left = len(self.tokenizer.decode_bytes(rows.ids[start : start + most]))
            cut = max(int(size[row]) - left, 0)
            size[row] -= cut
            recorder.truncate(f"longer than max_len={self.max_len}", cut, 1, [f"row {first_row + row:,}"])
        within = np.arange(len(rows.ids)) - np.repeat(rows.row_starts[:-1], lengths) < most
        row_starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))]).astype(np.int64)
        return Encodings.unchecked(rows.ids[within], row_starts)

    def _encode(self, texts: pa.ChunkedArray, first_row: int) -> Encodings:
        try:
            return self.tokenizer.encode_batch(texts, self.num_threads, disallowed_special=())
        except BpeTransformerError as cause:
            raise type(cause)(f"in the rows from {first_row:,} on: {cause}") from None

    def _record(
        self, outcome: npt.NDArray[np.int8], size: npt.NDArray[np.int64], first_row: int, recorder: StageRecorder
    ) -> None:
        kept = outcome == _KEPT
        recorder.keep(int(size[kept].sum()), int(kept.sum()))
        if kept.all():
            return
        reasons = {
            _MISSING: "missing",
            _EMPTY: "empty",
            _NO_IDS: "tokenises to nothing",
            _TOO_LONG: f"longer than max_len={self.max_len}",
            _NO_LABEL: "without a label",
            _NEW_LABEL: "with a label that training rows lack",
        }
        for code, reason in reasons.items():
            rows = np.flatnonzero(outcome == code)
            if len(rows):
                places = (f"row {first_row + row:,}" for row in rows.tolist())
                recorder.drop(reason, int(size[rows].sum()), len(rows), places)


def framed_rows(
    encoded: Encodings,
    kept: npt.NDArray[np.bool_],
    prefix: tuple[int, ...],
    suffix: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Encodings:
    """The rows that are `kept`, (N,), each with `prefix` before and `suffix` after it, as ids of `dtype`."""
    lengths = np.diff(encoded.row_starts)
    ids = encoded.ids
    if not kept.all():
        ids, lengths = ids[np.repeat(kept, lengths)], lengths[kept]
    every = np.ones(len(lengths), np.bool_)
    framed, row_starts, is_text = Frame(prefix, suffix).layout(lengths, every, every, dtype)
    framed[is_text] = ids
    return Encodings.unchecked(framed, row_starts)


def _plain(texts: pa.ChunkedArray, first_row: int) -> pa.ChunkedArray:
    """The texts as strings of one kind, known to be UTF-8."""
    if pa.types.is_string_view(texts.type) or pa.types.is_dictionary(texts.type):
        texts = texts.cast(pa.large_string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as cause:
        raise InvalidUtf8Error(
            f"in the rows from {first_row:,} on: a text is not UTF-8 ({one_line(cause)}); mend the data where it was written"
        ) from None
    return texts


def _byte_lengths(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """(N,) bytes of each text."""
    return pc.binary_length(texts).to_numpy().astype(np.int64)  # type: ignore[no-any-return]
