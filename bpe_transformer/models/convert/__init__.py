"""Weights and configurations to and from classes of `transformers`, one file a kind of model, and to CTranslate2.

Nothing here imports either package: tensors and plain data in, tensors and plain data out. Names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.models.convert.converter import Converter, Foreign, Native, SpecialTokens
    from bpe_transformer.models.convert.lookup import converter_of, converters_of, native_from

_HOME = {
    "Converter": "converter",
    "Foreign": "converter",
    "Native": "converter",
    "SpecialTokens": "converter",
    "converter_of": "lookup",
    "converters_of": "lookup",
    "native_from": "lookup",
}

__all__ = ["Converter", "Foreign", "Native", "SpecialTokens", "converter_of", "converters_of", "native_from"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.models.convert.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.models.convert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
