"""A vocabulary as plain data: tokens and merges (`BpeModel`), what special tokens are for (`Roles`), its merge trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
