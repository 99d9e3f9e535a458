"""`bpe-transformer prune`, of a vocabulary and of a trained model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.training import CheckpointInfo, Settings, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

TEXT = "세 마리 고양이가 책을 읽었다. three cats read three books."


def test_a_text_encodes_as_before(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    done = bpe("prune", byte_tokenizer, "-o", tmp_path / "small", "--file", tmp_path / "text.txt", "--json")
    assert done.returncode == 0, done.stderr.decode()
    facts = json.loads(done.stdout)
    before, after = Tokenizer.load(byte_tokenizer), Tokenizer.load(tmp_path / "small")
    assert facts["digest"] == after.digest
    assert facts["vocab_size"] == after.vocab_size == before.vocab_size - facts["dropped"]
    assert np.array(facts["new_ids"])[before.encode(TEXT)].tolist() == after.encode(TEXT)


def test_an_existing_vocabulary_is_kept(
    bpe: Callable[..., Any], fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small"
    assert bpe("prune", byte_tokenizer, "-o", out, "--text", "three").returncode == 0
    assert bpe("prune", byte_tokenizer, "-o", out, "--text", "three").returncode == 0  # the same again
    assert "--overwrite" in fails("prune", byte_tokenizer, "-o", out, "--text", TEXT)


def test_nothing_to_prune_is_said(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    assert bpe("prune", byte_tokenizer, "-o", tmp_path / "small", "--text", TEXT).returncode == 0
    done = bpe("prune", tmp_path / "small", "-o", tmp_path / "same", "--text", TEXT)
    assert done.returncode == 0
    assert b"nothing to prune: the texts need all " in done.stderr
    assert Tokenizer.load(tmp_path / "same").digest == Tokenizer.load(tmp_path / "small").digest


def test_what_is_missing_is_said(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    for arguments, expected in (
        ((), "either TOKENIZER or --run"),
        ((byte_tokenizer,), "--file"),
        ((byte_tokenizer, "--run", "x", "--text", "y"), "either TOKENIZER or --run"),
    ):
        done = bpe("prune", *arguments, "-o", tmp_path / "out")
        assert done.returncode == 2
        assert expected in done.stderr.decode()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A model with random weights whose corpus is a file."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("three cats read\n" * 8, encoding="utf-8")
    tokenizer = learn_bpe(
        PretokenCounts.from_iterator([TEXT]), 320, roles={"pad": "<pad>", "bos": "<s>", "eos": "</s>"}
    )
    settings = Settings().override({"family": "gpt", "d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 32})
    pad = tokenizer.special_tokens["<pad>"]
    info = CheckpointInfo(tokenizer.digest, tokenizer.vocab_size, pad, ("text",), str(corpus), settings)
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "run", weights_of(build_model(info)), info, tokenizer)
    return tmp_path / "run"


def test_a_run_is_pruned_for_its_corpus(bpe: Callable[..., Any], fails: Callable[..., str], run: Path) -> None:
    out = run.with_name("small")
    done = bpe("prune", "--run", run, "-o", out)
    assert done.returncode == 0, done.stderr.decode()
    assert "dropped" in done.stderr.decode()
    assert Tokenizer.load(out).vocab_size < Tokenizer.load(run).vocab_size
    prompt = ("three cats", "--max-new", "4", "--temperature", "0")
    assert bpe("generate", out, *prompt).returncode == 0
    assert "--overwrite" in fails("prune", "--run", run, "-o", out)
