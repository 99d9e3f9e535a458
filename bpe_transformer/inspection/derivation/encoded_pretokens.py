"""The pre-tokens and special tokens of a text, each with its ids and the ids of its base symbols, as the encoder finds them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bpe_transformer.errors import EncodingError

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

SpecialTokens = Collection[str] | Literal["all"]
PretokenKind = Literal["merged", "whole", "special"]


@dataclass(frozen=True, slots=True)
class EncodedPretoken:
    """One pre-token, or one special or added token, with its ids.

    "merged": built by merges. "whole": found in the vocabulary as a whole, so that no merge was applied
    (`ignore_merges`). "special": a special or added token, found in the text before it was split.
    """

    source: bytes  # of the text, normalised if the tokenizer does that
    kind: PretokenKind
    base_ids: tuple[int, ...]  # empty for a special token
    ids: tuple[int, ...]


class PretokenEncoder:
    """Splits texts as one tokenizer does and encodes each pre-token separately."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._whole = dict(tokenizer.model.whole_tokens())

    def encode(
        self, text: str, *, allowed_special: SpecialTokens = (), disallowed_special: SpecialTokens = "all"
    ) -> list[EncodedPretoken]:
        """The pre-tokens of `text`; their ids together are what `Tokenizer.encode` gives.

        Raises:
            SpecialTokenError, EncodingError: as `Tokenizer.encode`.
        """
        ids = self.tokenizer.encode(text, allowed_special=allowed_special, disallowed_special=disallowed_special)
        pretokens = list(self._split(text, allowed_special, disallowed_special))
        if [id for pretoken in pretokens for id in pretoken.ids] != ids:
            raise EncodingError(
                f"the pre-tokens of {text[:40]!r} have other ids than the encoder gives; please report this text "
                f"with the digest {self.tokenizer.digest[:12]}"
            )
        return pretokens

    def _split(self, text: str, allowed: SpecialTokens, disallowed: SpecialTokens) -> Iterator[EncodedPretoken]:
        for source, special in self.tokenizer.codec.pretokens(text, allowed, disallowed):
            if special is not None:
                yield EncodedPretoken(source, "special", (), (special,))
            elif (pretoken := self._encoded(source)).ids:
                yield pretoken

    def _encoded(self, word: bytes) -> EncodedPretoken:
        ids = tuple(self.tokenizer.codec.encode_pretokens([word]))
        kind: PretokenKind = "whole" if word in self._whole else "merged"
        return EncodedPretoken(word, kind, tuple(self.tokenizer.codec.base_ids(word)), ids)
