"""What becomes of text that a vocabulary does not have: `<unk>` in sources and translations. Bytes have no such text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bpe_transformer.tokenizer import Tokenizer


class Unknowns:
    """The unknown token of a tokenizer, if it has one: `ids` holds its id, or nothing."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        token = tokenizer.roles.unk
        known = {**tokenizer.model.added_tokens, **tokenizer.special_tokens}
        self.token = token or ""
        self.ids: tuple[int, ...] = (known[token],) if token in known else ()
        self._hidden = frozenset(tokenizer.special_tokens.values()) - {*self.ids}

    def count(self, ids: Sequence[int]) -> int:
        """How many of `ids` are unknown."""
        return sum(ids.count(id) for id in self.ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens but with `<unk>` where it was written."""
        if not self.count(ids):
            return self._tokenizer.decode(ids, skip_special_tokens=True)
        return self._tokenizer.decode([id for id in ids if id not in self._hidden])

    def copied(self, ids: Sequence[int], source: str, weights: npt.NDArray[np.float32]) -> str:
        """The text of ids, where the text of `source` that is attended to most takes the place of each `<unk>`.

        weights: (T, S), row t is how ids[t] was written; the last of S is the end.
        """
        _, offsets = self._tokenizer.encode_offsets(source, unit="char", disallowed_special=(), trim=False)
        unknown = [place for place, id in enumerate(ids) if id in self.ids]
        spans = [offsets[int(weights[place, : len(offsets)].argmax())] for place in unknown]
        texts: Iterator[str] = (source[start:end].strip() for start, end in spans)
        parts = self.decode(ids).split(self.token)
        if len(parts) != len(unknown) + 1:  # the text itself spells the token somewhere
            return self.decode(ids)
        return parts[0] + "".join(text + part for text, part in zip(texts, parts[1:], strict=True))
