"""Where and how a run computes."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option


@dataclass(frozen=True)
class RuntimeConfig(Checked):
    """The device, its precision, and what saves memory or time."""

    device: str = option("auto", unit="device", meaning="cpu, cuda, mps, or auto: the fastest there is")
    precision: str = option(
        "float32",
        unit="kind",
        meaning="matrix products in; auto: bfloat16 if it is faster",
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    compile: bool = option(False, unit="yes or no", meaning="compile the training step (slow to begin)")
    shard: bool = option(
        False, unit="yes or no", meaning="divide weights and optimizer among the processes of torchrun (FSDP)"
    )
    activation_checkpointing: bool = option(
        False,
        unit="yes or no",
        meaning="compute activations twice instead of keeping them: a third slower, less memory",
    )
