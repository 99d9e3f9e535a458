"""How to translate and to generate: settings of a call, which check themselves. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bpe_transformer.models.checked import Checked, option

# why a text ends: by itself (eos), by the limit on its length, by a stop string, or because it was given
Finish = Literal["ended", "limit", "stopped", "given"]
Long = Literal["split", "truncate", "refuse"]


@dataclass(frozen=True, kw_only=True)
class TranslationOptions(Checked):
    """How to translate; None is the run's setting. Values out of range are refused when it is made."""

    beam: int | None = option(None, unit="hypotheses", meaning="beam width; 1: greedy", low=1)
    length_penalty: float | None = option(
        None, unit="exponent", meaning="length normalization (GNMT); 0: none", low=0, below=20
    )
    batch_tokens: int | None = option(
        None, unit="ids", meaning="source ids, padding and beams included, decoded together", low=1
    )
    n_best: int = option(1, unit="hypotheses", meaning="translations a text, at most beam", low=1)
    no_repeat_ngram: int = option(0, unit="ids", meaning="no n-gram of so many comes twice; 0: any may", low=0)
    repetition_penalty: float = option(
        1.0, unit="factor", meaning="makes ids that were written less probable; 1: none", low=0.01, below=100
    )
    unknowns: str = option(
        "keep",
        unit="kind",
        meaning="write <unk>, never write it, or put the source text attended to most in its place",
        choices=("keep", "avoid", "copy"),
    )
    long: str = option(
        "split",
        unit="kind",
        meaning="a source of more than max_len ids is cut into sentences, cut off, or left out",
        choices=("split", "truncate", "refuse"),
    )


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(Checked):
    """How to continue a text; None is the run's setting. Values out of range are refused when it is made."""

    max_new: int | None = option(None, unit="ids", meaning="ids to add at most; none: as max_len allows", low=1)
    num_samples: int = option(1, unit="texts", meaning="continuations of each prompt", low=1)
    temperature: float | None = option(
        None, unit="factor", meaning="of sampling; below 1 is bolder, 0: most probable id", low=0
    )
    top_k: int | None = option(None, unit="ids", meaning="sample from the k most probable; 0: all", low=0)
    top_p: float | None = option(
        None, unit="probability", meaning="sample from the smallest set with this mass; 1: all", low=0
    )
    min_p: float = option(
        0.0, unit="share", meaning="sample from ids with this share of the highest probability; 0: all", low=0
    )
    no_repeat_ngram: int = option(0, unit="ids", meaning="no n-gram of so many comes twice; 0: any may", low=0)
    repetition_penalty: float = option(
        1.0, unit="factor", meaning="makes ids that were written less probable; 1: none", low=0.01, below=100
    )
    seed: int = option(0, unit="number", meaning="of the draws", low=0, below=1 << 63)
    long: str = option(
        "refuse",
        unit="kind",
        meaning="a prompt that leaves no room in max_len is refused, or loses its beginning",
        choices=("refuse", "crop"),
    )

    def contradictions(self) -> list[str]:
        found = []
        if self.top_p is not None and not 0 < self.top_p <= 1:
            found.append(f"top_p={self.top_p} must be above 0 and at most 1")
        if self.min_p > 1:
            found.append(f"min_p={self.min_p} must be at most 1")
        return found
