"""`attention` on untrained models of real shape: what counts here is that rows, columns and heads are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.inference import load_translator
from bpe_transformer.training import CheckpointInfo, Settings, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

Run = Callable[..., Any]


def saved(directory: Path, tokenizer: Tokenizer, task: str) -> Path:
    settings = Settings.preset("tiny").override(
        {
            "family": "transformer" if task == "translation" else "gpt",
            "d_model": 16,
            "n_heads": 2,
            "n_layers": 2,
            "d_ff": 16,
        }
    )
    info = CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.special_tokens["<pad>"],
        columns=("en", "ko") if task == "translation" else ("text",),
        corpus="none",
        settings=settings,
    )
    torch.manual_seed(0)
    save_checkpoint(directory, weights_of(build_model(info)), info, tokenizer)
    return directory


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory, loaded: Tokenizer) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "translator", loaded, "translation")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, loaded: Tokenizer) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "reader", loaded, "language-model")


def shown(bpe: Run, *arguments: object) -> list[dict[str, Any]]:
    done = bpe("attention", *arguments, "--json")
    assert done.stderr == b""
    maps: list[dict[str, Any]] = json.loads(done.stdout)
    jsonschema.validate(
        maps, json.loads((files("bpe_transformer.inspection") / "schemas/attention.json").read_text("utf-8"))
    )
    return maps


def spelled(tokens: list[dict[str, str]]) -> bytes:
    return b"".join(bytes.fromhex(token["hex"]) for token in tokens)


def test_cross_attention_of_a_given_target(bpe: Run, translator: Path) -> None:
    (found,) = shown(bpe, translator, "three cats", "--target", "세 마리", "--head", "2", "--layer", "1")
    assert found["title"] == "decoder-to-encoder attention, layer 1 of 2, head 2 of 2"
    assert spelled(found["src_tokens"]) == b"three cats</s>"
    assert spelled(found["tgt_tokens"]) == "세 마리</s>".encode()  # what each row was writing
    expected = load_translator(translator).attention("three cats", "세 마리").cross
    assert expected is not None
    torch.testing.assert_close(torch.tensor(found["weights"][0]), torch.from_numpy(expected[0, 1]))


def test_mean_and_all_heads(bpe: Run, translator: Path) -> None:
    heads = shown(bpe, translator, "three cats", "--target", "세", "--head", "all")
    (mean,) = shown(bpe, translator, "three cats", "--target", "세")
    assert len(heads) == 2
    expected = torch.tensor([head["weights"][0] for head in heads]).mean(dim=0)
    torch.testing.assert_close(torch.tensor(mean["weights"][0]), expected)


def test_self_attention(bpe: Run, translator: Path) -> None:
    (encoder,) = shown(bpe, translator, "three cats", "--target", "세", "--kind", "encoder")
    assert encoder["src_tokens"] == encoder["tgt_tokens"]
    (decoder,) = shown(bpe, translator, "three cats", "--target", "세", "--kind", "decoder")
    assert spelled(decoder["tgt_tokens"]) == "<s>세".encode()
    assert decoder["weights"][0][0][1:] == [0.0] * (len(decoder["src_tokens"]) - 1)  # nothing ahead is seen


def test_follows_the_models_own_translation(bpe: Run, translator: Path) -> None:
    (found,) = shown(bpe, translator, "three cats")
    assert spelled(found["tgt_tokens"]).endswith(b"</s>")


def test_language_model(bpe: Run, fails: Callable[..., str], reader: Path) -> None:
    (found,) = shown(bpe, reader, "three cats")
    assert spelled(found["src_tokens"]).endswith(b"three cats")
    assert "has no target" in fails("attention", reader, "three", "--target", "x")
    assert "no encoder self-attention" in fails("attention", reader, "three", "--kind", "encoder")


def test_drawn_in_80_columns(bpe: Run, translator: Path) -> None:
    done = bpe("attention", translator, "--target", "세 마리", "--width", 80, input=b"three cats\n")
    picture = done.stdout.decode()
    assert "percent of each row" in picture
    assert "strongest" in picture
    assert max(map(len, picture.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["text", "--layer", "3"], "there is no layer 3; this model has layers 1 to 2"),
        (["text", "--head", "0"], "there is no head 0; choose 1 to 2"),
        ([""], "the text is empty"),
    ],
)
def test_bad_input(fails: Callable[..., str], translator: Path, options: list[str], message: str) -> None:
    assert message in fails("attention", translator, "--target", "세", *options)


def test_no_such_run(fails: Callable[..., str], tmp_path: Path) -> None:
    assert str(tmp_path / "none") in fails("attention", tmp_path / "none", "text")


def test_head_that_is_no_number_is_wrong_usage(bpe: Run, translator: Path) -> None:
    assert bpe("attention", translator, "text", "--head", "x").returncode == 2
