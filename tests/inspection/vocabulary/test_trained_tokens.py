"""The tokens of trained models: losses by hand, states of vectors that are planted, and what pays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.vocabulary import TrainedTokens, trained_tokens
from bpe_transformer.inspection.vocabulary.token_losses import token_losses
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.training import CheckpointInfo, Settings, load_checkpoint, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

SEEN = "low lower lowest\n" * 3
ALL = SEEN + "newest widest"
ROLES = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "mask": "<mask>"}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator([ALL] * 3), 280, roles=ROLES)


def saved(folder: Path, tokenizer: Tokenizer, family: str, change: Callable[[Any], None], **options: Any) -> Path:
    settings = Settings().override({"family": family, "d_model": 16, "n_layers": 1, "max_len": 12}, options)
    columns = ("a", "b") if settings.task == "translation" else ("text",)
    pad = tokenizer.special_tokens["<pad>"]
    corpus = folder / "corpus.txt"
    folder.mkdir(exist_ok=True)
    corpus.write_text(SEEN, encoding="utf-8")
    info = CheckpointInfo(tokenizer.digest, tokenizer.vocab_size, pad, columns, str(corpus), settings)
    torch.manual_seed(1)
    model = build_model(info)
    with torch.no_grad():
        change(model)
    save_checkpoint(folder / "run", weights_of(model), info, tokenizer)
    return folder / "run"


def zeroed(model: Any) -> None:
    for value in model.parameters():
        value.zero_()


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name].tasks != ("classification",)])
def test_losses_of_a_model_that_knows_nothing(tmp_path: Path, tokenizer: Tokenizer, family: str) -> None:
    """With weights of zero every id costs ln V, and each is predicted as often as it stands in the texts."""
    run = saved(tmp_path, tokenizer, family, zeroed)
    model, info, _ = load_checkpoint(run)
    text = "lower newest"
    rows = [(text, text), ("low", "low")] if info.task == "translation" else [(text,), ("low",)]
    found = token_losses(model, tokenizer, info, rows)
    wanted = np.bincount([*tokenizer.encode(text), *tokenizer.encode("low")], minlength=tokenizer.vocab_size)
    eos = tokenizer.special_tokens["</s>"]
    assert np.delete(found.counts, eos).tolist() == np.delete(wanted, eos).tolist()
    assert found.totals.sum() == pytest.approx(found.counts.sum() * math.log(tokenizer.vocab_size), rel=1e-5)


def test_long_texts_are_read_to_their_end(tmp_path: Path, tokenizer: Tokenizer) -> None:
    model, info, _ = load_checkpoint(saved(tmp_path, tokenizer, "gpt", zeroed))
    text = "newest widest " * 20
    counts = token_losses(model, tokenizer, info, [(text,)]).counts
    counts[tokenizer.special_tokens["</s>"]] = 0
    assert counts.tolist() == np.bincount(tokenizer.encode(text), minlength=tokenizer.vocab_size).tolist()


@pytest.fixture
def planted(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    """A model in which "newest" has a vector like those of ids that no training text holds."""
    never = torch.ones(16)

    def plant(model: Any) -> None:
        seen = np.bincount(tokenizer.encode(ALL), minlength=tokenizer.vocab_size)
        weight = model.head.weight
        weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)))
        for id in range(tokenizer.vocab_size):
            if not seen[id] or id in tokenizer.encode("newest"):
                weight[id] = never + 0.01 * weight[id]

    return saved(tmp_path, tokenizer, "gpt", plant)


def test_under_trained_and_never_seen(planted: Path, tokenizer: Tokenizer) -> None:
    found = trained_tokens(planted, [(ALL,)], seen_in=[(ALL,)], limit=None)
    states = {token.id: token.state for token in found.tokens}
    (newest, *_) = tokenizer.encode("newest")
    assert states[newest] == "under-trained"
    others = {*tokenizer.encode(ALL)} - {*tokenizer.encode("newest")}
    assert sum(states[id] == "trained" for id in others) >= len(others) - 1
    assert states[ord("Z")] == "never seen"
    assert sum(found.states.values()) == len(found.tokens)
    assert found.tokens[0].state == "never seen"
    assert found.row_parameters == 16  # tied
    pruned = tokenizer.prune([ALL])
    assert found.prunable == pruned.dropped


def test_gains_add_up_to_nothing(planted: Path) -> None:
    """What some tokens cost less than the mean, others cost more."""
    found = trained_tokens(planted, [(ALL,)], seen_in=[(ALL,)], sort="pays", limit=None)
    gains = [token.gain for token in found.tokens if token.gain is not None]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) == pytest.approx(0, abs=1e-3 * sum(map(abs, gains)))
    best = found.tokens[0]
    assert best.bits_per_byte is not None
    assert found.bits_per_byte is not None
    assert best.gain == pytest.approx(
        (found.bits_per_byte - best.bits_per_byte) * best.predicted * len(best.token), rel=1e-6
    )
    costs = trained_tokens(planted, [(ALL,)], seen_in=[(ALL,)], sort="costs", limit=1)
    assert costs.tokens[0].gain == gains[-1]


def test_refused(planted: Path) -> None:
    with pytest.raises(ConfigError, match="unknown; choose one of undertrained"):
        trained_tokens(planted, [], seen_in=[], sort="best")  # type: ignore[arg-type]


def drawn(found: TrainedTokens) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


def test_picture(planted: Path) -> None:
    picture = drawn(trained_tokens(planted, [(ALL,)], seen_in=[(ALL,)]))
    for expected in ("never seen", "bits a byte", "would drop", "gain"):
        assert expected in picture


def test_the_command(planted: Path) -> None:
    from click.testing import CliRunner

    from bpe_transformer.cli.commands.vocab import command

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)

    data = json.loads(run("--run", planted, "--json", "--sort", "seen", "--limit", 5).stdout)
    assert [token["seen"] for token in data["tokens"]] == [0] * 5
    assert data["states"]["never seen"] > 200
    assert "newest" in run("--run", planted, "--text", "newest newest", "--sort", "loss").output
    assert "not of --run" in run("--run", planted, "--prefix", "a").output
    assert "needs --run" in run(planted, "--sort", "pays").output
    assert "either TOKENIZER or --run" in run().output
