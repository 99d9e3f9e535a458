"""Reading keys from the terminal, one at a time, as they are pressed."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

# What terminals send for keys that have no character (ECMA-48, xterm); "\x1b" alone is Escape.
_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|[\s\S]")
_NAMES = {
    **{"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[H": "home", "\x1b[F": "end"},
    **{"\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left", "\x1bOH": "home", "\x1bOF": "end"},
    **{
        "\x1b[1~": "home",
        "\x1b[4~": "end",
        "\x1b[7~": "home",
        "\x1b[8~": "end",
        "\x1b[5~": "page up",
        "\x1b[6~": "page down",
    },
    **{
        "\x1b": "escape",
        "\r": "enter",
        "\n": "enter",
        "\x7f": "backspace",
        "\x08": "backspace",
        "\x03": "interrupt",
        "\x04": "end of input",
    },
    # Windows' console
    **{
        "\xe0H": "up",
        "\xe0P": "down",
        "\xe0M": "right",
        "\xe0K": "left",
        "\xe0G": "home",
        "\xe0O": "end",
        "\xe0I": "page up",
        "\xe0Q": "page down",
    },
}
WAIT = 0.2  # seconds between two looks at the size of the terminal


@contextmanager
def keys() -> Iterator[Callable[[], list[str]]]:
    """Yields a function that waits a moment and returns the keys pressed: their character, or a name such as "left".

    In between, the terminal neither echoes nor waits for a line's end; Ctrl-C works as ever. Needs a terminal.
    """
    if sys.platform == "win32":
        yield lambda: named(click.getchar())
        return
    import select
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def pressed() -> list[str]:
        if not select.select([descriptor], [], [], WAIT)[0]:
            return []
        data = os.read(descriptor, 1024)
        return named(decoder.decode(data)) if data else ["end of input"]

    try:
        # once, not around every key: what is typed while a picture is drawn would be lost or echoed
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def named(typed: str) -> list[str]:
    """The keys in the bytes that the terminal sent.

    >>> named("n\\x1b[C한\\r")
    ['n', 'right', '한', 'enter']
    """
    if typed in _NAMES:
        return [_NAMES[typed]]
    return [_NAMES.get(key, key) for key in _SEQUENCE.findall(typed)]
