"""What is minimised."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class ObjectiveConfig(Checked):
    """The loss and its regularisers."""

    label_smoothing: float = option(0.1, unit="probability", meaning="spread over the vocabulary", low=0, below=1)
    r_drop: float = option(
        0.0, unit="weight", meaning="of the divergence between two dropout masks (R-Drop); 0: one mask", low=0
    )
    mask_share: float = option(
        0.15, unit="probability", meaning="of an id to be hidden, for a masked language model", low=0, below=1
    )
    whole_words: bool = option(False, unit="yes or no", meaning="hide whole words, for a masked language model")
    pool: str | None = option(
        None,
        unit="kind",
        meaning="state that a classifier reads; none: the first of bert, the last of gpt",
        choices=("first", "mean", "last"),
    )

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.mask_share == 0:
            found.append("mask_share=0 leaves nothing to predict; 0.15 is BERT's")
        return found
