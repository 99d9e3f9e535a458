"""Encoding that Python has to take part in: normalisation, protected spans, and patterns that have no native scanner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.tokenizer import patterns, specials
from bpe_transformer.tokenizer.model import BpeModel
from bpe_transformer.tokenizer.offsets import Offsets, normalize_aligned


def text_bytes(text: str | bytes) -> bytes:
    """The UTF-8 of a text; bytes as they are. Raises `TypeError` for anything else."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(type(text).__name__)


class PartEncoder:
    """Encodes texts part by part: what lies between special tokens, normalised, in protected and other spans."""

    def __init__(self, model: BpeModel, encoder: _core.Encoder, tokens: list[tuple[bytes, int]]) -> None:
        self._model = model
        self._split = model.pretokenization
        self._encoder = encoder
        self._tokens = tokens  # special and added ones, as the encoder has them

    def encode(self, data: bytes, policy: bytes) -> list[int]:
        """Raises `ForbiddenSpecial` and `UnknownCharacter`, with the byte of `data`."""
        ids: list[int] = []
        for start, part, special in specials.split(data, self._tokens, policy):
            text = self._split.normalize(part.decode("utf-8", "surrogateescape"))
            for before, span, protected in self._spans(" " + text if self._prefixed(start, part) else text):
                with self._located(start, part, before):
                    ids += self._ids(span, protected)
            if special is not None:
                ids.append(self._tokens[special][1])
        return ids

    def encode_spans(self, data: bytes, policy: bytes, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        """The ids, and the bytes of `data` that each stands for, (T, 2); `widths` has the base symbols of every id."""
        ids: list[int] = []
        places: list[Offsets] = [np.empty((0, 2), np.int64)]
        for start, part, special in specials.split(data, self._tokens, policy):
            text, starts, ends = self._aligned(start, part)
            after_last = np.append(starts, len(part))
            for before, span, protected in self._spans(text):
                with self._located(start, part, before):
                    found, flat = self._ids_and_spans(span, protected, widths)
                ids += found
                first, last = (flat.reshape(-1, 2) + before).T
                begins = after_last[first]
                places.append(start + np.stack([begins, np.where(last > first, ends[last - 1], begins)], axis=1))
            if special is not None:
                token, id = self._tokens[special]
                ids.append(id)
                at = start + len(part)
                places.append(np.array([[at, at + len(token)]], np.int64))
        return ids, np.concatenate(places)

    def _prefixed(self, start: int, part: bytes) -> bool:
        prefix = self._model.prefix_space
        return bool(part) and (prefix == "always" or (prefix == "first" and start == 0))

    def _aligned(self, start: int, part: bytes) -> tuple[str, Offsets, Offsets]:
        """The part as it is encoded, and for each byte of that where in `part` what it was made of starts and ends."""
        text = part.decode("utf-8", "surrogateescape")
        form = self._split.normalization
        if form is None:
            starts = np.arange(len(part))
            ends = starts + 1
        else:
            text, starts, ends = normalize_aligned(form, text)
        if self._prefixed(start, part):
            return " " + text, np.insert(starts, 0, 0), np.insert(ends, 0, 0)
        return text, starts, ends

    @contextmanager
    def _located(self, start: int, part: bytes, before: int) -> Iterator[None]:
        """Says where in the whole text an unknown character is that was found `before` bytes into the encoded part."""
        try:
            yield
        except _core.UnknownCharacter as cause:
            code_point, _, position = cause.args
            _, starts, _ = self._aligned(start, part)
            raise _core.UnknownCharacter(code_point, 0, start + int(starts[before + position])) from None

    def _spans(self, text: str) -> Iterator[tuple[int, bytes, bool]]:
        """(bytes before it, the span, whether it is protected)."""
        before = 0
        for span, protected in self._split.spans(text):
            encoded = span.encode("utf-8", "surrogateescape")
            yield before, encoded, protected
            before += len(encoded)

    def _pieces(self, span: bytes, protected: bool) -> list[bytes]:
        if protected:
            return [span]
        pieces = patterns.split(self._model.pattern, span.decode("utf-8", "surrogateescape"))
        return [piece.encode("utf-8", "surrogateescape") for piece in pieces]

    def _ids(self, span: bytes, protected: bool) -> list[int]:
        scanner = self._split.pattern_scanner
        if scanner is None or protected:
            return self._encoder.encode_pieces(self._pieces(span, protected))
        return self._encoder.encode_plain(scanner, span)

    def _ids_and_spans(self, span: bytes, protected: bool, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        scanner = self._split.pattern_scanner
        if scanner is None or protected:
            return self._encoder.pieces_spans(self._pieces(span, protected), widths)
        return self._encoder.plain_spans(scanner, span, widths)
