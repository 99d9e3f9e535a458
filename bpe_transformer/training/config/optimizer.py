"""How gradients become steps."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class OptimizerConfig(Checked):
    """The optimizer, its decay, clipping, and what becomes of steps whose gradients are not finite."""

    optimizer: str = option(
        "adamw",
        unit="kind",
        meaning="adamw; adam (decay in the gradient); sgd; adafactor; muon (matrices, the rest by adamw)",
        choices=("adamw", "adam", "sgd", "adafactor", "muon"),
    )
    adam_beta1: float = option(0.9, unit="factor", meaning="decay of the mean gradient", low=0, below=1)
    adam_beta2: float = option(0.98, unit="factor", meaning="decay of the mean squared gradient", low=0, below=1)
    adam_eps: float = option(1e-9, unit="gradient", meaning="added to the root", low=0)
    momentum: float = option(0.95, unit="factor", meaning="of sgd and muon", low=0, below=1)
    weight_decay: float = option(0.0, unit="per step, times lr", meaning="decay of matrices", low=0)
    clip_norm: float = option(1.0, unit="gradient norm", meaning="clip to this; 0: never", low=0)
    skip_bad_steps: bool = option(
        False, unit="yes or no", meaning="leave out steps whose loss or gradient is not finite, and go on"
    )
    ema: float = option(
        0.0,
        unit="factor a step",
        meaning="average all weights with this decay and keep those; 0: do not",
        low=0,
        below=1,
    )

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.adam_eps == 0 and self.optimizer in ("adamw", "adam", "muon"):
            found.append("adam_eps=0 divides by zero wherever a gradient is 0; 1e-8 is usual")
        return found
