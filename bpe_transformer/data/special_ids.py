"""The ids of special tokens by their roles: what frames sequences, and what hides ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.roles import CONVENTIONAL

# what a vocabulary of ours has unless something else is chosen: padding, beginning, end
SPECIAL_TOKENS = (CONVENTIONAL["pad"], CONVENTIONAL["bos"], CONVENTIONAL["eos"])


@dataclass(frozen=True)
class SpecialIds:
    """The ids that frame a sequence: padding, beginning and end; those of texts to classify, where there are some."""

    pad: int
    bos: int
    eos: int
    cls: int | None = None
    sep: int | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> SpecialIds:
        """The ids of the tokens with the roles pad, bos and eos.

        Raises:
            SpecialTokenError: the tokenizer has no token for one of them.
        """
        framing = {role: role_id(tokenizer, role) for role in ("pad", "bos", "eos")}
        optional = [role for role in ("cls", "sep") if getattr(tokenizer.roles, role) is not None]
        return cls(**framing, **{role: role_id(tokenizer, role) for role in optional})

    @property
    def first(self) -> int:
        """What a text to classify begins with: cls, else eos, which every document follows in pre-training."""
        return self.eos if self.cls is None else self.cls

    @property
    def last(self) -> int:
        """What a text to classify ends with: sep, else eos."""
        return self.eos if self.sep is None else self.sep

    def framed(self, ids: Sequence[int], max_len: int) -> list[int]:
        """The ids of a text to classify between `first` and `last`; only its beginning if it is longer than `max_len`.

        >>> SpecialIds(pad=0, bos=1, eos=2).framed([7, 8, 9], max_len=4)
        [2, 7, 8, 2]
        """
        return [self.first, *ids[: max_len - 2], self.last]


def role_id(tokenizer: Tokenizer, role: str) -> int:
    """The id of the token with a role, such as "mask". Raises `SpecialTokenError` when there is none."""
    token = getattr(tokenizer.roles, role)
    known = {**tokenizer.model.added_tokens, **tokenizer.special_tokens}
    if token not in known:
        what = "no special token" if token is None else f"the token {token!r}, which it does not hold,"
        raise SpecialTokenError(
            f"the tokenizer has {what} for the role {role}, which training needs; "
            f"learn it with roles={{'{role}': '{token or CONVENTIONAL[role]}'}}"
        )
    return known[token]
