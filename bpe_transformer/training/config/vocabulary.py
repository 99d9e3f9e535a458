"""The vocabulary that training learns when it is given none."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN


@dataclass(frozen=True)
class VocabularyConfig(Checked):
    """Its size and its split pattern."""

    vocab_size: int = option(8000, unit="ids", meaning="vocabulary to learn when no tokenizer is given", low=1)
    pattern: str = option(DEFAULT_PATTERN, unit="name or regex", meaning="split pattern of that vocabulary")
