"""`attention` on untrained models of real shape: what counts here is that rows, columns and heads are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.inference import load_translator
from bpe_transformer.inference.value_norms import captured_value_norms
from bpe_transformer.inspection.attention import METHODS, AttendedText, Reading, attended_text
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


def shown(bpe: Run, *arguments: object, tokens: bool = True) -> Any:
    done = bpe("attention", *arguments, "--json", *(["--tokens"] if tokens else []))
    assert done.stderr == b""
    maps = json.loads(done.stdout)
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


def test_words_characters_and_tokens(bpe: Run, translator: Path) -> None:
    arguments = (translator, "three cats", "--target", "세 마리", "--layer", "1")
    (tokens,) = shown(bpe, *arguments)
    (words,) = shown(bpe, *arguments, tokens=False)
    (chars,) = shown(bpe, *arguments, "--chars", tokens=False)
    assert [token["text"] for token in words["src_tokens"]] == ["three", "cats", "</s>"]
    assert [token["text"] for token in words["tgt_tokens"]] == ["세", "마리", "</s>"]
    assert "".join(token["text"] for token in chars["tgt_tokens"]) == "세마리</s>"
    assert [found["unit"] for found in (tokens, words, chars)] == ["tokens", "words", "chars"]
    for found in (words, chars):
        torch.testing.assert_close(torch.tensor(found["weights"]).sum(dim=-1), torch.ones(1, len(found["tgt_tokens"])))


def test_every_layer_and_head(translator: Path) -> None:
    found = attended_text(translator, "three cats", "세 마리")
    for method in METHODS:
        maps = found.maps(Reading(layer="all", head="all", method=method))
        assert len(maps) == (2 if method == "rollout" else 4)
        maps += found.maps(Reading(layer="mean", head="mean", method=method))
        maps += found.maps(Reading(layer="max", head="max", method=method))
        maps += found.maps(Reading(layer=2, head="max", method=method))
        for one in maps:
            np.testing.assert_allclose(one.weights.sum(axis=-1), 1, atol=1e-5)
    cross, norms = found.weights.cross, found.norms.of_kind("cross")
    assert cross is not None
    assert norms.shape == (2, 2, cross.shape[-1])
    (by_norms,) = AttendedText(found.tokenizer, found.weights, found.norms, "tokens").maps(
        Reading(layer=1, head=2, method="norms")
    )
    expected = cross[0, 1] * norms[0, 1]
    np.testing.assert_allclose(by_norms.weights[0], expected / expected.sum(axis=-1, keepdims=True), rtol=1e-4)


def test_value_norms_by_hand(translator: Path) -> None:
    """The length of each value after its head's part of the output matrix, from the layer's own matrices."""
    model: Any = load_translator(translator).model
    layer = model.encoder[0].self_attention
    with captured_value_norms(model) as norms, torch.no_grad():
        src = torch.tensor([[5, 6, 7]])
        model.attention(src, torch.tensor([[1]]))
        x = model.encoder[0].self_attention_norm(model.src_embedding(src, torch.arange(3), 3))
        values = layer.qkv(x)[0, :, 32:]  # d_model 16, two heads of 8
        for head in range(2):
            part = slice(8 * head, 8 * head + 8)
            moved = values[:, part] @ layer.out.weight[:, part].T
            np.testing.assert_allclose(norms.of_kind("encoder")[0, head], moved.norm(dim=-1).numpy(), rtol=1e-4)


def test_what_a_word_refers_to(bpe: Run, fails: Callable[..., str], reader: Path) -> None:
    found = shown(bpe, reader, "three cats read three books", "--focus", "books", tokens=False)
    assert found["word"]["text"] == "books"
    assert len(found["heads"]) == 4
    peaks = [head["weights"][head["peak"]] for head in found["heads"]]
    assert peaks == sorted(peaks, reverse=True)
    assert all(found["src_tokens"][head["peak"]]["text"] not in ("</s>", "books") for head in found["heads"])
    assert "is no word of this text; choose one of: </s> three cats" in fails(
        "attention", reader, "three cats", "--focus", "x"
    )
    said = fails("attention", reader, "three cats read three books", "--focus", "x", "--tokens")
    names = said.partition("choose one of: ")[2].partition("; or its place")[0].split()
    spaced = [name for name in names if name.startswith("·") and len(name) > 1][-1]  # with the space before it
    for word in (spaced, spaced[1:]):
        done = bpe("attention", reader, "three cats read three books", "--focus", word, "--tokens")
        assert done.returncode == 0, done.stderr.decode()
    with_layer = bpe("attention", reader, "three cats", "--focus", "cats", "--layer", 1)
    assert (with_layer.returncode, b"leave --layer, --head and --method out" in with_layer.stderr) == (2, True)
    picture = bpe("attention", reader, "three cats", "--focus", "cats", "--width", "80").stdout.decode()
    assert "layer 1 head" in picture


def test_lines_between_the_sentences_and_svg(bpe: Run, translator: Path, tmp_path: Path) -> None:
    svg = tmp_path / "a.svg"
    done = bpe("attention", translator, "three <cats>", "--target", "세 마리", "--svg", svg, "--width", "80")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "three  <cats>  </s>"
    assert lines[6] == "세  마리  </s>"
    assert any("\u2801" <= char <= "\u28ff" for line in lines[1:6] for char in line)
    drawn = svg.read_text("utf-8")
    assert "&lt;cats&gt;" in drawn
    assert drawn.count("<rect") == 9
    ElementTree.fromstring(drawn)
    assert bpe("attention", translator, "three", "--focus", "three", "--svg", svg).returncode == 2


def test_korean_bytes_have_a_legend(bpe: Run, translator: Path) -> None:
    done = bpe("attention", translator, "뷁", "--target", "세", "--tokens", "--width", "80")
    assert "뷁 = ⟨eb⟩ ⟨b7⟩ ⟨81⟩" in done.stdout.decode()


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
