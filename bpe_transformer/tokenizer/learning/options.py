"""The options of learning: checked one by one, against each other, and against a base vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bpe_transformer.errors import LearningError
from bpe_transformer.io.utf8 import encode_utf8
from bpe_transformer.tokenizer.learning.alphabet import byte_tokens
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Unit

_CHARACTERS_ONLY = {
    "end_of_word": None,
    "unk_token": None,
    "character_coverage": 1.0,
    "required_characters": (),
    "byte_fallback": False,
}


@dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """The keyword arguments of `learn_bpe`, checked one by one and against each other."""

    special_tokens: Iterable[str] = ()
    unit: Unit | None = None
    end_of_word: str | None = None
    unk_token: str | None = None
    alphabet_order: str | None = None
    min_frequency: int = 1
    max_token_bytes: int | None = None
    character_coverage: float = 1.0
    required_characters: Iterable[str] = ()
    byte_fallback: bool = False
    protected_tokens: bool = False

    def __post_init__(self) -> None:
        for name in ("special_tokens", "required_characters"):
            value = getattr(self, name)
            if name == "special_tokens" and isinstance(value, str):
                raise LearningError(f"special_tokens={value!r} is one string; give a list of strings")
            object.__setattr__(self, name, tuple(value))
        if self.unit not in (None, "byte", "char"):
            raise LearningError(f'unit={self.unit!r} is unknown; choose "byte" or "char"')
        if self.alphabet_order not in (None, "byte", "gpt2"):
            raise LearningError(f'alphabet_order={self.alphabet_order!r} is unknown; choose "byte" or "gpt2"')
        for name, least in (("min_frequency", 1), ("max_token_bytes", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise LearningError(f"{name}={value}; ask for at least {least}")
        if not 0 < self.character_coverage <= 1:
            raise LearningError(
                f"character_coverage={self.character_coverage}; give a share above 0 and up to 1, such as 0.9995"
            )
        if self.end_of_word is not None and (not self.end_of_word or any(c.isspace() for c in self.end_of_word)):
            raise LearningError(
                f'end_of_word={self.end_of_word!r} must be some text without white space, such as "</w>"'
            )
        for character in self.required_characters:
            if len(encode_utf8(character).decode()) != 1:
                raise LearningError(f"required_characters holds {character!r}; name single characters")

    def check(self, unit: Unit) -> None:
        """Refuses options that do not go with the unit or with each other."""
        if unit == "byte":
            for name, empty in _CHARACTERS_ONLY.items():
                if (value := getattr(self, name)) != empty:
                    raise LearningError(f'{name}={value!r} goes with unit="char"; bytes cover every text, leave it out')
        elif self.alphabet_order is not None and self.alphabet_order != "byte":
            raise LearningError(
                f'alphabet_order={self.alphabet_order!r} goes with unit="byte"; characters stand in code-point order'
            )
        if self.byte_fallback and self.end_of_word is not None:
            raise LearningError(
                f"byte_fallback does not go with end_of_word={self.end_of_word!r}: a byte cannot carry the mark; choose one"
            )

    def specials(self) -> list[str]:
        specials = list(self.special_tokens)
        if self.unk_token is not None and self.unk_token not in specials:
            specials.append(self.unk_token)
        for token in specials:
            if not token or specials.count(token) > 1:
                raise LearningError(f"special token {token!r} is {'given twice' if token else 'empty'}; name each once")
        return specials


def inherited(options: LearnOptions, base: BpeModel) -> LearnOptions:
    """Options with what a base vocabulary fixes taken from it. Raises `LearningError` for one that contradicts it."""
    fixed: dict[str, Any] = {"unit": base.unit, "end_of_word": base.end_of_word, "byte_fallback": base.byte_fallback}
    if base.unk_token is not None:
        fixed["unk_token"] = base.unk_token
    for name, value in fixed.items():
        asked = getattr(options, name)
        if asked not in (None, False, value):
            raise LearningError(f"{name}={asked!r}, but the base vocabulary has {value!r}; leave it out")
    if options.alphabet_order is not None and base.unit == "byte":
        order = [base.tokens[id] for id in base.base_ids]
        if order != byte_tokens(options.alphabet_order):
            raise LearningError(
                f"alphabet_order={options.alphabet_order!r}, but the base vocabulary has another order; leave it out"
            )
    return replace(options, **fixed, alphabet_order=None)
