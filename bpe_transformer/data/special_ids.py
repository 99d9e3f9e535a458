"""The ids of special tokens by their roles: what frames sequences, and what hides ids."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.roles import CONVENTIONAL

# what a vocabulary of ours has unless something else is chosen: padding, beginning, end
SPECIAL_TOKENS = (CONVENTIONAL["pad"], CONVENTIONAL["bos"], CONVENTIONAL["eos"])


@dataclass(frozen=True)
class SpecialIds:
    """The ids that frame a sequence: padding, beginning and end."""

    pad: int
    bos: int
    eos: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> SpecialIds:
        """The ids of the tokens with the roles pad, bos and eos.

        Raises:
            SpecialTokenError: the tokenizer has no token for one of them.
        """
        return cls(*(role_id(tokenizer, role) for role in ("pad", "bos", "eos")))


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
