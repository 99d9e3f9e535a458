"""The loop of a view that is moved by keys: it draws, waits for a key, and follows the size of the terminal."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from bpe_transformer.cli.support.console import output
from bpe_transformer.cli.support.viewers.keys import keys
from bpe_transformer.errors import ConfigError

LEAST_COLUMNS, LEAST_ROWS = 40, 14


class Viewer(Protocol):
    """What turns keys into moves and draws the state. done: the user has quit."""

    done: bool

    def press(self, key: str) -> None:
        """Handles a key."""

    def picture(self, columns: int, rows: int) -> RenderableType:
        """What a terminal of this size shows now."""


def check_terminal(instead: str) -> None:
    """Raises `ConfigError` where there is no terminal; `instead` are the options for a file or a pipe."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "--step reads keys and draws in place, which needs a terminal on both sides; "
            f"for a file or a pipe {instead}"
        )


def show(viewer: Viewer, width: int | None, instead: str) -> None:
    """Shows the viewer until the user quits. Raises `ConfigError` for a terminal that is too small."""
    console = output(width)
    if console.width < LEAST_COLUMNS or console.height < LEAST_ROWS:
        raise ConfigError(f"{too_small(console.width, console.height)}, or {instead} instead of --step")
    if console.is_dumb_terminal:
        return _show_below(console, viewer)
    with keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        size = None
        while not viewer.done:
            new_keys: list[str] = pressed() if size is not None else []  # the first picture waits for no key
            for key in new_keys:
                viewer.press(key)
            if new_keys or console.size != size:
                size = console.size
                live.update(_fitting(viewer, console), refresh=True)


def too_small(columns: int, rows: int) -> str:
    """Says what a terminal has and needs."""
    return f"the terminal has {columns} columns and {rows} rows; make it at least {LEAST_COLUMNS} by {LEAST_ROWS}"


def _fitting(viewer: Viewer, console: Console) -> RenderableType:
    if console.width < LEAST_COLUMNS or console.height < LEAST_ROWS:
        return Text(too_small(console.width, console.height))
    return viewer.picture(console.width, console.height)


def _show_below(console: Console, viewer: Viewer) -> None:
    """For a terminal that cannot move its cursor (TERM=dumb): each key draws a new view below the last."""
    with keys() as pressed:
        console.print(_fitting(viewer, console))
        while not viewer.done:
            for key in pressed():
                viewer.press(key)
                if not viewer.done:
                    console.print(_fitting(viewer, console))
