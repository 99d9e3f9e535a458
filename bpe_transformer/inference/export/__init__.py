"""Runs written for other engines, each folder verified by the engine that it is for before it stands under its name.

Names load on first use. This lies beside decoding, and not beside checkpoints, because an export counts only when greedy
outputs are equal too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.inference.export.ctranslate2_folder import export_ctranslate2
    from bpe_transformer.inference.export.probe import Exported
    from bpe_transformer.inference.export.transformers_folder import export_transformers

_HOME = {
    "Exported": "probe",
    "export_ctranslate2": "ctranslate2_folder",
    "export_transformers": "transformers_folder",
}

__all__ = ["Exported", "export_ctranslate2", "export_transformers"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.inference.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.inference.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
