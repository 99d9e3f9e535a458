"""`align`: a pair of sentences, and the error on the corpus whose alignment is known."""

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
from bpe_transformer.inspection.attention import gold_alignment
from bpe_transformer.training import CheckpointInfo, Settings, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, loaded: Tokenizer) -> dict[str, Path]:
    """Untrained models: of the corpus with a gold alignment, of another one, and without attention."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for name, family, corpus in (
        ("gold", "transformer", "numbers-en-ko"),
        ("other", "transformer", "mine"),
        ("lstm", "lstm", "numbers-en-ko"),
    ):
        shape: dict[str, Any] = {"d_model": 8, "n_layers": 2}
        if family == "transformer":
            shape |= {"n_heads": 2, "d_ff": 8}
        info = CheckpointInfo(
            digest=loaded.digest,
            vocab_size=loaded.vocab_size,
            pad_id=loaded.special_tokens["<pad>"],
            columns=("en", "ko"),
            corpus=corpus,
            settings=Settings.preset("tiny").override({"family": family, **shape}),
        )
        torch.manual_seed(0)
        save_checkpoint(folder / name, weights_of(build_model(info)), info, loaded)
        found[name] = folder / name
    return found


def shown(bpe: Run, *arguments: object) -> dict[str, Any]:
    done = bpe("align", *arguments, "--json")
    assert done.stderr == b""
    facts: dict[str, Any] = json.loads(done.stdout)
    schema = json.loads((files("bpe_transformer.inspection") / "schemas/align.json").read_text("utf-8"))
    jsonschema.validate(facts, schema)
    return facts


def test_a_pair(bpe: Run, runs: dict[str, Path]) -> None:
    facts = shown(bpe, runs["other"], "three cats", "고양이 세 마리")
    assert [word["text"] for word in facts["src_words"]] == ["three", "cats"]
    assert [word["text"] for word in facts["tgt_words"]] == ["고양이", "세", "마리"]
    assert {link["tgt"] for link in facts["links"]} == {0, 1, 2}
    assert (facts["reading"]["shifted"], facts["reading"]["filled"]) == (False, True)
    assert {link["src"] for link in facts["links"]} == {0, 1}
    drawn = bpe("align", runs["other"], "three cats", "고양이 세 마리", "--width", "80").stdout.decode().splitlines()
    assert (drawn[0], drawn[6]) == ("three  cats", "고양이  세  마리")
    narrow = bpe("align", runs["other"], "three cats " * 9, "세 마리", "--width", "40").stdout.decode()
    assert max(map(len, narrow.splitlines())) <= 40


def test_error_on_the_corpus(bpe: Run, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold_alignment, "CHOOSING", 4)
    facts = shown(bpe, runs["gold"], "--pairs", 3)
    assert (facts["choosing"], facts["testing"], len(facts["readings"])) == (4, 3, 8)
    rates = [rate["error_rate"] for rate in facts["readings"]]
    assert rates == sorted(rates)
    assert facts["test"]["reading"] == facts["readings"][0]["reading"]
    pair = shown(bpe, runs["gold"], "three cats", "고양이 세 마리")
    assert pair["reading"] == facts["readings"][0]["reading"]
    assert pair["chosen_on"] == "4 validation pairs of numbers-en-ko"
    table = bpe("align", runs["gold"], "--pairs", 3, "--width", "80").stdout.decode()
    assert "the token written" in table
    assert "on 3 test pairs" in table


def test_errors(bpe: Run, fails: Callable[..., str], runs: dict[str, Path]) -> None:
    assert "has no attention to its source" in fails("align", runs["lstm"], "a", "b")
    assert "trained on mine" in fails("align", runs["other"])
    assert "without words" in fails("align", runs["other"], "", "x")
    assert bpe("align", runs["other"], "one").returncode == 2
    assert bpe("align", runs["other"], "one", "하나", "--pairs", "3").returncode == 2
