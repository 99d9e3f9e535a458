"""Small models with random weights; dropout off unless a test turns it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inference import TextGenerator, Translator
from bpe_transformer.models import EncoderDecoder, LanguageModel, TransformerConfig
from bpe_transformer.training import CheckpointInfo, Settings
from bpe_transformer.training.checkpoint import build_model

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


TEXTS = ["three cats read. Two dogs, one bird!", "고양이 세 마리가 책을 읽었다.", "a low lower newest widest text"] * 3


@pytest.fixture(scope="session")
def byte_vocabulary() -> Tokenizer:
    counts = PretokenCounts.from_iterator(TEXTS)
    return learn_bpe(counts, vocab_size=300, special_tokens=["<pad>", "<s>", "</s>", "<mask>"])


@pytest.fixture(scope="session")
def character_vocabulary() -> Tokenizer:
    """One without many characters, which become <unk>."""
    counts = PretokenCounts.from_iterator(TEXTS[:1])
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    return learn_bpe(counts, vocab_size=40, unit="char", unk_token="<unk>", special_tokens=special)


def checkpoint(tokenizer: Tokenizer, family: str, **changes: Any) -> tuple[Any, CheckpointInfo]:
    """A small untrained model, sharpened so that what it prefers is clear, and its facts."""
    labels = changes.pop("labels", ())
    shape: dict[str, Any] = {"family": family, "d_model": 16, "n_layers": 1, "max_len": 24}
    if family in ("transformer", "gpt", "bert"):
        shape |= {"n_heads": 2, "d_ff": 16}
    settings = Settings.preset("tiny").override({**shape, **changes})
    columns = {"translation": ("en", "ko")}.get(settings.task, ("text", "kind") if labels else ("text",))
    info = CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.special_tokens["<pad>"],
        columns=columns,
        corpus="none",
        settings=settings,
        labels=labels,
    )
    torch.manual_seed(1)
    model = build_model(info).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model, info


@pytest.fixture(scope="session")
def translator(byte_vocabulary: Tokenizer) -> Callable[..., Translator]:
    def make(family: str = "transformer", tokenizer: Tokenizer = byte_vocabulary, **changes: Any) -> Translator:
        model, info = checkpoint(tokenizer, family, **changes)
        return Translator(model, tokenizer, info)

    return make


@pytest.fixture(scope="session")
def generator(byte_vocabulary: Tokenizer) -> TextGenerator:
    model, info = checkpoint(byte_vocabulary, "gpt")
    return TextGenerator(model, byte_vocabulary, info)
