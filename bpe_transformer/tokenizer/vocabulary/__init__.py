"""A vocabulary as plain data: tokens and merges (`BpeModel`), what special tokens are for (`Roles`), its merge trace."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace, Unit
    from bpe_transformer.tokenizer.vocabulary.roles import Roles
    from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

_HOME = {
    "BpeModel": "model",
    "MergeStep": "trace",
    "MergeTrace": "trace",
    "PrefixSpace": "model",
    "Roles": "roles",
    "Unit": "model",
}

__all__ = ["BpeModel", "MergeStep", "MergeTrace", "PrefixSpace", "Roles", "Unit"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'bpe_transformer.tokenizer.vocabulary' has no attribute {name!r}")
    value = getattr(import_module(f"bpe_transformer.tokenizer.vocabulary.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function the next time
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
