"""Which rows of a corpus are scored, and which have no text to score: decided here, and accounted for in a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpe_transformer.data.corpora.table_cache import read_stage
from bpe_transformer.data.prepared.labels import label_texts
from bpe_transformer.errors import CorpusError, refuse_one_string
from bpe_transformer.ledger import Ledger, StageRecorder

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class ScoredRows:
    """The rows that have everything a score needs.

    rows: their values in the order of the columns, a label as its name. numbers: which rows of the corpus they are, from 1.
    ledger: what was lost when the corpus was read, as far as its rows know it, and what is left out of the score; bytes are
    those of the text columns.
    """

    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    num_left_out: int
    ledger: Ledger

    def column(self, place: int) -> list[str]:
        """The values of one column."""
        return [row[place] for row in self.rows]


def scored_rows(
    rows: datasets.Dataset, columns: Sequence[str], *, label: str | None = None, stage: str = "score"
) -> ScoredRows:
    """The rows that have text in all `columns`, and a value in the column `label` if there is one, which comes last.

    stage: what the ledger calls the choice.
    Raises `CorpusError`, with the row, for what is no text.
    """
    refuse_one_string(columns=columns)
    table = [text_column(rows, column) for column in columns]
    if label is not None:
        table.append([name or "" for name in label_texts(rows, label)])
    sized = [columns.index(column) for column in dict.fromkeys(columns)]  # a column may be named twice
    recorder = StageRecorder()
    kept, numbers = [], []
    for number, values in enumerate(zip(*table, strict=True), 1):
        size = sum(len(values[place].encode("utf-8", "surrogatepass")) for place in sized)
        if all(value and not value.isspace() for value in values[: len(columns)]) and all(values):
            kept.append(values)
            numbers.append(number)
            recorder.keep(size)
        else:
            recorder.drop("missing or blank", size, places=(f"row {number:,}",))
    ledger = Ledger().with_stages(read_stage(rows), recorder.stage(stage))
    return ScoredRows(tuple(kept), tuple(numbers), len(rows) - len(kept), ledger)


def text_column(rows: datasets.Dataset, column: str) -> list[str]:
    """The texts of a column; null is an empty one. Raises `CorpusError`, with the row, for what is no text."""
    texts = []
    for number, value in enumerate(rows[column], 1):
        if value is not None and not isinstance(value, str):
            kind = "a list" if isinstance(value, list) else type(value).__name__
            raise CorpusError(f"row {number:,} of column {column!r} is {kind}, not a text; give a column of texts")
        texts.append(value or "")
    return texts
