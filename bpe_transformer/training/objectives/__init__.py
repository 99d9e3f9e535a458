"""A model and its loss as one module: batch in, summed loss and count out."""

from bpe_transformer.data.batches.collators import LabelledBatch
from bpe_transformer.training.objectives.losses import IGNORED, projected_cross_entropy
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import (
    CausalLM,
    Classification,
    LossSum,
    MaskedBatch,
    MaskedLM,
    Objective,
    PackedBatch,
    Seq2Seq,
)
from bpe_transformer.training.objectives.random_draws import counter_uniform

__all__ = [
    "IGNORED",
    "CausalLM",
    "Classification",
    "LabelledBatch",
    "LossSum",
    "MaskedBatch",
    "MaskedLM",
    "Masking",
    "Objective",
    "PackedBatch",
    "Seq2Seq",
    "counter_uniform",
    "projected_cross_entropy",
]
