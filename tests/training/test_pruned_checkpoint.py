"""Models under a pruned vocabulary, of every family: equal logits, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import SpecialIds
from bpe_transformer.errors import CheckpointError
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.training import CheckpointInfo, Settings, load_checkpoint, pruned_checkpoint, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of
from bpe_transformer.training.pruned_checkpoint import prune_checkpoint

TEXT = "세 마리 고양이가 책을 읽었다. three cats read three books, lower and newer"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator([TEXT]), 330, roles={"pad": "<pad>", "bos": "<s>", "eos": "</s>"})


def saved(folder: Path, tokenizer: Tokenizer, family: str, **options: Any) -> CheckpointInfo:
    settings = Settings().override({"family": family, "d_model": 16, "n_layers": 1, "max_len": 32}, options)
    info = CheckpointInfo(
        digest=tokenizer.digest, vocab_size=tokenizer.vocab_size, pad_id=SpecialIds.of(tokenizer).pad,
        columns=("a", "b") if settings.task == "translation" else ("a",), corpus="x", settings=settings,
    )  # fmt: skip
    torch.manual_seed(1)
    save_checkpoint(folder, weights_of(build_model(info)), info, tokenizer)
    return info


def test_a_classifier_keeps_its_labels(tokenizer: Tokenizer, tmp_path: Path) -> None:
    info = replace(saved(tmp_path / "trunk", tokenizer, "bert"), columns=("text", "label"), labels=("bad", "good"))
    save_checkpoint(tmp_path / "run", weights_of(build_model(info)), info, tokenizer)
    pruned = tokenizer.prune(["three cats"])
    assert pruned.dropped
    smaller = prune_checkpoint(tmp_path / "run", tmp_path / "small", pruned)
    assert smaller.labels == info.labels
    before, after = (load_checkpoint(tmp_path / name)[0].eval() for name in ("run", "small"))
    ids = torch.tensor([tokenizer.encode("three cats")])
    torch.testing.assert_close(after(torch.from_numpy(pruned.new_ids)[ids]), before(ids))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_of_kept_ids_are_the_same(tmp_path: Path, tokenizer: Tokenizer, family: str, tied: bool) -> None:
    info = saved(tmp_path / "run", tokenizer, family, tie_embeddings=tied)
    pruned = tokenizer.prune(["three cats"])
    assert pruned.dropped > 20
    prune_checkpoint(tmp_path / "run", tmp_path / "small", pruned)
    before, _, _ = load_checkpoint(tmp_path / "run")
    after, smaller, small = load_checkpoint(tmp_path / "small")
    assert smaller.vocab_size == small.vocab_size == tokenizer.vocab_size - pruned.dropped
    assert smaller.settings == info.settings
    old = torch.tensor([tokenizer.encode("three cats")])
    new = torch.tensor([small.encode("three cats")])
    sides = 2 if info.task == "translation" else 1
    kept = np.flatnonzero(pruned.new_ids >= 0)
    with torch.inference_mode():
        torch.testing.assert_close(after(*[new] * sides), before(*[old] * sides)[..., kept])


def test_another_vocabulary_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    saved(tmp_path / "run", tokenizer, "gpt")
    with pytest.raises(CheckpointError, match="prune the tokenizer of the run"):
        prune_checkpoint(tmp_path / "run", tmp_path / "small", tokenizer.truncate(300).prune([TEXT]))
    assert not (tmp_path / "small").exists()


def test_a_model_that_changes_is_not_written(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "run", tokenizer, "gpt")
    kept_rows = pruned_checkpoint._kept_rows
    reversed_rows: Any = lambda model, info, kept: kept_rows(model, info, kept.flip(0))  # noqa: E731
    monkeypatch.setattr(pruned_checkpoint, "_kept_rows", reversed_rows)
    with pytest.raises(CheckpointError, match="logits differ.*nothing was written"):
        prune_checkpoint(tmp_path / "run", tmp_path / "small", tokenizer.prune(["three cats"]))
    assert not (tmp_path / "small").exists()
