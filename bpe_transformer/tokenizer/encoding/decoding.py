"""`Decoder`: ids to text, one row or many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar, get_args

from bpe_transformer import _core
from bpe_transformer.errors import DecodingError, IdOutOfRangeError
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.encoding.decode_stream import DecodeStream
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.error_messages import id_array, id_out_of_range, not_utf8
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace

Decoded = TypeVar("Decoded", str, bytes)


class Decoder:
    """Decodes ids with a model; `Tokenizer` has the same methods and documents them."""

    def __init__(self, model: BpeModel) -> None:
        self.model = model
        prefix = get_args(PrefixSpace).index(model.stripped_prefix)
        squeezes = model.pretokenizer.squeeze_spaces
        self._decoder = _core.Decoder(model.decoded_bytes, model.decoder_flags(), prefix, squeezes)

    def decode(
        self,
        ids: Sequence[int] | NDArray[np.integer[Any]],
        errors: str = "replace",
        skip_special_tokens: bool = False,
    ) -> str:
        """See `Tokenizer.decode`."""
        try:
            return self._decoder.decode(ids, skip_special_tokens, errors)
        except (TypeError, _core.BadId, UnicodeDecodeError) as cause:
            return self._retry(cause, ids, lambda array: self._decoder.decode(array, skip_special_tokens, errors))

    def decode_batch(
        self,
        rows: Encodings | Iterable[Sequence[int] | NDArray[np.integer[Any]]],
        errors: str = "replace",
        skip_special_tokens: bool = False,
    ) -> list[str]:
        """See `Tokenizer.decode_batch`."""
        if type(rows).__module__.partition(".")[0] == "pyarrow":
            rows = Encodings.from_arrow(rows)
        if isinstance(rows, Encodings) and rows.ids.dtype == np.uint32 and rows.row_starts.dtype == np.int64:
            with suppress(TypeError, _core.BadId, UnicodeDecodeError):  # re-raised below with the row number
                return self._decoder.decode_rows(rows.ids, rows.row_starts, skip_special_tokens, errors)
        if not isinstance(rows, Iterable):
            raise DecodingError(f"rows is {type(rows).__name__}; give rows of ids")
        rows = list(rows)
        try:
            return self._decoder.decode_batch(rows, skip_special_tokens, errors)
        except (TypeError, _core.BadId, UnicodeDecodeError):
            texts = []
            for index, row in enumerate(rows):
                try:
                    texts.append(self.decode(row, errors=errors, skip_special_tokens=skip_special_tokens))
                except DecodingError as cause:
                    raise DecodingError(f"row {index}: {cause}") from cause
            return texts

    def decode_bytes(self, ids: Sequence[int] | NDArray[np.integer[Any]], skip_special_tokens: bool = False) -> bytes:
        """See `Tokenizer.decode_bytes`."""
        try:
            return self._decoder.decode_bytes(ids, skip_special_tokens)
        except (TypeError, _core.BadId) as cause:
            return self._retry(cause, ids, lambda array: self._decoder.decode_bytes(array, skip_special_tokens))

    def decode_rows(
        self,
        ids: NDArray[np.integer[Any]],
        row_starts: NDArray[np.int64],
        skip_special_tokens: bool = False,
        end: bytes = b"",
    ) -> bytes:
        """The bytes of many rows of ids in one array, with `end` after each row. Raises `IdOutOfRangeError`."""
        try:
            return self._decoder.join_rows(ids, row_starts, skip_special_tokens, end)
        except _core.BadId as cause:
            position = cause.args[0]
            message = id_out_of_range(int(ids[position]), self.model.vocab_size, position)
            raise IdOutOfRangeError(message, int(ids[position]), position) from None

    def decode_stream(
        self, ids: Iterable[int] = (), errors: str = "replace", skip_special_tokens: bool = False
    ) -> DecodeStream:
        """See `Tokenizer.decode_stream`."""
        return DecodeStream(self.model, ids, errors, skip_special_tokens)

    def _retry(self, cause: Exception, ids: object, decode: Callable[[NDArray[np.integer[Any]]], Decoded]) -> Decoded:
        """Decodes ids in a form that the native core does not read, such as a list of NumPy's integers, or raises the error."""
        if isinstance(cause, UnicodeDecodeError):
            raise DecodingError(not_utf8(cause)) from cause
        array = id_array(ids, self.model.vocab_size)
        try:
            return decode(array)
        except _core.BadId as bad:
            position = bad.args[0]
            raise DecodingError(id_out_of_range(int(array[position]), self.model.vocab_size, position)) from None
        except UnicodeDecodeError as problem:
            raise DecodingError(not_utf8(problem)) from problem
