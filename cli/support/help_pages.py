"""How `--help` is laid out: lines that are not filled, such as examples, are broken where the terminal is narrower."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from unicodedata import east_asian_width

import click

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")  # of a shell, quotes included
_STEP = 4  # columns that the rest of a line stands further in


class HelpFormatter(click.HelpFormatter):
    """Breaks the examples of a command as a shell goes on reading them, and long lists of choices between these."""

    def write_text(self, text: str) -> None:
        start = len(self.buffer)
        super().write_text(text)
        written = "".join(self.buffer[start:])
        self.buffer[start:] = ["\n".join(broken_example(line, self.width) for line in written.split("\n"))]

    def write_dl(self, rows: Iterable[tuple[str, str]], *arguments: Any, **options: Any) -> None:
        room = self.width - self.current_indent
        margin = " " * (self.current_indent + _STEP)
        super().write_dl([(_broken_choices(name, room, margin), text) for name, text in rows], *arguments, **options)


class HelpContext(click.Context):
    """A context whose help is written by `HelpFormatter`."""

    formatter_class = HelpFormatter


def broken_example(line: str, width: int) -> str:
    """A command line in lines of at most `width` columns, with a backslash where the shell is to go on; others as they are.

    >>> print(broken_example("  bpe-transformer encode tok --file more.txt -o ids", 40))
      bpe-transformer encode tok \\
          --file more.txt -o ids
    """
    if _columns(line) <= width or "bpe-transformer" not in line:
        return line
    margin = " " * (len(line) - len(line.lstrip()))
    lines: list[str] = []
    now = ""
    for words in _kept_together(_WORD.findall(line)):
        step = " " * _STEP if lines else ""
        if now and _columns(f"{margin}{step}{now} {words} \\") > width:
            lines.append(f"{margin}{step}{now} \\")
            now = ""
        now += f" {words}" if now else words
    return "\n".join([*lines, f"{margin}{' ' * _STEP}{now}"])


def _kept_together(words: Iterable[str]) -> Iterator[str]:
    """The words of a command line, options with their values and files with the sign before them."""
    kept = ""
    for word in words:
        if kept and (word.startswith("-") or not kept.rsplit(" ", 1)[-1].startswith(("-", "<", ">", "|"))):
            yield kept
            kept = ""
        kept += f" {word}" if kept else word
    yield kept


def _columns(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def _broken_choices(name: str, room: int, margin: str) -> str:
    """An option with its choices, in lines of at most `room` columns."""
    if len(name) <= room or "|" not in name:
        return name
    lines, now = [], ""
    for choice in re.findall(r"[^|]+\|?", name):
        if now and len(now) + len(choice) > room - _STEP:
            lines.append(now)
            now = ""
        now += choice
    return f"\n{margin}".join([*lines, now])
