"""The texts of the commands that answer line by line, and the account of what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpe_transformer.cli.support.console import say_ledger
from bpe_transformer.cli.support.text_input import argument_text, decoded, line_batches, read_text
from bpe_transformer.ledger import Ledger, StageRecorder

_REPLACED = "\ufffd"


class TextLines:
    """The texts given as arguments, all at once, or the lines of standard input, a batch after the other.

    Of standard input account is kept, which `say_read` tells in a line: rows and bytes, blank ones, what was left out or cut,
    and characters that took the place of bytes that are not UTF-8. whole: standard input is one text.
    """

    def __init__(self, texts: Sequence[str], errors: str, *, at_once: bool, whole: bool = False) -> None:
        self._texts, self._errors, self._at_once, self._whole = tuple(texts), errors, at_once, whole
        self._recorder = StageRecorder()
        self._is_stdin = whole or not texts

    def __iter__(self) -> Iterator[list[str]]:
        if self._whole:
            yield self._counted([read_text(self._errors).removesuffix("\n")])
        elif self._texts:
            yield [argument_text(text, self._errors) for text in self._texts]
        else:
            yield from self._lines()

    def _lines(self) -> Iterator[list[str]]:
        offset, number = 0, 1
        for batch in line_batches(at_once=self._at_once):
            lines = []
            for raw in batch:
                line = decoded(raw, self._errors, offset, number).removesuffix("\r")
                if self._errors == "replace" and _REPLACED in line:
                    self._recorder.replace(line.count(_REPLACED) - raw.count(_REPLACED.encode()))
                lines.append(line)
                offset, number = offset + len(raw) + 1, number + 1
            yield self._counted(lines)

    def _counted(self, lines: list[str]) -> list[str]:
        for line in lines:
            if line.strip():
                self._recorder.keep(_size(line))
            else:
                self._recorder.drop("blank line", _size(line))
        return lines

    def leave_out(self, row: int, text: str, reason: str) -> None:
        """Notes that the command gave no answer for a row that is not blank."""
        self._recorder.keep(-_size(text), -1)
        self._recorder.drop(reason, _size(text), places=(f"row {row:,}",))

    def cut(self, row: int, text: str, kept: bytes, reason: str) -> None:
        """Notes that only `kept` was read of the text of a row."""
        lost = max(0, _size(text) - len(kept))
        self._recorder.keep(-lost, 0)
        self._recorder.truncate(reason, lost, places=(f"row {row:,}",))

    def say_read(self) -> None:
        """Says what was read of standard input; texts given as arguments are known."""
        if self._is_stdin:
            say_ledger(Ledger((self._recorder.stage("read"),)))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
