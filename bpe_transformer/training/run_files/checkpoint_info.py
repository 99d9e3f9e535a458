"""What a checkpoint is besides its weights and its tokenizer: the content of config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bpe_transformer.data import SpecialIds
from bpe_transformer.io import Node
from bpe_transformer.ledger import Ledger
from bpe_transformer.models.config import ModelConfig
from bpe_transformer.models.registry import Family, family_named
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.config import Settings
from bpe_transformer.training.old_formats import FORMAT, upgraded_info


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint is: everything but the weights and the tokenizer.

    Attributes:
        digest: of the tokenizer; the ids mean nothing under another one.
        vocab_size: ids, special tokens included.
        pad_id: of the tokenizer's padding token.
        columns: of the corpus: source and target, the text, or text and label.
        corpus: its name, for people.
        settings: the family, its options, and how it was trained and decodes.
        result: figures of the training run (steps, epochs, seconds, validation_loss in nats per token, …).
        labels: of a classifier, in the order of its outputs; empty for every other model.
        ledgers: of the rows to train and to validate on: what was kept and lost of their text.
        foreign: of a model that was imported: its class, and the fields of its files that have no option here.
        format: that it was read from; the weights' names depend on it.
    """

    digest: str
    vocab_size: int
    pad_id: int
    columns: tuple[str, ...]
    corpus: str
    settings: Settings
    result: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    foreign: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def of(
        cls, tokenizer: Tokenizer, columns: tuple[str, ...], settings: Settings, *, corpus: str = "", **others: Any
    ) -> CheckpointInfo:
        """What a model with these settings is under a tokenizer; `others` are further attributes."""
        return cls(
            digest=tokenizer.digest,
            vocab_size=tokenizer.vocab_size,
            pad_id=SpecialIds.of(tokenizer).pad,
            columns=columns,
            corpus=corpus,
            settings=settings,
            **others,
        )

    @property
    def family(self) -> Family:
        """The kind of model."""
        return family_named(self.settings.family)

    @property
    def task(self) -> str:
        """What it is trained for: "translation", "language-model", "masked-language-model" or "classification"."""
        return "classification" if self.labels else self.family.task

    @property
    def kind(self) -> str:
        """The model in words, for messages, such as "masked language model" or "classifier"."""
        if self.labels:
            return "classifier"
        return f"{self.task} model".replace("-model model", " model").replace("-", " ")

    @property
    def config(self) -> ModelConfig:
        """What the model is built from. Raises `ConfigError` when vocab_size or pad_id are impossible."""
        return self.family.configure(self.settings.model, vocab_size=self.vocab_size, pad_id=self.pad_id)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config.json."""
        facts = {name: getattr(self, name) for name in ("task", "digest", "vocab_size", "pad_id", "corpus")}
        return {
            "format": FORMAT,
            **facts,
            "columns": list(self.columns),
            **({"labels": list(self.labels)} if self.labels else {}),
            "settings": self.settings.to_dict(),
            "outcome": dict(self.result),
            **({"data": {name: ledger.to_dict() for name, ledger in self.ledgers.items()}} if self.ledgers else {}),
            **({"foreign": dict(self.foreign)} if self.foreign else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointInfo:
        """The inverse of `to_dict`, of any format up to this version's.

        Raises KeyError, TypeError, AttributeError, `FormatError` or `ConfigError` when it is not one.
        """
        facts = upgraded_info(data)
        node = Node(facts)
        info = cls(
            digest=node.get("digest", str),
            vocab_size=facts["vocab_size"],
            pad_id=facts["pad_id"],
            columns=node.texts("columns"),
            corpus=node.get("corpus", str),
            settings=Settings.from_dict(facts["settings"]),
            result=node.get("outcome", dict),
            labels=node.texts("labels") if "labels" in facts else (),
            ledgers=_ledgers(node),
            foreign=node.get("foreign", dict, {}),
            format=facts.get("format", 1),
        )
        _ = info.config  # refuses what no model can be built from
        return info


def _ledgers(node: Node) -> dict[str, Ledger]:
    found = node.optional("data")
    return {} if found is None else {name: Ledger.from_node(found.child(name)) for name in found.value}
