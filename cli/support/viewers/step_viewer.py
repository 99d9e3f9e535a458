"""`trace --step`: a walk through the merges in the terminal, moved by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.cli.support.viewers.key_loop import check_terminal, show
from bpe_transformer.inspection.history.trace_walk import TraceWalk

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer

_INSTEAD = "give --range, --rank or --words"
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
    check_terminal(_INSTEAD)
    show(StepViewer(TraceWalk(tokenizer, words, rank)), width, _INSTEAD)


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
