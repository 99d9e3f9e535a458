"""Ids that fill up a model's matrix and have no token: never written, whatever the model thinks of them."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.inference import MaskFiller, TextGenerator, Translator, load_translator
from bpe_transformer.inference.missing_tokens import ids_without_token
from bpe_transformer.training.checkpoint import CheckpointInfo, build_model, save_checkpoint, weights_of
from tests.inference.conftest import checkpoint


def padded(tokenizer: Tokenizer, family: str) -> tuple[Any, CheckpointInfo]:
    """A model with twenty rows too many, which it likes best."""
    _, plain = checkpoint(tokenizer, family, **({} if family == "bert" else {"output_bias": True}))
    info = replace(plain, vocab_size=tokenizer.vocab_size + 20)
    torch.manual_seed(1)
    model: Any = build_model(info).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        model.head.bias[tokenizer.vocab_size :] = 100.0
    assert model.head.bias.numel() == info.vocab_size
    return model, info


def test_no_search_writes_them(byte_vocabulary: Tokenizer, tmp_path: Path) -> None:
    model, info = padded(byte_vocabulary, "transformer")
    translator = Translator(model, byte_vocabulary, info)
    assert translator.missing == tuple(range(300, 320))
    for beam in (1, 3):
        (found,) = translator.search(["three cats"], beam=beam, n_best=beam)
        assert all(len(one.text) > 1 for one in found.hypotheses)
        assert translator.translate("three cats", beam=beam) == found.text
    model, info = padded(byte_vocabulary, "gpt")
    generator = TextGenerator(model, byte_vocabulary, info)
    for options in ({"temperature": 0}, {"temperature": 1, "seed": 4}):
        assert len(generator.generate("three", max_new=12, **options)) > 1
    model, info = padded(byte_vocabulary, "bert")
    (gap,) = MaskFiller(model, byte_vocabulary, info).candidates("three <mask>", limit=3).masks
    assert all(one.token for one in gap)
    assert sum(one.probability for one in gap) > 1e-3  # among tokens that are text


def test_the_engine_writes_what_we_write(byte_vocabulary: Tokenizer, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    model, info = padded(byte_vocabulary, "transformer")
    save_checkpoint(tmp_path / "run", weights_of(model), info, byte_vocabulary)
    texts = ["three cats", "a low bird"]
    ours = load_translator(tmp_path / "run").translate(texts, beam=1)
    assert load_translator(tmp_path / "run", engine="ctranslate2", threads=1).translate(texts, beam=1) == ours


def test_a_gap_in_a_vocabulary_is_no_token(tmp_path: Path) -> None:
    ranks = tmp_path / "far.tiktoken"
    ranks.write_bytes(b"".join(base64.b64encode(bytes([byte])) + b" %d\n" % byte for byte in range(256)))
    gapped = Tokenizer.from_file(ranks, pattern="gpt2", special_tokens={"<far>": 259})
    assert ids_without_token(gapped, 262) == (256, 257, 258, 260, 261)
