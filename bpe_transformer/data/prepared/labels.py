"""The labels of a corpus for classification: their names, and the number of each row's label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bpe_transformer.errors import CorpusError

if TYPE_CHECKING:
    import datasets

_MOST_LABELS = 10_000  # more of them, and the column is a text or a number of its own for each row


def label_texts(rows: datasets.Dataset, column: str) -> list[str | None]:
    """The label of every row as text, such as "1" for the number 1; None where there is none or a blank one.

    Raises:
        CorpusError: there is no such column, or it holds neither texts nor whole numbers.
    """
    if column not in rows.column_names:
        raise CorpusError(f"the corpus has no column {column!r}; its columns are {', '.join(rows.column_names)}")
    feature = rows.features[column]
    names = getattr(feature, "names", None)  # of a ClassLabel, whose rows are numbers
    kind = str(getattr(feature, "dtype", feature))
    if kind not in ("string", "large_string", "bool") and not kind.startswith(("int", "uint")):
        raise CorpusError(f"column {column!r} holds {kind}, and labels are texts or whole numbers; name another column")
    values = rows.select_columns([column]).with_format("arrow")[:][column].to_pylist()
    if names is not None:
        return [None if value is None or value < 0 else names[value] for value in values]
    return [None if value is None or not str(value).strip() else str(value) for value in values]


def label_names(texts: Sequence[str | None], column: str) -> tuple[str, ...]:
    """The distinct labels: numbers in their order, else texts in theirs.

    Raises:
        CorpusError: there are fewer than 2 labels, which leaves nothing to decide, or more than 10,000.
    """
    found = {text for text in texts if text is not None}
    if not 2 <= len(found) <= _MOST_LABELS:
        raise CorpusError(
            f"column {column!r} holds {len(found):,} different labels, and a classifier takes 2 to {_MOST_LABELS:,}; "
            "name another column with label=…"
        )
    numbers = all(text.lstrip("-").isdecimal() for text in found)
    return tuple(sorted(found, key=int) if numbers else sorted(found))


def label_ids(texts: Sequence[str | None], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """(N,): the place of each row's label among `names`; -1 for none, -2 for one that is not among them."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([-1 if text is None else place.get(text, -2) for text in texts], dtype=np.int64)
