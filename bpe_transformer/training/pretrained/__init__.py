"""Training that starts from existing weights, and the models of `transformers` that it can start from.

Names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.training.pretrained.carry_over import (
        Carried,
        Pretrained,
        continued_settings,
        from_run,
        load_pretrained,
        rows_by_token,
        starting_weights,
    )
    from bpe_transformer.training.pretrained.foreign_folder import (
        import_transformers,
        is_transformers_folder,
        load_transformers,
    )

_HOME = {
    "Carried": "carry_over",
    "Pretrained": "carry_over",
    "continued_settings": "carry_over",
    "from_run": "carry_over",
    "import_transformers": "foreign_folder",
    "is_transformers_folder": "foreign_folder",
    "load_pretrained": "carry_over",
    "load_transformers": "foreign_folder",
    "rows_by_token": "carry_over",
    "starting_weights": "carry_over",
}

__all__ = [
    "Carried",
    "Pretrained",
    "continued_settings",
    "from_run",
    "import_transformers",
    "is_transformers_folder",
    "load_pretrained",
    "load_transformers",
    "rows_by_token",
    "starting_weights",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
