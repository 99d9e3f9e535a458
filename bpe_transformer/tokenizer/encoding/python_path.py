"""`PythonEncoder`: encoding with normalisation, protected spans, tokens with flags, or a pattern without a native scanner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from bpe_transformer import _core
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.special_tokens import Finder, Segment
from bpe_transformer.tokenizer.splitting.alignment import Offsets
from bpe_transformer.tokenizer.splitting.compiled_patterns import Scanner
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_SHORT = 24  # characters: up to this length the pre-tokens of a span are cached, a longer span is a call of the core


def text_bytes(text: str | bytes) -> bytes:
    """The UTF-8 of a text; bytes as they are. Raises `TypeError` for anything else."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(type(text).__name__)


class PythonEncoder:
    """Encodes a text in four steps, of which the native core does the last.

    1. The text is split at special and added tokens into segments, which are normalised.
    2. Segments are split at the tokens with the flag "normalized" into subsegments.
    3. Subsegments are split into protected and other spans, and those into pre-tokens.
    4. Pre-tokens are encoded.
    """

    def __init__(self, model: BpeModel, encoder: _core.Encoder, tokens: list[tuple[bytes, int]]) -> None:
        self._split = model.pretokenizer
        self._prefix = model.prefix_space
        self._space = model.space_mark or " "
        self._encoder = encoder
        self._tokens = tokens  # (bytes, id) of special and added tokens, in the order of the policy
        names = (*model.special_tokens, *model.added_tokens)
        flags = {number: model.token_flags[name] for number, name in enumerate(names) if name in model.token_flags}
        self._normalized_tokens = {number for number in flags if "normalized" in flags[number]}
        as_written = set(range(len(tokens))) - self._normalized_tokens
        self._finder = Finder(tokens, as_written, flags)
        normalized = [(self._normalized(token), id) for token, id in tokens]
        self._pretokens_of_short = lru_cache(maxsize=1 << 16)(self._split_short)
        marked = not model.prefix_space.endswith("_if_none")  # spaces are marks when tokens are searched for
        self._finder_after_normalization = Finder(
            normalized, self._normalized_tokens, flags, model.space_mark if marked else None
        )

    def encode(self, data: bytes, policy: bytes, dropout: _core.Dropout | None = None) -> list[int]:
        """The ids of one text. Raises `ForbiddenSpecial` and `UnknownCharacter` with the byte of `data`."""
        ids: list[int] = []
        for start, segment, special, _ in self._finder.split(data, policy):
            text = self._split.normalize(segment.decode("utf-8", "surrogateescape"))
            if self._takes_prefix_before_search(start, text):
                text = " " + text
            for at, subsegment, found, _ in self._subsegments(text, policy):
                prefixed = self._takes_prefix_after_search(at == 0 and self._at_start(start, segment), subsegment)
                with self._located(start, segment, at - prefixed):
                    ids += self._encode_subsegment(b" " + subsegment if prefixed else subsegment, dropout)
                if found is not None:
                    ids.append(self._tokens[found][1])
            if special is not None:
                ids.append(self._tokens[special][1])
        return ids

    def encode_batch(self, texts: Sequence[str | bytes], policy: bytes, dropout: float, seed: int) -> Encodings:
        """The ids of many texts; errors hold the index of the text."""
        rows: list[list[int]] = []
        for index, text in enumerate(texts):
            draws = _core.Dropout(dropout, seed, index) if dropout else None
            with _numbered(index):
                rows.append(self.encode(text_bytes(text), policy, draws))
        return _joined(rows)

    def encode_some(self, texts: Sequence[str | bytes], indices: Sequence[int], policy: bytes) -> list[list[int]]:
        """The ids of the texts at `indices`; errors hold the index of the text."""
        rows: list[list[int]] = []
        for index in indices:
            with _numbered(index):
                rows.append(self.encode(text_bytes(texts[index]), policy))
        return rows

    def spans_batch(
        self, texts: Sequence[str | bytes], policy: bytes, widths: NDArray[np.uint32], characters: bool
    ) -> tuple[Encodings, Offsets, Offsets]:
        """(ids, spans of all ids (T, 2), lengths of the texts (N,)) of many texts, in bytes or characters."""
        rows: list[list[int]] = []
        all_spans: list[Offsets] = [np.empty((0, 2), np.int64)]
        lengths: list[int] = []
        for index, text in enumerate(texts):
            with _numbered(index):
                data = text_bytes(text)
                ids, spans = self.encode_spans(data, policy, widths)
            rows.append(ids)
            all_spans.append(spans)
            lengths.append(_core.spans_to_characters(data, spans) if characters else len(data))
        return _joined(rows), np.concatenate(all_spans), np.array(lengths, np.int64)

    def encode_spans(self, data: bytes, policy: bytes, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        """(ids, byte spans in `data` (T, 2)) of one text; `widths` has the number of base symbols of every id."""
        ids: list[int] = []
        all_spans: list[Offsets] = [np.empty((0, 2), np.int64)]
        for start, segment, special, stop in self._finder.split(data, policy):
            text, starts, ends = self._aligned(start, segment)
            for at, subsegment, found, after in self._subsegments(text, policy):
                if self._takes_prefix_after_search(start + at == 0 and not starts[:1].any(), subsegment):
                    subsegment, first, last = (
                        b" " + subsegment,
                        np.insert(starts[at:], 0, starts[at]),
                        np.insert(ends[at:], 0, starts[at]),
                    )
                else:
                    first, last = starts[at:], ends[at:]
                with self._located(start, segment, at - (len(starts) - at < len(first))):
                    new_ids, spans = self._spans_of_subsegment(subsegment, np.append(first, len(segment)), last, widths)
                ids += new_ids
                all_spans.append(start + spans)
                if found is not None:
                    ids.append(self._tokens[found][1])
                    place = at + len(subsegment) - (len(first) - (len(starts) - at))
                    all_spans.append(start + np.array([[starts[place], ends[after - 1]]], np.int64))
            if special is not None:
                ids.append(self._tokens[special][1])
                all_spans.append(np.array([[start + len(segment), stop]], np.int64))
        return ids, np.ascontiguousarray(np.concatenate(all_spans))

    def _subsegments(self, text: str, policy: bytes) -> Iterator[Segment]:
        """The subsegments of a normalised segment: the text between tokens with the flag "normalized"."""
        encoded = text.encode("utf-8", "surrogateescape")
        if not self._normalized_tokens:
            return iter([(0, encoded, None, len(encoded))])
        return self._finder_after_normalization.split(encoded, policy)

    def pretokens(self, data: bytes, policy: bytes) -> Iterator[tuple[bytes, int | None]]:
        """(pre-token, None) and (special or added token, id), in the order of the text, as `encode` finds them.

        Raises `ForbiddenSpecial`.
        """
        for start, segment, special, _ in self._finder.split(data, policy):
            text = self._split.normalize(segment.decode("utf-8", "surrogateescape"))
            if self._takes_prefix_before_search(start, text):
                text = " " + text
            for at, subsegment, found, _ in self._subsegments(text, policy):
                prefix = (
                    b" "
                    if self._takes_prefix_after_search(at == 0 and self._at_start(start, segment), subsegment)
                    else b""
                )
                for _, span, protected in self._spans((prefix + subsegment).decode("utf-8", "surrogateescape")):
                    yield from ((word, None) for word in self._pretokens_of(span, protected))
                if found is not None:
                    yield self._tokens[found]
            if special is not None:
                yield self._tokens[special]

    def _encode_subsegment(self, subsegment: bytes, dropout: _core.Dropout | None) -> list[int]:
        if (whole := self._split.normalized_scanner) is not None:
            return self._ids_of_span(whole, subsegment, dropout)
        ids: list[int] = []
        waiting: list[bytes] = []  # pre-tokens, encoded together
        scanner = self._split.pattern_scanner
        text = subsegment.decode("utf-8", "surrogateescape")
        try:
            for _, span, protected in self._split.placed_spans(text):
                if len(span) <= _SHORT and not protected:
                    waiting += self._pretokens_of_short(span)
                elif scanner is None or protected:
                    waiting += self._pretokens_of(span.encode("utf-8", "surrogateescape"), protected)
                else:
                    ids += self._ids_of_pretokens(waiting, dropout)
                    waiting = []
                    ids += self._ids_of_span(scanner, span.encode("utf-8", "surrogateescape"), dropout)
            return ids + self._ids_of_pretokens(waiting, dropout)
        except _core.UnknownCharacter:
            for before, encoded, protected in self._spans(text):  # which span it is in
                try:
                    self._ids_of_pretokens(self._pretokens_of(encoded, protected), None)
                except _core.UnknownCharacter as cause:
                    code_point, _, position = cause.args
                    raise _core.UnknownCharacter(code_point, 0, before + position) from None
            raise

    def _spans_of_subsegment(
        self, subsegment: bytes, starts: Offsets, ends: Offsets, widths: NDArray[np.uint32]
    ) -> tuple[list[int], Offsets]:
        """(ids, byte spans in the segment); `starts` has one more entry, for the end."""
        if (whole := self._split.normalized_scanner) is not None:
            ids, flat = self._encoder.plain_spans(whole, subsegment, widths)
            return ids, _source_spans(flat, starts, ends)
        ids = []
        all_spans: list[Offsets] = [np.empty((0, 2), np.int64)]
        for before, span, protected in self._spans(subsegment.decode("utf-8", "surrogateescape")):
            try:
                found, flat = self._ids_and_spans(span, protected, widths)
            except _core.UnknownCharacter as cause:
                code_point, _, position = cause.args
                raise _core.UnknownCharacter(code_point, 0, before + position) from None
            ids += found
            all_spans.append(_source_spans(flat + before, starts, ends))
        return ids, np.concatenate(all_spans)

    def _normalized(self, token: bytes) -> bytes:
        """The bytes of a token in normalised text, in which SentencePiece's are sought as they are."""
        if self._split.charsmap is not None or self._split.squeeze_spaces:
            return token
        text = self._split.normalize(token.decode())
        return (" " + text if self._prefix == "always" else text).encode()

    def _takes_prefix_before_search(self, start: int, text: str) -> bool:
        """Whether a normalised segment gets a space before it, whatever it begins with; tokens are searched for after that."""
        return bool(text) and (self._prefix == "always" or (self._prefix == "first" and start == 0))

    def _at_start(self, start: int, segment: bytes) -> bool:
        """Whether a normalised segment contains the start of the text, which normalisation may have dropped."""
        if start or self._prefix != "first_if_none" or not self._split.rewriting:
            return start == 0
        return not self._aligned(start, segment)[1][:1].any()

    def _takes_prefix_after_search(self, at_start: bool, subsegment: bytes) -> bool:
        """Whether a subsegment gets a space because it does not begin with one."""
        may_take = self._prefix == "always_if_none" or (self._prefix == "first_if_none" and at_start)
        return may_take and bool(subsegment) and not subsegment.startswith((b" ", self._space.encode()))

    def _aligned(self, start: int, segment: bytes) -> tuple[str, Offsets, Offsets]:
        """(normalised segment with its prefix space, starts, ends): for each of its bytes, the start and end of its source."""
        text = segment.decode("utf-8", "surrogateescape")
        if self._split.normalizer is not None:
            text, starts, ends = self._split.normalizer.aligned(text)
        else:
            starts = np.arange(len(segment))
            ends = starts + 1
        if self._takes_prefix_before_search(start, text):
            return " " + text, np.insert(starts, 0, 0), np.insert(ends, 0, 0)
        return text, starts, ends

    @contextmanager
    def _located(self, start: int, segment: bytes, before: int) -> Iterator[None]:
        """Re-raises `UnknownCharacter` of a subsegment, `before` bytes into its segment, with the position in the whole text."""
        try:
            yield
        except _core.UnknownCharacter as cause:
            code_point, _, position = cause.args
            _, starts, _ = self._aligned(start, segment)
            raise _core.UnknownCharacter(code_point, 0, start + int(starts[max(before + position, 0)])) from None

    def _spans(self, text: str) -> Iterator[tuple[int, bytes, bool]]:
        """(bytes before the span, the span, whether it is protected) for the spans of a subsegment."""
        before = done = 0
        for start, span, protected in self._split.placed_spans(text):
            if start > done:  # what was left out
                before += len(text[done:start].encode("utf-8", "surrogateescape"))
            encoded = span.encode("utf-8", "surrogateescape")
            yield before, encoded, protected
            before += len(encoded)
            done = start + len(span)

    def _split_short(self, span: str) -> tuple[bytes, ...]:
        return tuple(word.encode("utf-8", "surrogateescape") for word in self._split.split_span(span))

    def _pretokens_of(self, span: bytes, protected: bool) -> list[bytes]:
        if protected:
            return [span]
        words = self._split.split_span(span.decode("utf-8", "surrogateescape"))
        return [word.encode("utf-8", "surrogateescape") for word in words]

    def _ids_of_pretokens(self, words: list[bytes], dropout: _core.Dropout | None) -> list[int]:
        if not words:
            return []
        encoder = self._encoder
        return encoder.encode_pretokens(words) if dropout is None else encoder.sample_pretokens(words, dropout)

    def _ids_of_span(self, scanner: Scanner, span: bytes, dropout: _core.Dropout | None) -> list[int]:
        encoder = self._encoder
        return encoder.encode_plain(scanner, span) if dropout is None else encoder.sample_plain(scanner, span, dropout)

    def _ids_and_spans(self, span: bytes, protected: bool, widths: NDArray[np.uint32]) -> tuple[list[int], Offsets]:
        scanner = self._split.pattern_scanner
        if scanner is None or protected:
            return self._encoder.pretoken_spans(self._pretokens_of(span, protected), widths)
        return self._encoder.plain_spans(scanner, span, widths)


def _source_spans(flat: NDArray[np.int64], starts: Offsets, ends: Offsets) -> Offsets:
    """Byte spans of normalised text, one after another, as spans (T, 2) of its source."""
    first, last = flat.reshape(-1, 2).T
    begins = starts[first]
    return np.stack([begins, np.where(last > first, ends[last - 1], begins)], axis=1)


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Re-raises an error of the core with the index of the text."""
    try:
        yield
    except (_core.ForbiddenSpecial, _core.UnknownCharacter) as cause:
        what, _, position = cause.args
        raise type(cause)(what, index, position) from None


def _joined(rows: list[list[int]]) -> Encodings:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Encodings.unchecked(np.fromiter((id for row in rows for id in row), np.uint32, int(offsets[-1])), offsets)
