"""Files by blocks of whole lines, for readers that take many lines at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from bpe_transformer.io.byte_files import BLOCK_BYTES, ByteFile, Rejoined


@dataclass(frozen=True)
class LineBlock:
    """Whole lines of a file, which are overwritten by the next ones; `begin` says how many lines and bytes come before them.

    Where a line is longer than a block, `lines` is empty, and `rest` all that follows.
    """

    path: Path
    lines: memoryview
    begin: tuple[int, int]
    rest: ByteFile | None = None

    def as_file(self) -> ByteFile:
        """The lines as a file, for a reader that takes them one by one; give it `begin` too."""
        return self.rest or ByteFile(self.path, cast(BinaryIO, io.BytesIO(self.lines)))


def line_blocks(file: ByteFile, begin: tuple[int, int] = (0, 0), block: int = BLOCK_BYTES) -> Iterator[LineBlock]:
    """The lines of an open file, before which `begin` says how many lines and bytes there were."""
    buffer = bytearray(block)
    view, path = memoryview(buffer), Path(file.path)
    held = 0  # bytes of a line that ends in the next block
    while True:
        size = held + file.readinto(view[held:])
        is_last = size < len(buffer)
        end = size if is_last else buffer.rfind(b"\n", 0, size) + 1
        if not end and size:
            rest = ByteFile(path, cast(BinaryIO, Rejoined(bytes(buffer), file)))
            yield LineBlock(path, view[:0], begin, rest)
            return
        if end:
            yield LineBlock(path, view[:end], begin)
        if is_last:
            return
        begin, held = (begin[0] + buffer.count(b"\n", 0, end), begin[1] + end), size - end
        buffer[:held] = buffer[end:size]
