"""A copy task: sources and targets are the same few words, so a right model must learn it completely."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore, prepare_language_model, prepare_translation
from bpe_transformer.training import RunResult, Settings, train_translation

torch.set_num_threads(1)  # models are tiny here, and tests run side by side

WORDS = ("low", "lower", "newest", "widest", "새", "낮은")
SMALL = {
    "d_model": 32,
    "n_layers": 1,
    "n_heads": 2,
    "d_ff": 64,
    "max_len": 16,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "max_tokens": 300,
    "warmup": 20,
    "lr": 5e-3,
    "epochs": 3,
    "average_last": 2,
}


@pytest.fixture(scope="session")
def copies() -> datasets.Dataset:
    draw = random.Random(4)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(240)]
    return datasets.Dataset.from_dict({"src": texts, "tgt": texts})


@pytest.fixture(scope="session")
def tokenizer(copies: datasets.Dataset) -> Tokenizer:
    counts = PretokenCounts.from_iterator(copies["src"])
    return learn_bpe(counts, vocab_size=290, special_tokens=["<pad>", "<s>", "</s>"])


@pytest.fixture(scope="session")
def pairs(copies: datasets.Dataset, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    cache = tmp_path_factory.mktemp("pairs")
    return prepare_translation(copies, tokenizer, src="src", tgt="tgt", max_len=16, cache_dir=cache)


@pytest.fixture(scope="session")
def lines(copies: datasets.Dataset, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    cache = tmp_path_factory.mktemp("lines")
    return prepare_language_model(copies, tokenizer, column="src", cache_dir=cache)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.preset("tiny").override(SMALL)


@pytest.fixture
def train(pairs: TokenStore, tokenizer: Tokenizer, settings: Settings) -> Callable[..., RunResult]:
    def run(directory: Path, *, resume: bool = False, progress: Any = None, **changes: Any) -> RunResult:
        return train_translation(
            pairs,
            pairs,
            tokenizer,
            settings=settings.override(changes),
            directory=directory,
            resume=resume,
            progress=progress,
        )

    return run
