"""`trace --step`: a walk through the merges in the terminal, moved by keys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.cli.support.console import output
from bpe_transformer.cli.support.keys import keys
from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.history.trace_walk import TraceWalk

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer

LEAST_COLUMNS, LEAST_ROWS = 40, 14
PAGE = 100
HELP = [
    ("→ n space", "next merge"),
    ("← b", "back"),
    ("PgDn PgUp", f"{PAGE} merges on, back"),
    ("Home End", "the base alphabet, the last merge"),
    ("g", "go to a rank"),
    ("/", "search a token; then N for the next with this text inside"),
    ("w", "watch one more word"),
    ("f", "follow a word: next and back pass over merges that leave it as it is"),
    ("q", "quit"),
]
_SHORT = "n next  b back  g rank  / search  w word  f follow  ? help  q quit"


def walk(tokenizer: Tokenizer, words: Sequence[str], rank: int | None, width: int | None) -> None:
    """Shows the merges of `tokenizer` one at a time until the user quits. Raises `ConfigError` where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "--step reads keys and draws in place, which needs a terminal on both sides; "
            "for a file or a pipe give --range, --rank or --words"
        )
    viewer = StepViewer(TraceWalk(tokenizer, words, rank))
    console = output(width)
    _check_size(console.width, console.height)
    if console.is_dumb_terminal:
        return _walk_down(console, viewer)
    with keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        size = None
        while not viewer.done:
            new_keys: list[str] = pressed() if size is not None else []  # the first picture waits for no key
            for key in new_keys:
                viewer.press(key)
            if new_keys or console.size != size:
                size = console.size
                live.update(viewer.picture(console.width, console.height), refresh=True)


def _walk_down(console: Console, viewer: StepViewer) -> None:
    """The viewer for a terminal that cannot move its cursor (TERM=dumb): each key draws a new view below the last."""
    with keys() as pressed:
        console.print(viewer.picture(console.width, console.height))
        while not viewer.done:
            for key in pressed():
                viewer.press(key)
                if not viewer.done:
                    console.print(viewer.picture(console.width, console.height))


def _check_size(columns: int, rows: int) -> None:
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        raise ConfigError(f"{_too_small(columns, rows)}, or give --range or --words instead of --step")


def _too_small(columns: int, rows: int) -> str:
    return f"the terminal has {columns} columns and {rows} rows; make it at least {LEAST_COLUMNS} by {LEAST_ROWS}"


class StepViewer:
    """Turns keys into moves of a walk, and draws its state."""

    def __init__(self, walk: TraceWalk) -> None:
        self.walk = walk
        self.done = False
        self.helping = False
        self.prompt: tuple[str, Callable[[str], None]] | None = None
        self.typed = ""

    def press(self, key: str) -> None:
        """Handles a key. Raises `click.Abort` for Ctrl-C and the end of input."""
        if key in ("interrupt", "end of input"):
            raise click.Abort
        if self.prompt is not None:
            return self._type(key, *self.prompt)
        if self.helping:
            self.helping = False
            return None
        move = {
            **dict.fromkeys(("right", "down", "n", " ", "enter", "l", "j"), lambda: self.walk.move(1)),
            **dict.fromkeys(("left", "up", "b", "p", "h", "k", "backspace"), lambda: self.walk.move(-1)),
            "page down": lambda: self.walk.move(PAGE),
            "page up": lambda: self.walk.move(-PAGE),
            "home": lambda: self.walk.move(-self.walk.total),
            "end": lambda: self.walk.move(self.walk.total),
            "g": lambda: self._ask("rank", self.walk.jump),
            "/": lambda: self._ask("search", self.walk.search),
            "N": self.walk.search_next,
            "w": lambda: self._ask("word", self.walk.add_word),
            "f": self.walk.follow_next,
        }.get(key)
        if move is not None:
            move()
        elif key == "q":
            self.done = True
        elif key == "?":
            self.helping = True
        elif key.isprintable():
            self.walk.message = f"{key} is not a key here; ? lists them"

    def _ask(self, prompt: str, use: Callable[[str], None]) -> None:
        self.prompt, self.typed = (prompt, use), ""

    def _type(self, key: str, _: str, use: Callable[[str], None]) -> None:
        if key == "enter":
            self.prompt = None
            use(self.typed)
        elif key == "escape":
            self.prompt = None
        elif key == "backspace":
            self.typed = self.typed[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typed += key

    def picture(self, columns: int, rows: int) -> RenderableType:
        """What a terminal of this size shows now."""
        if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
            return Text(_too_small(columns, rows))
        if self.helping:
            return Group(
                *(Text.assemble((f"{name:<12}", "bold"), what) for name, what in HELP), Text("\nany key goes back")
            )
        taken = 9 + len(self.walk.tracks) + (1 if self.walk.tracks else 0)  # lines that the table does not get
        frame = self.walk.frame(around=max(0, (rows - taken - 3) // 2))
        if self.prompt is not None:
            foot = Text.assemble((f"{self.prompt[0]}: ", "bold"), self.typed, ("▁", "dim"))
        else:
            foot = Text(frame.message or _SHORT, "" if frame.message else "dim")
        return Group(Text(overflow="ellipsis", no_wrap=True).append_text(foot), Padding(frame.__rich__(), (0, 0)))
