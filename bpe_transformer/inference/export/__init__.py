"""Runs written for other engines, each folder verified by the engine that it is for before it stands under its name.

Names load on first use. This lies beside decoding, and not beside checkpoints, because an export counts only when greedy
outputs are equal too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
