"""Checkpoints that are damaged, hostile, or of an earlier version."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inference import load_text_generator, load_translator
from bpe_transformer.training import load_checkpoint, load_run_settings
from bpe_transformer.training.checkpoint import check_model_fits, save_checkpoint, weights_of
from bpe_transformer.training.state import STATE, load_state, save_state

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    src = torch.arange(3, 15).view(2, 6)
    src[1, 4:] = 256
    return src, torch.arange(20, 28).view(2, 4)


def test_a_translation_model_of_format_1_still_loads_and_translates() -> None:
    translator = load_translator(GOLDEN / "format1-translation")
    expected = EXPECTED["translation"]
    with torch.inference_mode():
        logits = translator.model(*inputs())[:, :, :5]
    torch.testing.assert_close(logits, torch.tensor(expected["logits"]), atol=1e-5, rtol=0)
    assert translator.translate(expected["texts"], beam=1) == expected["beam 1"]
    assert translator.translate(expected["texts"], beam=3) == expected["beam 3"]
    settings = translator.info.settings
    assert settings.family == "transformer"
    assert settings.model.to_dict()["norm_place"] == "post"
    assert settings.decoding.length_penalty == 1.0


def test_a_language_model_of_format_1_still_loads_and_writes() -> None:
    generator = load_text_generator(GOLDEN / "format1-language")
    expected = EXPECTED["language"]
    with torch.inference_mode():
        logits = generator.model(inputs()[0])[:, :, :5]
    torch.testing.assert_close(logits, torch.tensor(expected["logits"]), atol=1e-5, rtol=0)
    assert [generator.generate("one ", temperature=0.0, max_new=10)] == expected["generated"]
    loss, _ = generator.negative_log_likelihood(EXPECTED["translation"]["texts"])
    assert loss == pytest.approx(expected["nats"], abs=1e-3)


def test_a_checkpoint_has_the_same_bytes_whenever_it_is_saved_and_is_bound(tmp_path: Path) -> None:
    model, info, tokenizer = load_checkpoint(GOLDEN / "format1-language")
    files = set()
    for _ in range(8):  # the library orders metadata by chance
        save_checkpoint(tmp_path / "run", weights_of(model), info, tokenizer)
        files.add((tmp_path / "run" / "model.safetensors").read_bytes())
    assert len(files) == 1
    load_checkpoint(tmp_path / "run")
    data = bytearray(files.pop())
    data[-1] ^= 1
    (tmp_path / "run" / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not what manifest\.json lists"):
        load_checkpoint(tmp_path / "run")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "format1-language", tmp_path / "run"))


def edit(run: Path, **changes: Any) -> None:
    data = json.loads((run / "config.json").read_text())
    for key, value in changes.items():
        where = data["settings"]["model"] if key in data["settings"]["model"] else data
        where[key] = value
    (run / "config.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"d_model": 10**9}, "d_model=1000000000"),
        ({"d_ff": 10**12}, "d_ff=1000000000000"),
        ({"n_layers": 10**6}, "n_layers=1000000"),
        ({"vocab_size": 10**10}, "vocab_size=10000000000"),
        ({"max_len": 10**12}, "max_len=1000000000000"),
        ({"max_len": 33}, "does not fit the model"),
        ({"n_layers": 3}, "does not fit the model"),
        ({"vocab_size": -1}, "vocab_size=-1"),
        ({"vocab_size": None}, "vocab_size=None must be of type int"),
        ({"vocab_size": True}, "vocab_size=True must be of type int"),
        ({"pad_id": "x"}, "pad_id='x' must be of type int"),
        ({"pad_id": 300}, "pad_id=300 is outside"),
        ({"n_heads": 3}, "n_heads=3"),
        ({"dropout": -4}, "dropout=-4"),
        ({"format": 99}, "of format 99, and this bpe-transformer reads 1 to"),
        ({"format": "x"}, "of format 'x'"),
        ({"format": None}, "of format None"),
        ({"task": "poetry"}, "poetry"),
        ({"settings": []}, "damaged"),
        ({"columns": 5}, "damaged"),
    ],
)
def test_a_config_that_cannot_be_is_refused_before_anything_is_allocated(
    run: Path, changes: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(run, **changes)
    monkeypatch.setattr(
        "bpe_transformer.training.checkpoint.read_tensors", lambda _: pytest.fail("the weights were read")
    )
    started = time.process_time()
    with pytest.raises(CheckpointError, match=problem):
        load_checkpoint(run)
    assert time.process_time() - started < 5


def test_a_model_that_no_memory_holds_is_refused_before_it_is_made() -> None:
    info = load_checkpoint(GOLDEN / "format1-language")[1]
    check_model_fits(info)
    with pytest.raises(
        ConfigError, match=r"the weights of this model take 0\.\d GB, and this machine has 0\.0 GB of memory; lower"
    ):
        check_model_fits(info, memory=1000)
    started = time.process_time()
    for changes in ({"d_model": 10**9}, {"d_ff": 10**12}, {"max_len": 10**12}):
        huge = replace(info, settings=info.settings.override(changes))
        with pytest.raises(ConfigError, match=r"take [\d,]{6,}\.\d GB, and this machine has"):
            check_model_fits(huge)
    assert time.process_time() - started < 5


def test_a_config_nested_too_deep_is_refused(run: Path) -> None:
    (run / "config.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(CheckpointError, match="nested too deep"):
        load_checkpoint(run)


@pytest.mark.parametrize("kind", ["int32", "complex", "nan", "inf", "missing", "extra", "transposed"])
def test_weights_that_are_no_weights_are_refused(run: Path, kind: str) -> None:
    path = run / "model.safetensors"
    weights = load_file(path)
    name = next(name for name, value in weights.items() if value.dim() == 2)
    if kind == "int32":
        weights[name] = weights[name].to(torch.int32)
    elif kind == "complex":
        weights[name] = weights[name].to(torch.complex64)
    elif kind in ("nan", "inf"):
        weights[name][0, 0] = float(kind)
    elif kind == "missing":
        del weights[name]
    elif kind == "extra":
        weights["another"] = torch.zeros(2)
    else:
        weights[name] = weights[name].t().contiguous()[:, :1].clone()
    save_file(weights, path)
    problem = {"int32": "of type I32", "complex": "of type C64", "nan": "not finite", "inf": "not finite"}
    with pytest.raises(CheckpointError, match=problem.get(kind, "does not fit the model")):
        load_checkpoint(run)


def test_weights_of_half_precision_load(run: Path) -> None:
    path = run / "model.safetensors"
    save_file({name: value.bfloat16() for name, value in load_file(path).items()}, path)
    model, _, _ = load_checkpoint(run)
    assert next(model.parameters()).dtype == torch.float32


def test_the_state_of_a_run_has_a_format_too(tmp_path: Path) -> None:
    card = json.loads((GOLDEN / "format1-language" / "config.json").read_text())
    path, tensors = tmp_path / STATE, {"x": torch.zeros(1)}
    save_state(path, tensors, {"card": card, "format": 4})
    with pytest.raises(CheckpointError, match=r"earlier version \(format 4\), whose runs cannot be resumed; its model"):
        load_run_settings(tmp_path)
    info = load_checkpoint(GOLDEN / "format1-language")[1]
    save_state(path, tensors, {"settings": info.settings.to_dict()})
    assert load_state(path)[1]["format"] == 5
    assert load_run_settings(tmp_path) == info.settings
    save_state(path, tensors, {"settings": {}, "format": 6})
    with pytest.raises(CheckpointError, match=r"training\.safetensors is of format 6, and this bpe-transformer reads"):
        load_state(path)
