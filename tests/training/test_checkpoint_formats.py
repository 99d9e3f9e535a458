"""Checkpoints of earlier formats are read, those of a later one are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.errors import CheckpointError
from bpe_transformer.training import (
    CheckpointInfo,
    Settings,
    load_checkpoint,
    load_checkpoint_info,
    load_run_settings,
    save_checkpoint,
)
from bpe_transformer.training.checkpoint import STATE, build_model, load_state, save_state, weights_of

NAMES_OF_FORMAT_1 = {"length_penalty": "alpha", "max_len_ratio": "limit_factor", "max_len_extra": "limit_extra"}


@pytest.fixture
def info(tokenizer: Tokenizer, settings: Settings) -> CheckpointInfo:
    return CheckpointInfo(
        task="language-model",
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.special_tokens["<pad>"],
        columns=("text",),
        corpus="none",
        settings=settings.override({"length_penalty": 0.7, "max_len_ratio": 3.0, "max_len_extra": 5}),
        result={"steps": 7},
    )


def in_format_1(info: CheckpointInfo) -> dict[str, Any]:
    data = info.to_dict()
    decoding = data["settings"]["decoding"]
    data["settings"]["decoding"] = {NAMES_OF_FORMAT_1.get(name, name): decoding[name] for name in decoding}
    return {**data, "format": 1}


def test_format_1_is_read(info: CheckpointInfo, tokenizer: Tokenizer, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(tmp_path, weights_of(build_model(info)), info, tokenizer)
    assert load_checkpoint_info(tmp_path) == info
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["format"] == 2
    (tmp_path / "config.json").write_text(json.dumps(in_format_1(info)))
    assert load_checkpoint_info(tmp_path) == info
    assert load_checkpoint(tmp_path)[1].settings.decoding.length_penalty == 0.7


def test_a_later_format_is_refused_by_name(info: CheckpointInfo, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**info.to_dict(), "format": 3, "settings": "elsewhere"}))
    with pytest.raises(CheckpointError, match=r"config\.json is of format 3, and this bpe-transformer reads up to 2"):
        load_checkpoint_info(tmp_path)


def test_the_state_of_a_run_has_a_format_too(info: CheckpointInfo, tmp_path: Path) -> None:
    path = tmp_path / STATE
    tensors = {"x": torch.zeros(1)}
    save_state(path, tensors, {"card": info.to_dict()})
    assert load_state(path)[1]["format"] == 2
    assert load_run_settings(tmp_path) == info.settings
    save_state(path, tensors, {"card": in_format_1(info), "format": 1})
    assert load_run_settings(tmp_path) == info.settings
    save_state(path, tensors, {"card": {}, "format": 3})
    with pytest.raises(
        CheckpointError, match=r"training\.safetensors is of format 3, and this bpe-transformer reads up to 2"
    ):
        load_state(path)
