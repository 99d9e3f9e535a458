"""How rows of ids become batches, apart from the size of these."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class DataConfig(Checked):
    """Documents in the windows of a language model."""

    pack: str = option(
        "best-fit",
        unit="kind",
        meaning="of documents in windows of max_len, for language models",
        choices=("none", "concat", "best-fit"),
    )
    cross_documents: bool = option(
        False, unit="yes or no", meaning="attend across the documents of a window, for language models"
    )
