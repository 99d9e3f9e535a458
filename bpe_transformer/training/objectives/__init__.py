"""A model and its loss as one module: batch in, summed loss and count out."""

from bpe_transformer.training.objectives.losses import projected_cross_entropy
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import (
    CausalLM,
    Classification,
    LossSum,
    MaskedLM,
    Objective,
    Seq2Seq,
)
from bpe_transformer.training.objectives.random_draws import counter_uniform

__all__ = [
    "CausalLM",
    "Classification",
    "LossSum",
    "MaskedLM",
    "Masking",
    "Objective",
    "Seq2Seq",
    "counter_uniform",
    "projected_cross_entropy",
]
