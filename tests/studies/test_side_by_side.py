"""Tokenizers side by side: equal compute, bits per byte that do not depend on the ids, and what is refused."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import ConfigError, CorpusError, LearningError
from bpe_transformer.studies import SideBySide, TrialSettings, learn_sizes, side_by_side, train_side_by_side
from bpe_transformer.studies.side_by_side import VALIDATION_BYTES, Trial, _shortened
from bpe_transformer.studies.trial import MODEL, IdStream, flops_per_step
from bpe_transformer.studies.trial import Trial as Training

torch.set_num_threads(1)

SMALL = replace(MODEL, d_model=16, n_layers=1, n_heads=2, d_ff=32, max_len=16)
SETTINGS = TrialSettings(batch_ids=128, precision="float32", device="cpu", lr=1e-2)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    draw = random.Random(3)
    words = ("low", "lower", "newest", "widest", "세 마리", "books")
    return [" ".join(draw.choices(words, k=30)) for _ in range(40)]


@pytest.fixture(scope="module")
def found(texts: list[str]) -> SideBySide:
    return train_side_by_side(
        learn_sizes(texts[:36], [257, 280]), texts[:36], texts[36:],
        flops=40 * flops_per_step(281, SMALL, 128), seeds=(1, 2, 3), model=SMALL, settings=SETTINGS,
    )  # fmt: skip


def test_every_training_has_the_same_compute(found: SideBySide) -> None:
    small, large = found.trials
    assert (small.vocab_size, large.vocab_size) == (257, 280)
    assert large.steps == 40
    for trial in found.trials:
        spent = trial.steps * flops_per_step(trial.vocab_size + 1, SMALL, 128)
        assert found.flops * (1 - 1 / trial.steps) < spent <= found.flops
    assert small.passes < large.passes  # the same ids are more of the text
    assert large.bytes_per_token > small.bytes_per_token


def test_models_learn_and_errors_are_those_of_the_mean(found: SideBySide) -> None:
    for trial in found.trials:
        assert len(trial.bits_per_byte) == 3
        assert len(set(trial.bits_per_byte)) == 3
        assert 0.2 < trial.mean < 6  # 8 bits is what knowing nothing costs
        assert trial.standard_error == pytest.approx(np.std(trial.bits_per_byte, ddof=1) / math.sqrt(3))
        assert trial.lossless
    assert found.best.mean == min(trial.mean for trial in found.trials)


def test_the_same_arguments_give_the_same_figures(found: SideBySide, texts: list[str]) -> None:
    tokenizers = learn_sizes(texts[:36], [280])
    again = train_side_by_side(
        tokenizers, texts[:36], texts[36:], flops=found.flops, seeds=(2,), model=SMALL, settings=SETTINGS
    )
    assert again.trials[0].bits_per_byte[0] == found.trials[1].bits_per_byte[1]
    assert again.trials[0].standard_error is None


def test_an_untrained_model_costs_its_uniform_choice(texts: list[str]) -> None:
    """Weights of zero give every id the same probability, so the bits follow by hand."""
    tokenizer = learn_sizes(texts, [270])["270"]
    stream = IdStream.of(tokenizer, texts[:5])
    training = Training(stream, 1, SMALL, SETTINGS)
    with torch.no_grad():
        for value in training.model.parameters():
            value.zero_()
    assert stream.num_tokens + 6 == len(stream.ids)
    expected = (len(stream.ids) - 1) * math.log(271)
    assert training.negative_log_likelihood(stream) == pytest.approx(expected, rel=1e-5)


def test_flops_by_hand() -> None:
    layer = 4 * 16 * 16 + 2 * 16 * 32 + 2 * 16  # attention, feed-forward, two norms
    assert flops_per_step(100, SMALL, 10) == 10 * (6 * (100 * 16 + layer + 16) + 12 * 16 * 16)


def test_minutes_become_compute(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_seconds_per_step", lambda *_: 0.005)
    shares: list[float] = []
    result = train_side_by_side(
        learn_sizes(texts, [260]), texts, texts[:2], minutes=0.01, seeds=(1,), model=SMALL, settings=SETTINGS,
        progress=lambda share, _: shares.append(share),
    )  # fmt: skip
    assert 60 <= result.trials[0].steps <= 120
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(("minutes", "spent"), [(4.0, 0.0), (4.0, 30.0), (1.0, 50.0)])
def test_minutes_hold_everything(
    texts: list[str], minutes: float, spent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All six trainings together with their validations, and what came before them; half of it is trained in any case."""
    speeds = {258: 0.03, 271: 0.05, 281: 0.07}  # seconds a step, by the ids and the separator
    monkeypatch.setattr(side_by_side, "_seconds_per_step", lambda stream, *_: speeds[stream.vocab_size])
    clock = iter([100.0, 100.0 + spent])
    monkeypatch.setattr(side_by_side, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    steps: dict[int, list[int]] = {}

    def train(self: Training, number: int, report: object = None) -> float:
        steps.setdefault(self.stream.vocab_size, []).append(number)
        return 0.0

    monkeypatch.setattr(Training, "train", train)
    tokenizers = learn_sizes(texts, [257, 270, 280])
    train_side_by_side(tokenizers, texts, texts[:4], minutes=minutes, seeds=(1, 2), model=SMALL, settings=SETTINGS)
    assert [len(each) for each in steps.values()] == [2, 2, 2]
    trained = sum(sum(each) * speeds[ids] for ids, each in steps.items())
    scored = 2 * sum(
        0.4 * speeds[tokenizer.vocab_size + 1] * len(IdStream.of(tokenizer, texts[:4]).ids) / 128
        for tokenizer in tokenizers.values()
    )
    assert trained == pytest.approx(max(60 * minutes - spent - scored, 30 * minutes), abs=6 * 0.07)


def test_a_vocabulary_that_cannot_give_the_text_back_is_named(texts: list[str]) -> None:
    lossy = learn_bpe(PretokenCounts.from_iterator(["low lower"]), 30, unit="char", unk_token="<unk>")
    result = train_side_by_side(
        {"chars": lossy}, texts, ["세 마리"], flops=25 * flops_per_step(lossy.vocab_size + 1, SMALL, 128),
        seeds=(1,), model=SMALL, settings=SETTINGS,
    )  # fmt: skip
    assert not result.trials[0].lossless
    assert "cannot give the text back" in drawn(result)


def test_refused(texts: list[str]) -> None:
    tokenizers = learn_sizes(texts, [260])
    with pytest.raises(ConfigError, match="3 steps"):
        train_side_by_side(
            tokenizers, texts, texts, flops=3 * flops_per_step(261, SMALL, 128), model=SMALL, settings=SETTINGS
        )
    with pytest.raises(ConfigError, match="0 tokenizers"):
        train_side_by_side({}, texts, texts)
    with pytest.raises(CorpusError, match="no text"):
        train_side_by_side(tokenizers, [], texts)
    with pytest.raises(LearningError, match="merges for a vocabulary of"):
        learn_sizes(["low"], [5000])
    with pytest.raises(LearningError, match="no vocabulary size"):
        learn_sizes(["low"], [])


def test_sizes_of_one_run_are_prefixes(texts: list[str]) -> None:
    small, large = learn_sizes(texts, [285, 260]).values()
    assert small.model.left.tolist() == large.model.left[: len(small.model.left)].tolist()


def test_long_validation_texts_are_cut() -> None:
    assert _shortened(["ab", "cdef", "g"], 4) == ["ab", "cd"]
    assert sum(map(len, _shortened(["x" * 200_000] * 5, VALIDATION_BYTES))) == VALIDATION_BYTES


def drawn(result: SideBySide) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(result)
    return " ".join(captured.get().split())


def test_picture() -> None:
    def trial(name: str, size: int, *bits: float) -> Trial:
        return Trial(name, "d", size, 3.0, 1000, 50, 1.5, bits, 9.0, True)

    result = SideBySide(
        (trial("1000", 1000, 2.0, 2.1), trial("4000", 4000, 1.9, 2.0), trial("16000", 16000, 2.5, 2.52)),
        1e9, 2048, 10_000, 1_000, (1, 2),
    )  # fmt: skip
    picture = drawn(result)
    for expected in ("1.9500", "0.0500", "4000 has the fewest bits per byte; 1000 within two", "16k", "--flops 1e+09"):
        assert expected in picture
    assert result.as_dict()["trials"][1]["standard_error"] == pytest.approx(0.05)
    assert not result.undecided(result.trials[2])


def test_the_command(tmp_path: Path, texts: list[str]) -> None:
    import json

    from click.testing import CliRunner

    from bpe_transformer.cli.commands.ab import command

    (tmp_path / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    tokenizer: Tokenizer = learn_sizes(texts, [270])["270"]
    tokenizer.save(tmp_path / "tok")
    shape = ("--d-model", "16", "--n-layers", "1", "--n-heads", "2", "--d-ff", "32", "--max-len", "16")
    flops = 21 * flops_per_step(281, SMALL, 64)
    arguments = [
        str(tmp_path / "corpus.txt"),
        "--tokenizer",
        f"mine={tmp_path / 'tok'}",
        "--sizes",
        "280",
        "--seeds",
        "1",
    ]
    done = CliRunner().invoke(
        command, [*arguments, *shape, "--batch-ids", "64", "--flops", str(flops), "--threads", "1", "--json", "--svg", str(tmp_path / "ab.svg")],
        catch_exceptions=False,
    )  # fmt: skip
    data = json.loads(done.stdout)
    assert [trial["name"] for trial in data["trials"]] == ["mine", "280"]
    assert "<svg" in (tmp_path / "ab.svg").read_text()
    assert "nothing to compare" in CliRunner().invoke(command, [str(tmp_path / "corpus.txt")]).output
    assert "1000,4000" in CliRunner().invoke(command, [str(tmp_path / "corpus.txt"), "--sizes", "1k"]).output
