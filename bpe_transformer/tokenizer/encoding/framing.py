"""`Frame`: the ids that encoding adds before and after a text on request, such as bos and eos, and the limit `max_len`."""

from __future__ import annotations

import numbers
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from bpe_transformer.errors import EncodingError, SpecialTokenError, TruncationWarning
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_PACKAGE = __name__.rpartition(".")[0].rpartition(".")[0]


@dataclass(frozen=True)
class Frame:
    """The ids added before and after a text (`prefix_ids`, `suffix_ids`), and the most ids it may have with them (`max_len`)."""

    prefix_ids: tuple[int, ...] = ()
    suffix_ids: tuple[int, ...] = ()
    max_len: int | None = None
    cuts_left: bool = False  # ids beyond `max_len` are cut off the start of the text, not off its end

    @classmethod
    def of(
        cls, model: BpeModel, add_bos: bool, add_eos: bool, max_len: int | None = None, cuts_left: bool = False
    ) -> Frame:
        """The frame that these arguments of `encode` ask for. Raises `SpecialTokenError` and `EncodingError`."""
        if not (add_bos or add_eos or max_len is not None):
            return _NO_FRAME
        id_of = {**model.added_tokens, **model.special_tokens}
        sides: list[tuple[int, ...]] = []
        for name, add, tokens in zip(("bos", "eos"), (add_bos, add_eos), model.bos_eos_tokens, strict=True):
            if add and not tokens:
                raise SpecialTokenError(
                    f"add_{name}=True, but this vocabulary has no {name}_token; set one with "
                    f"Tokenizer(dataclasses.replace(tok.model, {name}_token=...)), naming one of its special tokens"
                )
            sides.append(tuple(id_of[token] for token in tokens) if add else ())
        frame = cls(sides[0], sides[1], max_len, cuts_left)
        frame._check_max_len()
        return frame

    @property
    def num_ids(self) -> int:
        """How many ids it adds to a text."""
        return len(self.prefix_ids) + len(self.suffix_ids)

    def _check_max_len(self) -> None:
        max_len, added = self.max_len, self.num_ids
        if max_len is None:
            return
        if not isinstance(max_len, numbers.Integral) or max_len < 0:
            raise EncodingError(
                f"max_len={max_len!r} is not a number of ids; give a whole number from {added} on, or None"
            )
        if max_len < added:
            raise EncodingError(
                f"max_len={max_len} has no room for the {added} ids that add_bos and add_eos add; ask for at least {added}"
            )

    def apply(self, ids: list[int]) -> tuple[list[int], int]:
        """(framed ids of one text, number of its ids that were cut off its end)."""
        kept = len(ids) if self.max_len is None else min(len(ids), self.max_len - self.num_ids)
        kept_ids = ids[len(ids) - kept :] if self.cuts_left else ids[:kept]
        return [*self.prefix_ids, *kept_ids, *self.suffix_ids], len(ids) - kept

    def apply_to_rows(self, texts: Encodings) -> Encodings:
        """The framed ids of many texts."""
        framed, is_text, is_kept = self._layout(texts)
        framed.ids[is_text] = texts.ids[is_kept]
        return framed

    def apply_with_spans(
        self, texts: Encodings, spans: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[Encodings, NDArray[np.int64]]:
        """The same with the spans of all ids, (T, 2). The added ids have empty spans at the ends of texts of `lengths`, (N,)."""
        framed, is_text, is_kept = self._layout(texts)
        framed.ids[is_text] = texts.ids[is_kept]
        framed_spans = np.zeros((len(framed.ids), 2), np.int64)
        framed_spans[is_text] = spans[is_kept]
        for number in range(len(self.suffix_ids)):
            framed_spans[framed.row_starts[1:] - 1 - number] = lengths[:, None]
        return framed, framed_spans

    def _layout(self, texts: Encodings) -> tuple[Encodings, NDArray[np.bool_], NDArray[np.bool_]]:
        """(framed encodings in which only the added ids are set, mask of the ids that are still to be set (T,), mask of
        the ids of `texts` that go there)."""
        lengths = np.diff(texts.row_starts)
        kept = lengths if self.max_len is None else np.minimum(lengths, self.max_len - self.num_ids)
        every = np.ones(len(lengths), np.bool_)
        ids, row_starts, is_text = self.layout(kept, every, every, texts.ids.dtype)
        position = np.arange(len(texts.ids)) - np.repeat(texts.row_starts[:-1], lengths)
        is_kept = (
            position >= np.repeat(lengths - kept, lengths) if self.cuts_left else position < np.repeat(kept, lengths)
        )
        return Encodings.unchecked(ids, row_starts, lengths - kept), is_text, is_kept

    def layout(
        self, lengths: NDArray[np.int64], begins: NDArray[np.bool_], ends: NDArray[np.bool_], dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
        """Arrays for rows of `lengths` ids, (N,); rows that begin or end a text get the prefix or suffix, which is set already.

        Returns the ids, (T,), the row starts, (N + 1,), and which of the ids are still to be set, (T,).
        """
        row_starts = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths + begins * len(self.prefix_ids) + ends * len(self.suffix_ids), out=row_starts[1:])
        ids = np.empty(row_starts[-1], dtype)
        is_text = np.ones(len(ids), np.bool_)
        for added, places in (
            (self.prefix_ids, row_starts[:-1][begins]),
            (self.suffix_ids, row_starts[1:][ends] - len(self.suffix_ids)),
        ):
            for number, id in enumerate(added):
                ids[places + number] = id
                is_text[places + number] = False
        return ids, row_starts, is_text


_NO_FRAME = Frame()


def warn_of_cuts(max_len: int | None, num_cut: int, kept: int) -> None:
    """Warns the first caller outside this package that ids of a text were cut off."""
    if num_cut:
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_PACKAGE):
            level, frame = level + 1, frame.f_back
        message = f"max_len={max_len} cut {num_cut} of {num_cut + kept} ids off a text"
        warnings.warn(message, TruncationWarning, stacklevel=level)
