"""The rows that a model is validated on: a split of the corpus, or a share held out of the training rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bpe_transformer.data.corpora.load import corpus_info, load_corpus
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import DEFAULT_ERRORS, Errors

if TYPE_CHECKING:
    import datasets

_HELD_OUT_SHARE = 20  # one row in so many
_MOST_HELD_OUT = 1_000  # rows


def load_with_validation(
    name: str,
    split: str = "train",
    validation: str | None = None,
    *,
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = DEFAULT_ERRORS,
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The rows of `split` to train on, and those to validate on.

    These are the split `validation`; None takes the corpus's own validation split, and where it has none, the last rows
    of `split` (see `hold_out`).

    Raises:
        CorpusError: as `load_corpus` does; also when there are too few rows to hold any out.
    """
    rows = load_corpus(name, split, source_dir=source_dir, errors=errors)
    if validation is None and "validation" in corpus_info(name, split.partition("[")[0], errors=errors).splits:
        validation = "validation"
    if validation is not None:
        return rows, load_corpus(name, validation, source_dir=source_dir, errors=errors)
    if len(rows) < 2:
        raise CorpusError(
            f"{name} has {len(rows)} rows, too few to hold one out; name rows to validate on with validation=…"
        )
    return hold_out(rows)


def hold_out(rows: datasets.Dataset) -> tuple[datasets.Dataset, datasets.Dataset]:
    """All rows but the last twentieth (at least 1, at most 1,000), and these."""
    first = len(rows) - max(1, min(_MOST_HELD_OUT, len(rows) // _HELD_OUT_SHARE))
    return rows.select(range(first)), rows.select(range(first, len(rows)))
