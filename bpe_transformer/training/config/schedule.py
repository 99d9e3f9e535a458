"""The learning rate over a run."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class ScheduleConfig(Checked):
    """A linear warm-up to the peak, and the curve after it."""

    schedule: str = option(
        "cosine",
        unit="kind",
        meaning="learning rate after the warm-up (wsd: constant, then linear to the floor)",
        choices=("noam", "inverse-sqrt", "cosine", "linear", "constant", "wsd"),
    )
    lr: float | None = option(2e-3, unit="per step", meaning="peak learning rate; none for noam", low=0)
    warmup: int = option(400, unit="steps", meaning="linear warm-up; a longer one than the run is shortened", low=0)
    lr_floor: float = option(0.0, unit="share of the peak", meaning="where cosine, linear and wsd end", low=0, below=1)
    decay_share: float = option(0.2, unit="share of the run", meaning="its end in which wsd decays", low=0, below=1)

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.schedule == "noam" and self.lr is not None:
            found.append(
                f"lr={self.lr} has no effect with schedule='noam', whose peak follows from the width of the model and warmup; "
                "choose schedule='inverse-sqrt', or leave lr out"
            )
        if self.schedule == "noam" and self.warmup < 1:
            found.append(f"warmup={self.warmup} must be at least 1 for schedule='noam'")
        if self.schedule != "noam" and not self.lr:
            found.append(f"lr={self.lr} must be above 0 for schedule={self.schedule!r}")
        return found
