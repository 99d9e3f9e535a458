"""What is claimed of tokenizers, measured with models: the same small model trained on the same bytes with each of several.

rich.print(train_side_by_side({"1k": small, "16k": large}, train_texts, validation_texts, minutes=4))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.studies.side_by_side import SideBySide, Trial, train_side_by_side
    from bpe_transformer.studies.trial import MODEL, TrialSettings
    from bpe_transformer.studies.vocabulary_sizes import learn_sizes

_HOME = {
    "MODEL": "trial",
    "SideBySide": "side_by_side",
    "Trial": "side_by_side",
    "TrialSettings": "trial",
    "learn_sizes": "vocabulary_sizes",
    "train_side_by_side": "side_by_side",
}

__all__ = ["MODEL", "SideBySide", "Trial", "TrialSettings", "learn_sizes", "train_side_by_side"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
