"""`DecodeStream`: decodes ids that arrive one by one, such as from a model that generates them."""

from __future__ import annotations

import codecs
import operator
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import DecodingError
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.encoding.error_messages import id_out_of_range

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel


class DecodeStream(Iterator[str]):
    """Decodes ids as they arrive: the strings never end inside a character, and joined they equal `Tokenizer.decode`.

    Iterating yields the text of the ids given at the start, a string at a time; `push` and `finish` are for feeding it by hand.

    >>> from bpe_transformer import PretokenCounts, learn_bpe
    >>> tok = learn_bpe(PretokenCounts.from_words({"low": 5}), vocab_size=258)
    >>> stream = tok.decode_stream()
    >>> [stream.push(id) for id in tok.encode("숲")], stream.finish()
    (['', '', '숲'], '')
    """

    def __init__(self, model: BpeModel, ids: Iterable[int], errors: str, skip_special_tokens: bool) -> None:
        self._ids: Iterator[int] | None = iter(ids)
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)
        self._decoded_bytes = model.decoded_bytes
        self._skipped = frozenset(model.special_tokens.values()) if skip_special_tokens else frozenset[int]()
        self._separate = model.separate_ids
        self._word_ends = model.word_ends
        self._prefix = model.stripped_prefix
        self._squeezes = model.pretokenizer.squeeze_spaces
        self._verbatim = model.verbatim_ids
        self._drops_space = self._prefix != "never"  # a space at the start of the next token is the prefix
        self._held = b""  # the space after a word, written once another token follows
        self._bytes = 0

    def push(self, ids: int | np.integer[Any] | Iterable[int]) -> str:
        """The text that these ids complete. Raises `DecodingError`, for bytes that are not UTF-8 only if `errors` says so."""
        if isinstance(ids, (str, bytes)) or not (isinstance(ids, Iterable) or hasattr(ids, "__index__")):
            raise DecodingError(f"ids is {type(ids).__name__}; give an id, or ids one after another")
        try:
            each: Iterable[Any] = (operator.index(ids),)  # type: ignore[arg-type]
        except TypeError:
            each = ids  # type: ignore[assignment]
        return self._text(b"".join(map(self._bytes_of, each)), final=False)

    def finish(self) -> str:
        """The text of what is left: half a character follows `errors`. The stream then begins anew."""
        text = self._text(b"", final=True)
        self._drops_space = self._prefix != "never"
        self._held, self._bytes = b"", 0
        return text

    def __next__(self) -> str:
        while self._ids is not None:
            try:
                text = self.push(next(self._ids))
            except StopIteration:
                self._ids = None
                text = self.finish()
            if text:
                return text
        raise StopIteration

    def _bytes_of(self, given: Any) -> bytes:
        try:
            id = operator.index(given)
        except TypeError:
            raise DecodingError(
                f"{given!r} is not an id; give whole numbers from 0 to {len(self._decoded_bytes) - 1}"
            ) from None
        separate = id in self._separate
        if id in self._skipped:
            self._drops_space |= separate and self._prefix == "always"
            return b""
        if not 0 <= id < len(self._decoded_bytes):
            raise DecodingError(id_out_of_range(id, len(self._decoded_bytes)))
        data = self._decoded_bytes[id]
        if not data:
            raise DecodingError(id_out_of_range(id, len(self._decoded_bytes)))
        if self._drops_space and not separate and id not in self._verbatim and data.startswith(b" "):
            data = data[1:]
        if separate:
            self._drops_space = self._prefix == "always"
        else:
            self._drops_space = self._drops_space and self._squeezes and not data
        before, self._held = self._held, b""
        if id in self._word_ends:
            data, self._held = data[:-1], data[-1:]
        return before + data

    def _text(self, data: bytes, final: bool) -> str:
        try:
            text = self._utf8.decode(data, final)
        except UnicodeDecodeError as cause:
            self._utf8.reset()
            raise DecodingError(
                f"the ids are not UTF-8 text: byte 0x{cause.object[cause.start]:02x} after {self._bytes + cause.start} bytes "
                'of what was pushed; go on with errors="replace", or take bytes with decode_bytes'
            ) from cause
        self._bytes += len(data)
        return text
