"""`bpe-transformer decode`: ids to text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from bpe_transformer.cli.support.console import stdin_bytes, write_data
from bpe_transformer.cli.support.text_input import at_once_option, line_blocks
from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.cli.support.id_streams import Rows


@click.command(
    epilog="""\b
Examples:
  bpe-transformer decode tok 14 12
  bpe-transformer decode tok < corpus.ids > corpus.txt
  bpe-transformer encode tok --whole < page.html > ids
  bpe-transformer decode tok --whole < ids | cmp - page.html
  bpe-transformer decode tok --offsets offsets.npy < ids.npy > corpus.txt
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--offsets", type=click.Path(exists=True, dir_okay=False), help="Where each text of a NumPy array begins."
)
@click.option("--whole", is_flag=True, help="Take all ids as one text, and add no newline to it.")
@click.option("--skip-special", is_flag=True, help="Leave special tokens out of the text.")
@at_once_option
def command(
    tokenizer: str, ids: tuple[str, ...], offsets: str | None, whole: bool, skip_special: bool, at_once: bool
) -> None:
    """Turn IDs, or each line of ids on standard input, into a line of text.

    Lines are ids between spaces, or JSON lists. A NumPy array (.npy) and an Arrow stream of lists, as encode writes them,
    are known by how they begin; without --offsets an array is one text. Tokens are written as their bytes, whole
    characters or not.
    """
    learned = open_tokenizer(tokenizer)
    stream = _Peeked(io.BytesIO(" ".join(ids).encode()) if ids else stdin_bytes())
    one_text = whole or (stream.begins(b"\x93NUMPY") and offsets is None)
    if offsets is not None and not stream.begins(b"\x93NUMPY"):
        raise click.UsageError("--offsets goes with a NumPy array on standard input, which this is not")
    texts = _texts(learned, stream, offsets, at_once)
    if one_text:
        _write_whole(learned, texts, skip_special)
        return
    for rows, place in texts:
        write_data(_bytes(learned, rows, place, skip_special, joined=False))


class _Peeked:
    """A stream whose first bytes can be looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._head: bytes | None = None

    def begins(self, mark: bytes) -> bool:
        if self._head is None:
            self._head = self._stream.read(1)
            if self._head in (b"\x93", b"\xff"):  # what no text of ids begins with
                self._head += self._stream.read(7)
        return self._head.startswith(mark)

    def opened(self) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Chained(self._head or b"", self._stream), 1 << 20))


class _Chained(io.RawIOBase):
    """Bytes, then a stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head or self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = b""
        buffer[: len(data)] = data
        return len(data)


def _texts(
    tokenizer: Tokenizer, stream: _Peeked, offsets: str | None, at_once: bool
) -> Iterator[tuple[Rows, int | None]]:
    """Rows of ids; with those that came as lines, the number of lines before them."""
    from bpe_transformer.cli.support.id_streams import read_arrow, read_lines, read_npy

    if stream.begins(b"\x93NUMPY"):
        return ((rows, None) for rows in read_npy(stream.opened(), offsets))
    if stream.begins(b"\xff\xff\xff\xff"):
        return ((rows, None) for rows in read_arrow(stream.opened()))
    return iter(read_lines(line_blocks(at_once=at_once, stream=stream.opened()), tokenizer))


def _bytes(tokenizer: Tokenizer, rows: Rows, before: int | None, skip_special: bool, *, joined: bool) -> bytes:
    """The text of rows, each with a newline after it, or of all their ids together with `joined`."""
    import numpy as np

    from bpe_transformer.cli.support.id_streams import out_of_range
    from bpe_transformer.errors import IdOutOfRangeError

    ids, offsets = rows
    try:
        edges = offsets[[0, -1]] if joined else offsets
        return tokenizer.codec.decoder.decode_rows(ids, edges, skip_special, b"" if joined else b"\n")
    except IdOutOfRangeError as error:
        row = int(np.searchsorted(offsets, error.position, "right"))
        place = f"position {error.position:,} of the ids" if before is None else f"line {before + row:,}"
        raise out_of_range(error.id, place, tokenizer) from None


def _write_whole(tokenizer: Tokenizer, texts: Iterator[tuple[Rows, int | None]], skip_special: bool) -> None:
    """All ids as one text, in parts; at once where a token's text depends on those around it."""
    import numpy as np

    model = tokenizer.model
    if not model.word_ends and model.prefix_space == "never":
        for rows, before in texts:
            write_data(_bytes(tokenizer, rows, before, skip_special, joined=True))
        return
    together = [rows for rows, _ in texts]
    ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in together)])
    offsets = np.cumsum([0, *(size for _, offsets in together for size in np.diff(offsets))], dtype=np.int64)
    write_data(_bytes(tokenizer, (ids, offsets), 0, skip_special, joined=True))
