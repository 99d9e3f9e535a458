"""The options of learning and their defaults, checked one by one, against each other, and against a base vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

from bpe_transformer.errors import LearningError, refuse_one_string
from bpe_transformer.io.utf8 import encode_utf8
from bpe_transformer.tokenizer.learning.alphabet import byte_tokens
from bpe_transformer.tokenizer.splitting.byte_level import is_name, tokens_of
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Unit
from bpe_transformer.tokenizer.vocabulary.undone_merges import refuse_undone

AlphabetOrder = Literal["byte", "gpt2"]
_CHARACTERS_ONLY = ("end_of_word", "unk_token", "character_coverage", "required_characters", "byte_fallback")


@dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """The options of `learn_bpe`, and the only place of their defaults.

    No merge produces the bytes of a special token, or a token of more than `max_token_bytes` bytes (an end-of-word mark counts).
    `unk_token` follows the special tokens unless it is one of them.

    `unit="byte"` (the default): 256 base tokens, in plain order or, with `alphabet_order="gpt2"`, in GPT-2's.

    `unit="char"`: the corpus's characters in code-point order. `character_coverage` keeps only the most frequent, which
    cover that share of all occurrences; `required_characters` are always kept, even if unseen. Other characters become
    `unk_token` or, with `byte_fallback`, their bytes, 256 tokens before the characters; with neither, encoding one of them
    is an error. No merge involves `unk_token` or such a byte. The trace holds how many characters have no token.
    `end_of_word`, such as "</w>", makes the last character of a word a separate base token, as subword-nmt does; white space
    around pre-tokens is then dropped and decoded as one space.

    `protected_tokens` gives each protected literal of the counts (see `Pretokenizer`) one id, after the base alphabet.

    Raises `LearningError` for an option out of range.
    """

    special_tokens: Iterable[str] = ()
    unit: Unit | None = None
    end_of_word: str | None = None
    unk_token: str | None = None
    alphabet_order: AlphabetOrder | None = None
    min_frequency: int = 1
    max_token_bytes: int | None = None
    character_coverage: float = 1.0
    required_characters: str | Iterable[str] = ()
    byte_fallback: bool = False
    protected_tokens: bool = False

    def __post_init__(self) -> None:
        for name in ("special_tokens", "required_characters"):
            value = getattr(self, name)
            if name == "special_tokens":
                refuse_one_string(LearningError, special_tokens=value)
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
        """Raises `LearningError` for options that do not fit the unit or each other."""
        if unit == "byte":
            for token in self.specials():
                if len(token) == 1 and is_name(token):
                    raise LearningError(
                        f"special token {token!r} is the name of the byte 0x{tokens_of([token])[0].hex()} in tokenizer.json; "
                        f"choose another text for it, such as '<{token}>'"
                    )
            for name in _CHARACTERS_ONLY:
                if (value := getattr(self, name)) != getattr(LearnOptions, name):
                    raise LearningError(f'{name}={value!r} goes with unit="char"; bytes cover every text, leave it out')
        elif self.alphabet_order is not None and self.alphabet_order != "byte":
            raise LearningError(
                f'alphabet_order={self.alphabet_order!r} goes with unit="byte"; characters are in code-point order'
            )
        if self.byte_fallback and self.end_of_word is not None:
            raise LearningError(
                f"byte_fallback does not go with end_of_word={self.end_of_word!r}: a byte cannot carry the mark; choose one"
            )

    def specials(self) -> list[str]:
        """The special tokens with `unk_token`. Raises `LearningError` for an empty one and one that is given twice."""
        specials = list(self.special_tokens)
        if self.unk_token is not None and self.unk_token not in specials:
            specials.append(self.unk_token)
        for token in specials:
            if not token or specials.count(token) > 1:
                raise LearningError(f"special token {token!r} is {'given twice' if token else 'empty'}; name each once")
        return specials


class LearnKeywords(TypedDict, total=False):
    """The fields of `LearnOptions` as keyword arguments."""

    special_tokens: Iterable[str]
    unit: Unit | None
    end_of_word: str | None
    unk_token: str | None
    alphabet_order: AlphabetOrder | None
    min_frequency: int
    max_token_bytes: int | None
    character_coverage: float
    required_characters: str | Iterable[str]
    byte_fallback: bool
    protected_tokens: bool


def inherited(options: LearnOptions, base: BpeModel) -> LearnOptions:
    """The options with those that a base vocabulary fixes set to its values. Raises `LearningError` for a contradiction."""
    refuse_undone(base, LearningError, "learning cannot extend")
    fixed: dict[str, Any] = {"unit": base.unit, "end_of_word": base.end_of_word, "byte_fallback": base.byte_fallback}
    if base.unk_token is not None:
        fixed["unk_token"] = base.unk_token
    for name, value in fixed.items():
        given = getattr(options, name)
        if given not in (None, False, value):
            raise LearningError(f"{name}={given!r}, but the base vocabulary has {value!r}; leave it out")
    if options.alphabet_order is not None and base.unit == "byte":
        order = [base.tokens[id] for id in base.base_ids]
        if order != byte_tokens(options.alphabet_order):
            raise LearningError(
                f"alphabet_order={options.alphabet_order!r}, but the base vocabulary has another order; leave it out"
            )
    return replace(options, **fixed, alphabet_order=None)
