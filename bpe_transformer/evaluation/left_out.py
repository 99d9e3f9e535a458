"""Which rows of a corpus are scored, and which have no text to score, as a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bpe_transformer.data.corpora.table_cache import read_stage
from bpe_transformer.errors import refuse_one_string
from bpe_transformer.ledger import Ledger, StageRecorder

if TYPE_CHECKING:
    import datasets


def scored_rows(rows: datasets.Dataset, columns: Sequence[str]) -> Ledger:
    """What was lost when rows were read, as far as they know it, and what is left out of a score by `columns`.

    Left out are rows of which a value is missing or blank. Bytes are those of the text columns.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    refuse_one_string(columns=columns)
    recorder, first = StageRecorder(), 0
    for batch in rows.select_columns(list(dict.fromkeys(columns))).with_format("arrow").iter(10_000):
        left_out, sizes = np.zeros(batch.num_rows, np.bool_), np.zeros(batch.num_rows, np.int64)
        for values in batch.columns:
            left_out |= values.is_null().to_numpy()
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                texts = pc.fill_null(values, "")
                lengths = pc.binary_length(texts).to_numpy()
                left_out |= (lengths == 0) | pc.utf8_is_space(texts).to_numpy()
                sizes += lengths
        recorder.keep(int(sizes[~left_out].sum()), int((~left_out).sum()))
        if left_out.any():
            places = (f"row {first + row:,}" for row in np.flatnonzero(left_out).tolist())
            recorder.drop("missing or blank", int(sizes[left_out].sum()), int(left_out.sum()), places)
        first += batch.num_rows
    return Ledger().with_stages(read_stage(rows), recorder.stage("score"))
