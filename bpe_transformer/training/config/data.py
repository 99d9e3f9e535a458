"""How rows of ids become batches, apart from the size of these."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class DataConfig(Checked):
    """Documents in the windows of a language model, and how texts are segmented for every epoch."""

    pack: str = option(
        "best-fit",
        unit="kind",
        meaning="of documents in windows of max_len, for language models",
        choices=("none", "concat", "best-fit"),
    )
    cross_documents: bool = option(
        False, unit="yes or no", meaning="attend across the documents of a window, for language models"
    )
    bpe_dropout: float = option(
        0.0,
        unit="probability",
        meaning="of leaving a merge out, so that every epoch segments anew (BPE-dropout); 0: never",
        low=0,
        below=1,
    )
