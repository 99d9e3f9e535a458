"""The special tokens that frame sequences: padding, beginning and end. The only home of their names."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer import Tokenizer

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>")  # by convention, across the whole pipeline: padding, beginning, end


@dataclass(frozen=True)
class SpecialIds:
    """The ids that frame a sequence: padding, beginning and end."""

    pad: int
    bos: int
    eos: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> SpecialIds:
        """
        Raises:
            SpecialTokenError: the tokenizer lacks <pad>, <s> or </s>.
        """
        known = tokenizer.special_tokens
        missing = [token for token in SPECIAL_TOKENS if token not in known]
        if missing:
            raise SpecialTokenError(
                f"the tokenizer has no special token {', '.join(missing)}, which training needs; "
                f"learn it with special_tokens={list(SPECIAL_TOKENS)}"
            )
        return cls(*(known[token] for token in SPECIAL_TOKENS))
