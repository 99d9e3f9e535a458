"""What special tokens are for: padding, the beginning and end of a text, unknown text, masks, classes, separators."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from bpe_transformer.errors import FormatError, SpecialTokenError

# the texts that stand for a role by convention, in a vocabulary that has them and names no other token
CONVENTIONAL = {
    "pad": "<pad>",
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "mask": "<mask>",
    "cls": "<cls>",
    "sep": "<sep>",
}


@dataclass(frozen=True)
class Roles:
    """The special token of every role, by its text; None for a role that no token has.

    >>> Roles(pad="[PAD]", mask="[MASK]").to_special_tokens_map()
    {'pad_token': '[PAD]', 'mask_token': '[MASK]'}
    """

    pad: str | None = None
    bos: str | None = None
    eos: str | None = None
    unk: str | None = None
    mask: str | None = None
    cls: str | None = None
    sep: str | None = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(role, token) of the roles that a token has."""
        for f in fields(self):
            token = getattr(self, f.name)
            if token is not None:
                yield f.name, token

    def over(self, others: Roles) -> Roles:
        """These, and where a role has no token here, that of `others`."""
        return Roles(**{**dict(others), **dict(self)})

    def to_special_tokens_map(self) -> dict[str, str]:
        """As `transformers` names them, in special_tokens_map.json and tokenizer_config.json."""
        return {f"{role}_token": token for role, token in self}

    @classmethod
    def from_special_tokens_map(cls, data: Mapping[str, Any]) -> Roles:
        """The roles in the content of special_tokens_map.json or tokenizer_config.json; all other keys are ignored.

        A token is a text, or an object with its text as `content`. Raises `FormatError` for anything else.
        """
        found: dict[str, str] = {}
        for f in fields(cls):
            value = data.get(f"{f.name}_token")
            text = value.get("content") if isinstance(value, Mapping) else value
            if value is not None and not isinstance(text, str):
                raise FormatError(f"{f.name}_token is {value!r}, which is not a token; write its text")
            if text:
                found[f.name] = text
        return cls(**found)

    @classmethod
    def by_convention(cls, tokens: Collection[str]) -> Roles:
        """The roles of `CONVENTIONAL` texts among the special tokens of a vocabulary."""
        return cls(**{role: token for role, token in CONVENTIONAL.items() if token in tokens})


NO_ROLES = Roles()


def roles_of(given: Roles | Mapping[str, str]) -> Roles:
    """`Roles` as they are, or a mapping from roles to tokens. Raises `SpecialTokenError` for an unknown role."""
    if isinstance(given, Roles):
        return given
    known = [f.name for f in fields(Roles)]
    unknown = [role for role in given if role not in known]
    if unknown:
        raise SpecialTokenError(f"{unknown[0]!r} is not a role of a special token; the roles are {', '.join(known)}")
    return Roles(**given)
