"""How a trained model writes."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class DecodingConfig(Checked):
    """How a trained model writes."""

    beam: int = option(5, unit="hypotheses", meaning="beam width; 1: greedy", low=1)
    length_penalty: float = option(
        1.0, unit="exponent", meaning="length normalization (GNMT); 0: none", low=0, below=20
    )
    batch_tokens: int = option(
        4096, unit="ids", meaning="source ids, padding and beams included, decoded together", low=1
    )
    max_len_ratio: float = option(
        2.0, unit="ids per source id", meaning="longest translation, plus max_len_extra", low=0
    )
    max_len_extra: int = option(20, unit="ids", meaning="longest translation, plus max_len_ratio x source", low=0)
    temperature: float = option(
        0.8, unit="factor", meaning="of sampling; below 1 is bolder, 0: most probable id", low=0
    )
    top_k: int = option(50, unit="ids", meaning="sample from the k most probable; 0: all", low=0)
    top_p: float = option(
        0.95, unit="probability", meaning="sample from the smallest set with this mass; 1: all", low=0
    )

    def contradictions(self) -> list[str]:
        if not 0 < self.top_p <= 1:
            return [f"top_p={self.top_p} must be above 0 and at most 1"]
        return []
