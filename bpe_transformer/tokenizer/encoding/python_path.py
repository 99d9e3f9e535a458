"""Encoding that Python has to take part in: normalisation, protected spans, and patterns that have no native scanner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.special_tokens import Finder, Found
from bpe_transformer.tokenizer.splitting.alignment import Offsets
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_SHORT = 24  # characters of a span that is worth remembering, and not a call of the core


def text_bytes(text: str | bytes) -> bytes:
    """The UTF-8 of a text; bytes as they are. Raises `TypeError` for anything else."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(type(text).__name__)


class PythonEncoder:
    """Encodes texts part by part: what lies between special tokens, normalised, in protected and other spans."""

    def __init__(self, model: BpeModel, encoder: _core.Encoder, tokens: list[tuple[bytes, int]]) -> None:
        self._split = model.pretokenizer
        self._prefix = model.prefix_space
        self._space = model.space_mark or " "
        self._encoder = encoder
        self._tokens = tokens  # special and added ones, as the encoder has them
        names = (*model.special_tokens, *model.added_tokens)
        flags = {number: model.token_flags[name] for number, name in enumerate(names) if name in model.token_flags}
        self._late = {number for number in flags if "normalized" in flags[number]}
        early = set(range(len(tokens))) - self._late
        self._finder = Finder(tokens, early, flags)
        normal = [(self._normal(token), id) for token, id in tokens]
        self._pieces_of_short = lru_cache(maxsize=1 << 16)(self._split_short)
        marked = not model.prefix_space.endswith("_if_none")  # before tokens are sought, so that spaces are marks
        self._late_finder = Finder(normal, self._late, flags, model.space_mark if marked else None)

    def encode(self, data: bytes, policy: bytes, dropout: _core.Dropout | None = None) -> list[int]:
        """Raises `ForbiddenSpecial` and `UnknownCharacter`, with the byte of `data`."""
        ids: list[int] = []
        for start, part, special, _ in self._finder.split(data, policy):
            text = self._split.normalize(part.decode("utf-8", "surrogateescape"))
            if self._prefixed_early(start, text):
                text = " " + text
            for at, piece, late, _ in self._pieces_of(text, policy):
                prefixed = self._prefixed_late(at == 0 and self._at_start(start, part), piece)
                with self._located(start, part, at - prefixed):
                    ids += self._encode_piece(b" " + piece if prefixed else piece, dropout)
                if late is not None:
                    ids.append(self._tokens[late][1])
            if special is not None:
                ids.append(self._tokens[special][1])
        return ids

    def encode_batch(self, texts: Sequence[str | bytes], policy: bytes, dropout: float, seed: int) -> Encodings:
        """The same for many texts; the numbers of those that raise are right."""
        rows: list[list[int]] = []
        for index, text in enumerate(texts):
            chance = _core.Dropout(dropout, seed, index) if dropout else None
            with _numbered(index):
                rows.append(self.encode(text_bytes(text), policy, chance))
        return _joined(rows)

    def encode_some(self, texts: Sequence[str | bytes], numbers: Sequence[int], policy: bytes) -> list[list[int]]:
        """The ids of some of many texts; the numbers of those that raise are right."""
        rows: list[list[int]] = []
        for number in numbers:
            with _numbered(number):
                rows.append(self.encode(text_bytes(texts[number]), policy))
        return rows

    def spans_batch(
        self, texts: Sequence[str | bytes], policy: bytes, widths: NDArray[np.uint32], characters: bool
    ) -> tuple[Encodings, Offsets, Offsets]:
        """The ids of many texts, the spans of all, (T, 2), and the texts' lengths, (N,), in bytes or characters."""
        rows: list[list[int]] = []
        places: list[Offsets] = [np.empty((0, 2), np.int64)]
        lengths: list[int] = []
        for index, text in enumerate(texts):
            with _numbered(index):
                data = text_bytes(text)
                ids, spans = self.encode_spans(data, policy, widths)
            rows.append(ids)
            places.append(spans)
            lengths.append(_core.spans_to_characters(data, spans) if characters else len(data))
        return _joined(rows), np.concatenate(places), np.array(lengths, np.int64)

    def encode_spans(self, data: bytes, policy: bytes, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        """The ids, and the bytes of `data` that each stands for, (T, 2); `widths` has the base symbols of every id."""
        ids: list[int] = []
        places: list[Offsets] = [np.empty((0, 2), np.int64)]
        for start, part, special, stop in self._finder.split(data, policy):
            text, starts, ends = self._aligned(start, part)
            for at, piece, late, after in self._pieces_of(text, policy):
                if self._prefixed_late(start + at == 0 and not starts[:1].any(), piece):
                    piece, first, last = (
                        b" " + piece,
                        np.insert(starts[at:], 0, starts[at]),
                        np.insert(ends[at:], 0, starts[at]),
                    )
                else:
                    first, last = starts[at:], ends[at:]
                with self._located(start, part, at - (len(starts) - at < len(first))):
                    found, spans = self._piece_spans(piece, np.append(first, len(part)), last, widths)
                ids += found
                places.append(start + spans)
                if late is not None:
                    ids.append(self._tokens[late][1])
                    place = at + len(piece) - (len(first) - (len(starts) - at))
                    places.append(start + np.array([[starts[place], ends[after - 1]]], np.int64))
            if special is not None:
                ids.append(self._tokens[special][1])
                places.append(np.array([[start + len(part), stop]], np.int64))
        return ids, np.ascontiguousarray(np.concatenate(places))

    def _pieces_of(self, text: str, policy: bytes) -> Iterator[Found]:
        """What lies between the tokens that are looked for in normalised text."""
        encoded = text.encode("utf-8", "surrogateescape")
        if not self._late:
            return iter([(0, encoded, None, len(encoded))])
        return self._late_finder.split(encoded, policy)

    def pre_tokens(self, data: bytes, policy: bytes) -> Iterator[tuple[bytes, int | None]]:
        """What `encode` takes up, in order: pre-tokens, each with None, and special and added tokens with their ids.

        Raises `ForbiddenSpecial`.
        """
        for start, part, special, _ in self._finder.split(data, policy):
            text = self._split.normalize(part.decode("utf-8", "surrogateescape"))
            if self._prefixed_early(start, text):
                text = " " + text
            for at, piece, late, _ in self._pieces_of(text, policy):
                prefix = b" " if self._prefixed_late(at == 0 and self._at_start(start, part), piece) else b""
                for _, span, protected in self._spans((prefix + piece).decode("utf-8", "surrogateescape")):
                    yield from ((word, None) for word in self._pieces(span, protected))
                if late is not None:
                    yield self._tokens[late]
            if special is not None:
                yield self._tokens[special]

    def _encode_piece(self, piece: bytes, dropout: _core.Dropout | None) -> list[int]:
        ids: list[int] = []
        waiting: list[bytes] = []  # pre-tokens, encoded together
        scanner = self._split.pattern_scanner
        text = piece.decode("utf-8", "surrogateescape")
        try:
            for _, part, protected in self._split.placed_spans(text):
                if len(part) <= _SHORT and not protected:
                    waiting += self._pieces_of_short(part)
                elif scanner is None or protected:
                    waiting += self._pieces(part.encode("utf-8", "surrogateescape"), protected)
                else:
                    ids += self._ids_of(waiting, dropout)
                    waiting = []
                    ids += self._plain_ids(scanner, part.encode("utf-8", "surrogateescape"), dropout)
            return ids + self._ids_of(waiting, dropout)
        except _core.UnknownCharacter:
            for before, span, protected in self._spans(text):  # which it is
                try:
                    self._ids_of(self._pieces(span, protected), None)
                except _core.UnknownCharacter as cause:
                    code_point, _, position = cause.args
                    raise _core.UnknownCharacter(code_point, 0, before + position) from None
            raise

    def _piece_spans(
        self, piece: bytes, starts: Offsets, ends: Offsets, widths: NDArray[np.uint32]
    ) -> tuple[list[int], Offsets]:
        """The ids of a piece and the bytes of its part that each stands for; `starts` has one more for the end."""
        ids: list[int] = []
        places: list[Offsets] = [np.empty((0, 2), np.int64)]
        for before, span, protected in self._spans(piece.decode("utf-8", "surrogateescape")):
            try:
                found, flat = self._ids_and_spans(span, protected, widths)
            except _core.UnknownCharacter as cause:
                code_point, _, position = cause.args
                raise _core.UnknownCharacter(code_point, 0, before + position) from None
            ids += found
            first, last = (flat.reshape(-1, 2) + before).T
            begins = starts[first]
            places.append(np.stack([begins, np.where(last > first, ends[last - 1], begins)], axis=1))
        return ids, np.concatenate(places)

    def _normal(self, token: bytes) -> bytes:
        """A token as it is sought in normalised text."""
        text = self._split.normalize(token.decode())
        return (" " + text if self._prefix == "always" else text).encode()

    def _prefixed_early(self, start: int, text: str) -> bool:
        """Whether a space comes before a normalised part whatever it begins with, so before tokens are sought in it."""
        return bool(text) and (self._prefix == "always" or (self._prefix == "first" and start == 0))

    def _at_start(self, start: int, part: bytes) -> bool:
        """Whether a part begins with the text's first character, and not, as a whole or normalised, with a later one."""
        if start or self._prefix != "first_if_none" or not self._split.rewriting:
            return start == 0
        return not self._aligned(start, part)[1][:1].any()

    def _prefixed_late(self, at_start: bool, piece: bytes) -> bool:
        asked = self._prefix == "always_if_none" or (self._prefix == "first_if_none" and at_start)
        return asked and bool(piece) and not piece.startswith((b" ", self._space.encode()))

    def _aligned(self, start: int, part: bytes) -> tuple[str, Offsets, Offsets]:
        """The part as it is encoded, and for each byte of that where in `part` what it was made of starts and ends."""
        text = part.decode("utf-8", "surrogateescape")
        if self._split.normalizer is not None:
            text, starts, ends = self._split.normalizer.aligned(text)
        else:
            starts = np.arange(len(part))
            ends = starts + 1
        if self._prefixed_early(start, text):
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
            raise _core.UnknownCharacter(code_point, 0, start + int(starts[max(before + position, 0)])) from None

    def _spans(self, text: str) -> Iterator[tuple[int, bytes, bool]]:
        """(bytes before it, the span, whether it is protected)."""
        before = done = 0
        for start, span, protected in self._split.placed_spans(text):
            if start > done:  # what was left out
                before += len(text[done:start].encode("utf-8", "surrogateescape"))
            encoded = span.encode("utf-8", "surrogateescape")
            yield before, encoded, protected
            before += len(encoded)
            done = start + len(span)

    def _split_short(self, part: str) -> tuple[bytes, ...]:
        return tuple(piece.encode("utf-8", "surrogateescape") for piece in self._split.split_span(part))

    def _pieces(self, span: bytes, protected: bool) -> list[bytes]:
        if protected:
            return [span]
        pieces = self._split.split_span(span.decode("utf-8", "surrogateescape"))
        return [piece.encode("utf-8", "surrogateescape") for piece in pieces]

    def _ids_of(self, pieces: list[bytes], dropout: _core.Dropout | None) -> list[int]:
        if not pieces:
            return []
        encoder = self._encoder
        return encoder.encode_pretokens(pieces) if dropout is None else encoder.sample_pretokens(pieces, dropout)

    def _plain_ids(self, scanner: int, span: bytes, dropout: _core.Dropout | None) -> list[int]:
        encoder = self._encoder
        return encoder.encode_plain(scanner, span) if dropout is None else encoder.sample_plain(scanner, span, dropout)

    def _ids_and_spans(self, span: bytes, protected: bool, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        scanner = self._split.pattern_scanner
        if scanner is None or protected:
            return self._encoder.pretoken_spans(self._pieces(span, protected), widths)
        return self._encoder.plain_spans(scanner, span, widths)


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Says which text it is that does not encode."""
    try:
        yield
    except (_core.ForbiddenSpecial, _core.UnknownCharacter) as cause:
        what, _, position = cause.args
        raise type(cause)(what, index, position) from None


def _joined(rows: list[list[int]]) -> Encodings:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Encodings(np.fromiter((id for row in rows for id in row), np.uint32, int(offsets[-1])), offsets)
