"""Small models for the lessons, trained here in a few seconds with a fixed seed, for readers without a run of their own.

Translators learn "three cats" → "고양이 세 마리" from the tables of numbers-en-ko; language models learn sentences in
which a later word depends on an early one: "three cats sleep and they are old".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bpe_transformer.corpora import english_numerals, korean_numerals
from bpe_transformer.corpora.counters import THINGS
from bpe_transformer.data.batches import IGNORED, pad
from bpe_transformer.data.batches.batch import MaskedBatch, PackedBatch, TranslationBatch
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.tokenizer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.training import CheckpointInfo, Settings
from bpe_transformer.training.checkpoint import build_model
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import CausalLM, MaskedLM, Objective, Seq2Seq

SmallFamily = Literal["transformer", "lstm", "bahdanau", "gpt", "bert"]
SEED = 0
STEPS = 160
_BATCH = 32
_LEARNING_RATE = 1e-2
_SPECIAL = ("<pad>", "<s>", "</s>", "<mask>")
_LARGEST_NUMBER = 12
_VOCAB_SIZE = 600  # enough for every word to be one token; learning ends earlier
_OPTIONS: dict[str, Any] = {"d_model": 32, "n_layers": 1, "dropout": 0.0, "max_len": 32}


@dataclass(frozen=True)
class SmallModel:
    """A trained model with its tokenizer, what it is, and the number of texts that it learned from."""

    model: Any
    tokenizer: Tokenizer
    info: CheckpointInfo
    texts: int


def number_pairs() -> list[tuple[str, str]]:
    """English counts of things with their Korean, in a fixed order."""
    found = []
    for thing in THINGS[:12]:
        if not thing.ko:
            continue
        for number in range(1, _LARGEST_NUMBER + 1):
            en = f"{english_numerals.cardinal(number)} {thing.one if number == 1 else thing.many}"
            found.append((en, f"{thing.ko} {korean_numerals.attributive(number)} {thing.counter}"))
    return found


def sentences() -> list[str]:
    """Sentences whose verb and pronoun agree with the number at their beginning; half of them are singular."""
    found = []
    for thing in THINGS[:6]:
        for verb in ("sleep", "run", "sing", "eat"):
            for quality in ("old", "small", "happy"):
                one = f"one {thing.one} {verb}s and it is {quality}"
                many = (f"{number} {thing.many} {verb} and they are {quality}" for number in ("two", "three", "four"))
                found += [one, one, one, *many]
    return found


@cache
def small_model(family: SmallFamily, steps: int) -> SmallModel:
    """The model of a family after `steps` steps; torch's global generator is left as it was."""
    translates = family not in ("gpt", "bert")
    texts: list[Any] = number_pairs() if translates else sentences()
    lines = [side for pair in texts for side in pair] if translates else texts
    tokenizer = learn_bpe(PretokenCounts.from_iterator(lines), vocab_size=_VOCAB_SIZE, special_tokens=list(_SPECIAL))
    heads = {"n_heads": 2, "d_ff": 64} if family in ("transformer", "gpt", "bert") else {}
    settings = Settings.preset("tiny").override({"family": family, **_OPTIONS, **heads})
    columns, corpus = (("en", "ko"), "numbers-en-ko") if translates else (("text",), "sentences")
    info = CheckpointInfo.of(tokenizer, columns, settings, corpus=corpus)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(SEED)
        model = build_model(info)
        _train(model, _batches(family, tokenizer, texts), _objective(family, model, tokenizer), steps)
    return SmallModel(model.eval(), tokenizer, info, len(texts))


def _objective(family: SmallFamily, model: nn.Module, tokenizer: Tokenizer) -> Objective:
    if family == "gpt":
        return CausalLM(model)
    if family == "bert":
        return MaskedLM(model, masking=Masking.of(tokenizer), seed=SEED, share=0.3)
    return Seq2Seq(model)


def _train(model: nn.Module, batch: Callable[[int, Tensor], Any], objective: Objective, steps: int) -> None:
    """Steps of AdamW, with a rate that falls in a line to 0."""
    objective.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 20) * (1 - step / max(steps, 1))
    )
    for step in range(steps):
        loss = objective(batch(step, torch.randint(0, 1 << 30, (_BATCH,))))
        optimizer.zero_grad()
        (loss.total / loss.count).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _batches(family: SmallFamily, tokenizer: Tokenizer, texts: Sequence[Any]) -> Callable[[int, Tensor], Any]:
    """A function from a step and random numbers to a batch of the texts that they choose."""
    special = SpecialIds.of(tokenizer)
    if family in ("gpt", "bert"):
        rows = pad([[special.eos, *tokenizer.encode(text), special.eos] for text in texts], special.pad)

        def of_text(step: int, drawn: Tensor) -> PackedBatch | MaskedBatch:
            places = drawn % len(rows)
            ids = rows[places]
            if family == "bert":
                return MaskedBatch(ids[:, :-1], places, torch.tensor(step))
            targets = ids[:, 1:]
            return PackedBatch(ids[:, :-1], targets.masked_fill(targets == special.pad, IGNORED))

        return of_text
    src = pad([[*tokenizer.encode(en), special.eos] for en, _ in texts], special.pad)
    tgt = pad([[special.bos, *tokenizer.encode(ko), special.eos] for _, ko in texts], special.pad)

    def of_pairs(step: int, drawn: Tensor) -> TranslationBatch:
        places = drawn % len(src)
        return TranslationBatch(src[places], tgt[places])

    return of_pairs
