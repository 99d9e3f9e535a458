"""The tests of `data` share one empty `datasets` cache and never reach the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe


@pytest.fixture(autouse=True, scope="session")
def datasets_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()
        yield folder
        datasets.enable_progress_bars()


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    counts = PretokenCounts.from_iterator(["one two three four five", "하나 둘 셋 넷 다섯", "one two <s>"] * 3)
    return learn_bpe(counts, vocab_size=300, special_tokens=["<pad>", "<s>", "</s>"])
