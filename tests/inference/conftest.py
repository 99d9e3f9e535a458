"""Small models with random weights; dropout off unless a test turns it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bpe_transformer.models import EncoderDecoder, LanguageModel, TransformerConfig

torch.set_num_threads(1)  # models are tiny here, and tests run side by side

SHAPE = {"vocab_size": 40, "d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 48, "max_len": 24, "dropout": 0.0}


@pytest.fixture
def translation() -> Callable[..., EncoderDecoder]:
    def make(**changes: Any) -> EncoderDecoder:
        torch.manual_seed(3)
        return EncoderDecoder(TransformerConfig(**{**SHAPE, **changes})).eval()

    return make


@pytest.fixture
def language() -> Callable[..., LanguageModel]:
    def make(**changes: Any) -> LanguageModel:
        torch.manual_seed(3)
        return LanguageModel(TransformerConfig(**{**SHAPE, **changes})).eval()

    return make
