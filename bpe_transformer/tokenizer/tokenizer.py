"""The tokenizer: text to ids and back."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import DecodingError, EncodingError, SpecialTokenError
from bpe_transformer.tokenizer import patterns
from bpe_transformer.tokenizer.counts import threads
from bpe_transformer.tokenizer.model import BpeModel, Unit
from bpe_transformer.tokenizer.trace import MergeTrace

if TYPE_CHECKING:
    import pyarrow as pa

    from bpe_transformer.tokenizer.counts import PretokenCounts
    from bpe_transformer.tokenizer.resize import Pruned

Specials = Collection[str] | Literal["all"]
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Encodings(Sequence[NDArray[np.uint32]]):
    """The ids of several texts, one after another: text `i` has `ids[offsets[i]:offsets[i + 1]]`.

    >>> encodings.offsets, encodings[1]                                     # doctest: +SKIP
    (array([0, 2, 5]), array([104, 97, 12], dtype=uint32))
    """

    ids: NDArray[np.uint32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint32]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.uint32]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint32] | list[NDArray[np.uint32]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} is out of range; there are {len(self)}")
        index %= len(self)
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[NDArray[np.uint32]]:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> list[list[int]]:
        return [part.tolist() for part in self]

    def to_arrow(self) -> pa.LargeListArray:
        """A `LargeListArray` of uint32 over the same memory."""
        import pyarrow as pa

        offsets = pa.Array.from_buffers(pa.int64(), len(self.offsets), [None, pa.py_buffer(self.offsets)])
        ids = pa.Array.from_buffers(pa.uint32(), len(self.ids), [None, pa.py_buffer(self.ids)])
        return pa.LargeListArray.from_arrays(offsets, ids)


class Tokenizer:
    """A learned BPE vocabulary, ready to encode and decode. Made by `learn_bpe` or `Tokenizer.load`; does not change.

    One object may be used by many threads at a time.
    """

    def __init__(self, model: BpeModel, *, trace: MergeTrace | None = None) -> None:
        self.model = model
        self.trace = trace
        self._scanner = model.pretokenization.scanner
        # special tokens first, then those that are always looked for: the order of `_policy`
        self._specials = [
            (token.encode(), id) for kind in (model.special_tokens, model.added_tokens) for token, id in kind.items()
        ]
        self._encoder = _core.Encoder(
            model.alphabet(), model.left, model.right, model.made, self._specials, model.whole_tokens()
        )
        self._decoder = _core.Decoder(model.surfaces)

    # --- facts ---------------------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """The largest id + 1, special tokens included."""
        return len(self.model.tokens)

    @property
    def special_tokens(self) -> dict[str, int]:
        return dict(self.model.special_tokens)

    @property
    def pattern(self) -> str:
        """The split pattern, by name if it has one."""
        return self.model.pattern

    @property
    def unit(self) -> Unit:
        return self.model.unit

    @property
    def end_of_word(self) -> str | None:
        return self.model.end_of_word

    @property
    def unk_token(self) -> str | None:
        return self.model.unk_token

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides how text becomes ids; travels with data caches and checkpoints."""
        return self.model.digest

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """(left id, right id) by rank."""
        return list(zip(self.model.left.tolist(), self.model.right.tolist(), strict=True))

    @property
    def first_merge_id(self) -> int:
        """The id that the merge of rank 0 makes; in a vocabulary of ours rank r makes `first_merge_id + r`."""
        return int(self.model.made[0]) if len(self.model.made) else self.vocab_size

    def token_bytes(self, id: int) -> bytes:
        """A token's bytes, with the end-of-word mark where it has one. Raises `DecodingError` for an id out of range."""
        if not 0 <= id < self.vocab_size:
            raise DecodingError(f"id {id} is out of range; this vocabulary has ids 0 to {self.vocab_size - 1}")
        return self.model.tokens[id]

    @cached_property
    def _id_of(self) -> dict[bytes, int]:
        return {token: id for id, token in enumerate(self.model.tokens)}

    def id_of(self, token: bytes | str) -> int:
        """The id of a token, by its bytes or its text. Raises `KeyError` if it has none."""
        return self._id_of[token.encode() if isinstance(token, str) else token]

    def __repr__(self) -> str:
        return (
            f"Tokenizer(vocab_size={self.vocab_size}, merges={len(self.model.left)}, unit={self.unit!r}, "
            f"pattern={self.pattern!r}, special_tokens={list(self.special_tokens)}, digest={self.digest[:12]})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.model, self.trace)

    # --- text to ids ---------------------------------------------------------------------------------------------------

    def encode(
        self, text: str | bytes, *, allowed_special: Specials = _NONE, disallowed_special: Specials = "all"
    ) -> list[int]:
        """The ids of a text, or of bytes, which need not be UTF-8.

        Special tokens follow tiktoken's policy: those in `allowed_special` become their ids; one of
        `disallowed_special` (by default all that are not allowed) in the text raises `SpecialTokenError`; the rest is plain
        text. Raises `EncodingError` for a character outside the alphabet of a character vocabulary without `<unk>`.
        """
        policy = self._policy(allowed_special, disallowed_special)
        if self._scanner is None:
            return self._encode_in_parts(text, policy)
        try:
            return self._encoder.encode(self._scanner, text, policy)
        except (ValueError, TypeError) as cause:
            self._fail(cause, (text,))

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        """The ids of a text in which special tokens mean nothing: `encode(text, disallowed_special=())`."""
        return self.encode(text, disallowed_special=())

    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        num_threads: int | None = None,
        *,
        allowed_special: Specials = _NONE,
        disallowed_special: Specials = "all",
    ) -> Encodings:
        """The ids of many texts, on several threads (default: all cores); each as `encode` gives them."""
        batch = tuple(texts)
        policy = self._policy(allowed_special, disallowed_special)
        if self._scanner is None:
            rows = [self._encode_in_parts(text, policy) for text in batch]
            offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
            return Encodings(np.fromiter((id for row in rows for id in row), np.uint32, int(offsets[-1])), offsets)
        try:
            return Encodings(*self._encoder.encode_batch(self._scanner, batch, policy, threads(num_threads)))
        except (ValueError, TypeError) as cause:
            self._fail(cause, batch)

    def _policy(self, allowed: Specials, disallowed: Specials) -> bytes:
        names = self.model.special_tokens
        allow = set(names) if allowed == "all" else set(allowed)
        forbid = set(names) - allow if disallowed == "all" else set(disallowed)
        if unknown := allow - names.keys():
            raise SpecialTokenError(
                f"allowed_special names {min(unknown)!r}, which is no special token; this vocabulary has {list(names)}"
            )
        both = {name: _core.ALLOW for name in allow} | {name: _core.FORBID for name in forbid - allow}
        return bytes(both.get(name, _core.PLAIN) for name in names) + bytes(
            [_core.ALLOW] * len(self.model.added_tokens)
        )

    def _encode_in_parts(self, text: str | bytes, policy: bytes) -> list[int]:
        """For texts that have to be normalised, or split by a regular expression, which the native core leaves to Python."""
        data = self._bytes(text)
        split = self.model.pretokenization
        ids: list[int] = []
        start = 0
        for part, special in self._split_specials(data, policy):
            normalized = split.normalize(part.decode("utf-8", "surrogateescape"))
            before = start  # of the span; in bytes of the normalised text, which errors may name
            for span, protected in split.spans(normalized):
                encoded = span.encode("utf-8", "surrogateescape")
                try:
                    ids += self._encode_span(encoded, protected)
                except _core.UnknownCharacter as cause:
                    code_point, _, position = cause.args
                    self._fail(_core.UnknownCharacter(code_point, 0, before + position), (data,))
                before += len(encoded)
            start += len(part)
            if special is not None:
                token, id = self._specials[special]
                ids.append(id)
                start += len(token)
        return ids

    def _encode_span(self, span: bytes, protected: bool) -> list[int]:
        """Normalised text that is protected, so one pre-token, or holds nothing protected."""
        scanner = self.model.pretokenization.pattern_scanner
        if scanner is not None and not protected:
            return self._encoder.encode(scanner, span, self._nothing_special)
        if protected:
            return self._encoder.encode_pieces([span])
        pieces = patterns.split(self.pattern, span.decode("utf-8", "surrogateescape"))
        return self._encoder.encode_pieces([piece.encode("utf-8", "surrogateescape") for piece in pieces])

    @cached_property
    def _nothing_special(self) -> bytes:
        return bytes([_core.PLAIN] * len(self._specials))

    def _bytes(self, text: str | bytes) -> bytes:
        try:
            return text.encode() if isinstance(text, str) else bytes(text)
        except (UnicodeEncodeError, TypeError) as cause:
            self._fail(cause, (text,))

    def _split_specials(self, data: bytes, policy: bytes) -> Iterator[tuple[bytes, int | None]]:
        """Ordinary stretches of `data`, each with the number in `_specials` of the token that ends it."""
        import regex

        active = {token: number for number, (token, _) in enumerate(self._specials) if policy[number] != _core.PLAIN}
        if not active:
            yield data, None
            return
        longest_first = sorted(active, key=len, reverse=True)
        start = 0
        for match in regex.finditer(b"|".join(map(regex.escape, longest_first)), data):
            number = active[match.group()]
            if policy[number] == _core.FORBID:
                self._fail(_core.ForbiddenSpecial(number, match.start()), (data,))
            yield data[start : match.start()], number
            start = match.end()
        yield data[start:], None

    def _fail(self, cause: Exception, texts: Sequence[object]) -> NoReturn:
        if isinstance(cause, _core.ForbiddenSpecial):
            index, position = cause.args
            token = list(self.model.special_tokens)[index]
            raise SpecialTokenError(
                f"the text holds the special token {token!r} (byte {position}), which is not allowed; to get its id, pass "
                f"allowed_special={{{token!r}}}; to encode it as plain text, pass disallowed_special=() or leave it out of that"
            ) from None
        if isinstance(cause, _core.UnknownCharacter):
            code_point, index, position = cause.args
            name = f"{chr(code_point)!r} (U+{code_point:04X})"
            where = f"byte {position}" if len(texts) == 1 else f"byte {position} of text {index}"
            raise EncodingError(
                f"character {name} at {where} is not in this vocabulary's alphabet; "
                'learn it with unk_token="<unk>", on text that holds the character, or with unit="byte"'
            ) from None
        for index, text in enumerate(texts):
            if not isinstance(text, (str, bytes)):
                raise EncodingError(f"text {index} is {type(text).__name__}; encode takes str or bytes") from None
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError as surrogate:
                    raise EncodingError(
                        f"character {surrogate.start} of text {index} is a lone surrogate, "
                        f"U+{ord(text[surrogate.start]):04X}, which UTF-8 cannot hold; replace it, or pass bytes"
                    ) from None
        raise cause

    # --- ids to text ---------------------------------------------------------------------------------------------------

    def decode(
        self, ids: Sequence[int] | NDArray[np.integer], *, errors: str = "replace", skip_special_tokens: bool = False
    ) -> str:
        """The text of ids. Bytes that are not UTF-8 on their own, such as half a character, follow `errors` (as in
        `bytes.decode`); `decode_bytes` gives them exactly. Raises `DecodingError` for an id out of range.
        """
        array = self._ids(ids)
        if skip_special_tokens and self.model.special_tokens:
            array = array[~np.isin(array, list(self.model.special_tokens.values()))]
        return self.decode_bytes(array).decode("utf-8", errors)

    def decode_bytes(self, ids: Sequence[int] | NDArray[np.integer]) -> bytes:
        """The bytes of ids: for a byte vocabulary exactly those that were encoded."""
        array = self._ids(ids)
        data, bad = self._decoder.decode(array)
        if bad >= 0:
            raise DecodingError(
                f"id {array[bad]} at position {bad} is out of range; this vocabulary has ids 0 to {self.vocab_size - 1}"
            )
        return data[:-1] if len(array) and int(array[-1]) in self.model.word_ends else data

    def _ids(self, ids: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
        try:
            array = np.asarray(ids)
        except (OverflowError, ValueError, TypeError) as cause:
            raise DecodingError(f"ids must be a flat sequence of whole numbers: {cause}") from cause
        if array.size == 0:
            return np.empty(0, np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DecodingError(
                f"ids of type {array.dtype} and shape {array.shape}; give a flat sequence of whole numbers in range"
            )
        return np.ascontiguousarray(array, np.int64)

    # --- other sizes ---------------------------------------------------------------------------------------------------

    def truncate(self, vocab_size: int) -> Tokenizer:
        """The smaller vocabulary of the first merges, at once: what learning that size on the same counts would have given.

        Ids stay. Only special and added tokens that stand above all merges, as in GPT-2's vocabulary, move down to follow
        the last merge that is kept. The trace is cut as well. Raises `LearningError` if the base alphabet and these tokens
        do not fit, or if ids do not follow the order of merges, as in some imported vocabularies.
        """
        from bpe_transformer.tokenizer.resize import truncate

        return truncate(self, vocab_size)

    def prune(self, corpus: PretokenCounts | Iterable[str]) -> Pruned:
        """The vocabulary without the tokens that a corpus, given as counts or texts, never needs, and the new ids.

        Base alphabet, special and added tokens stay, and so do unused tokens that used ones are made of. The corpus is
        encoded exactly as before, but for the ids: `pruned.new_ids[old ids] == pruned.tokenizer.encode(...)`; other texts
        may take more tokens. The result has no trace. Raises `LearningError` for counts split otherwise, and what
        encoding raises.

        >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
        >>> tok = learn_bpe(counts, vocab_size=270)
        >>> print(tok.prune(["low lower"]))                                        # doctest: +SKIP
        270 ids became 260: 10 dropped (3.7%), ...
        """
        from bpe_transformer.tokenizer.resize import prune

        return prune(self, corpus)

    # --- files ---------------------------------------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `tokenizer.json`, which `tokenizers` and `transformers` load, and the trace beside it as Parquet.

        The file is read back and has to give equal ids before it takes its place; with the `tokenizers` package
        installed, that has to agree too. Raises `FormatError` if not: nothing is written then.
        """
        from bpe_transformer.tokenizer.formats import save

        save(self, directory)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Reads a `tokenizer.json`, or the directory it is in, with the trace if one lies beside it. Raises `FormatError`."""
        from bpe_transformer.tokenizer.formats import load

        return load(path)


def _restore(model: BpeModel, trace: MergeTrace | None) -> Tokenizer:
    return Tokenizer(model, trace=trace)
