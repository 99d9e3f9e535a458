"""Weights and configurations to and from classes of `transformers`, one file a kind of model, and to CTranslate2.

Nothing here imports either package: tensors and plain data in, tensors and plain data out. Names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
