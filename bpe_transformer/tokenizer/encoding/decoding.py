"""Ids to text: the methods of a tokenizer that decode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import DecodingError
from bpe_transformer.tokenizer.encoding.decode_stream import DecodeStream
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.error_messages import id_array, id_out_of_range, not_utf8
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Decoded = TypeVar("Decoded", str, bytes)


class Decoding:
    """What `Tokenizer` inherits."""

    model: BpeModel
    _decoder: _core.Decoder

    def decode(
        self,
        ids: Sequence[int] | NDArray[np.integer[Any]],
        *,
        errors: str = "replace",
        skip_special_tokens: bool = False,
    ) -> str:
        """The text of ids. Bytes that are not UTF-8 on their own, such as half a character, follow `errors` (as in
        `bytes.decode`); `decode_bytes` gives them exactly. Raises `DecodingError` for an id out of range, and for such bytes
        with `errors="strict"`.
        """
        try:
            return self._decoder.text(ids, skip_special_tokens, errors)
        except (TypeError, _core.BadId, UnicodeDecodeError) as cause:
            return self._again(cause, ids, lambda array: self._decoder.text(array, skip_special_tokens, errors))

    def decode_batch(
        self,
        rows: Encodings | Iterable[Sequence[int] | NDArray[np.integer[Any]]],
        *,
        errors: str = "replace",
        skip_special_tokens: bool = False,
    ) -> list[str]:
        """The texts of many rows of ids, also of an Arrow array of lists; each as `decode` gives it."""
        if type(rows).__module__.partition(".")[0] == "pyarrow":
            rows = Encodings.from_arrow(rows)
        if isinstance(rows, Encodings) and rows.ids.dtype == np.uint32 and rows.offsets.dtype == np.int64:
            with suppress(TypeError, _core.BadId, UnicodeDecodeError):  # told with its row below
                return self._decoder.texts_at(rows.ids, rows.offsets, skip_special_tokens, errors)
        if not isinstance(rows, Iterable):
            raise DecodingError(f"rows is {type(rows).__name__}; give rows of ids")
        rows = list(rows)
        try:
            return self._decoder.texts(rows, skip_special_tokens, errors)
        except (TypeError, _core.BadId, UnicodeDecodeError):
            texts = []
            for index, row in enumerate(rows):
                try:
                    texts.append(self.decode(row, errors=errors, skip_special_tokens=skip_special_tokens))
                except DecodingError as cause:
                    raise DecodingError(f"row {index}: {cause}") from cause
            return texts

    def decode_bytes(
        self, ids: Sequence[int] | NDArray[np.integer[Any]], *, skip_special_tokens: bool = False
    ) -> bytes:
        """The bytes of ids: for a byte vocabulary exactly those that were encoded. Raises `DecodingError`."""
        try:
            return self._decoder.data(ids, skip_special_tokens)
        except (TypeError, _core.BadId) as cause:
            return self._again(cause, ids, lambda array: self._decoder.data(array, skip_special_tokens))

    def decode_stream(
        self, ids: Iterable[int] = (), *, errors: str = "replace", skip_special_tokens: bool = False
    ) -> DecodeStream:
        """The text of ids while they come: an iterator over pieces of text, none of which ends inside a character.

        What is left at the end, such as half a character, follows `errors`. To feed it by hand, call `push` and `finish` of
        the result.
        """
        return DecodeStream(self.model, ids, errors, skip_special_tokens)

    def _again(self, cause: Exception, ids: object, decode: Callable[[NDArray[np.integer[Any]]], Decoded]) -> Decoded:
        """Decodes what the native core does not read itself, such as a list of NumPy's integers, or says what is wrong."""
        if isinstance(cause, UnicodeDecodeError):
            raise DecodingError(not_utf8(cause)) from cause
        array = id_array(ids, len(self.model.tokens))
        try:
            return decode(array)
        except _core.BadId as bad:
            position = bad.args[0]
            raise DecodingError(id_out_of_range(int(array[position]), len(self.model.tokens), position)) from None
        except UnicodeDecodeError as problem:
            raise DecodingError(not_utf8(problem)) from problem
