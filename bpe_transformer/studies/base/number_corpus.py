"""The bundled corpus numbers-en-ko for the studies: pairs, chains of pairs, a small vocabulary, batches and models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import nn

from bpe_transformer.corpora.numbers_en_ko import generate
from bpe_transformer.data.batches import pad
from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.data.special_ids import SPECIAL_TOKENS, SpecialIds
from bpe_transformer.inference import Translator
from bpe_transformer.tokenizer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.training import CheckpointInfo, Settings
from bpe_transformer.training.checkpoint import build_model

NAME = "numbers-en-ko"
_BETWEEN = " ; "  # the links of a chain; in no expression of the corpus


class Pair(NamedTuple):
    """An English number expression, or a chain of them, and its Korean."""

    en: str
    ko: str


def chain(links: Sequence[Pair]) -> Pair:
    """Expressions one after another.

    >>> chain([Pair("three cats", "고양이 세 마리"), Pair("noon", "정오")])
    Pair(en='three cats ; noon', ko='고양이 세 마리 ; 정오')
    """
    return Pair(_BETWEEN.join(link.en for link in links), _BETWEEN.join(link.ko for link in links))


@dataclass(frozen=True, eq=False)
class NumberCorpus:
    """Pairs of the training split and of the test split, no source in both, and a byte vocabulary learned from the former."""

    train: tuple[Pair, ...]
    test: tuple[Pair, ...]
    tokenizer: Tokenizer

    @classmethod
    def of(
        cls, train: int, test: int, *, vocab_size: int = 500, kinds: Sequence[str] = (), most_words: int = 1000
    ) -> NumberCorpus:
        """So many pairs of each split, of some kinds of expression only (none: all), and of few words."""
        pairs = _pairs("train", train, kinds, most_words)
        counts = PretokenCounts.from_iterator(side for pair in pairs for side in pair)
        tokenizer = learn_bpe(counts, vocab_size, special_tokens=list(SPECIAL_TOKENS))
        return cls(pairs, _pairs("test", test, kinds, most_words), tokenizer)

    @property
    def special(self) -> SpecialIds:
        """The ids that frame a row."""
        return SpecialIds.of(self.tokenizer)

    def batch(self, pairs: Sequence[Pair]) -> TranslationBatch:
        """The pairs as ids, framed and padded."""
        special = self.special
        src = self.tokenizer.encode_batch([pair.en for pair in pairs])
        tgt = self.tokenizer.encode_batch([pair.ko for pair in pairs])
        rows = range(len(pairs))
        return TranslationBatch(
            pad([[*src[row].tolist(), special.eos] for row in rows], special.pad),
            pad([[special.bos, *tgt[row].tolist(), special.eos] for row in rows], special.pad),
        )

    def info(self, family: str, **options: Any) -> CheckpointInfo:
        """What a model of a family with these options is under this vocabulary. Raises `ConfigError` for a wrong option."""
        settings = Settings.preset("tiny").override({"family": family, "dropout": 0.0, **options})
        return CheckpointInfo.of(self.tokenizer, ("en", "ko"), settings, corpus=NAME)

    def translator(self, model: nn.Module, info: CheckpointInfo) -> Translator:
        """The model with the vocabulary, to translate with."""
        return Translator(model.eval(), self.tokenizer, info)  # type: ignore[arg-type]  # of a family that translates


def parameters_of(info: CheckpointInfo) -> int:
    """How many weights a model has, without making one."""
    with torch.device("meta"):
        return sum(value.numel() for value in build_model(info).parameters())


def _pairs(split: str, count: int, kinds: Sequence[str], most_words: int) -> tuple[Pair, ...]:
    fitting = (
        Pair(example.en, example.ko)
        for example in generate(split, 1_000_000)
        if (not kinds or example.kind in kinds) and len(example.en.split()) <= most_words
    )
    return tuple(islice(fitting, count))
