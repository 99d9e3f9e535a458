"""`lesson --step`: a lesson page by page in the terminal, moved by keys."""

from __future__ import annotations

import click
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bpe_transformer.cli.support.viewers.key_loop import check_terminal, show
from bpe_transformer.inspection.lessons import Lesson, LessonStep

HELP = [
    ("→ n space", "next step"),
    ("← b", "back"),
    ("↓ ↑ j k", "scroll by a line"),
    ("PgDn PgUp", "scroll by a screen"),
    ("Home End", "first step, last step"),
    ("1 … 9", "go to a step"),
    ("q", "quit"),
]
_SHORT = "n next  b back  ↓ ↑ scroll  ? help  q quit"
_INSTEAD = "leave --step out"


def walk(lesson: Lesson, width: int | None) -> None:
    """Shows the lesson step by step until the user quits. Raises `ConfigError` where there is no terminal."""
    show(LessonViewer(lesson), width, _INSTEAD)


def check() -> None:
    """Raises `ConfigError` where there is no terminal, before anything is computed."""
    check_terminal(_INSTEAD)


class LessonViewer:
    """Turns keys into moves between the steps of a lesson and within a step that is higher than the screen."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.place = 0  # of the step
        self.top = 0  # the first line that is shown
        self.done = False
        self.helping = False
        self.message = ""
        self._page = 1  # lines of the last picture

    def press(self, key: str) -> None:
        """Handles a key. Raises `click.Abort` for Ctrl-C and the end of input."""
        if key in ("interrupt", "end of input"):
            raise click.Abort
        if self.helping:
            self.helping = False
            return
        self.message = ""
        last = len(self.lesson.steps) - 1
        targets = {
            **dict.fromkeys(("right", "n", " ", "enter", "l"), self.place + 1),
            **dict.fromkeys(("left", "b", "p", "h", "backspace"), self.place - 1),
            "home": 0,
            "end": last,
            **{str(number + 1): number for number in range(min(last + 1, 9))},
        }
        scrolls = {
            **dict.fromkeys(("down", "j"), 1),
            **dict.fromkeys(("up", "k"), -1),
            "page down": self._page,
            "page up": -self._page,
        }
        if key in targets:
            self._go(targets[key], last)
        elif key in scrolls:
            self.top += scrolls[key]
        elif key == "q":
            self.done = True
        elif key == "?":
            self.helping = True
        elif key.isprintable():
            self.message = f"{key} is not a key here; ? lists them"

    def _go(self, target: int, last: int) -> None:
        if 0 <= target <= last:
            self.place, self.top = target, 0
        else:
            self.message = f"this is the {'last' if target > last else 'first'} step"

    def picture(self, columns: int, rows: int) -> RenderableType:
        """What a terminal of this size shows now."""
        if self.helping:
            return Group(
                *(Text.assemble((f"{name:<12}", "bold"), what) for name, what in HELP), Text("\nany key goes back")
            )
        console = Console(width=columns, height=rows, color_system=None)
        view = LessonStep(self.lesson, self.place)
        lines = console.render_lines(view.__rich__(), console.options, pad=False)
        self._page = max(1, rows - 2)
        self.top = min(max(self.top, 0), max(0, len(lines) - self._page))
        shown = lines[self.top : self.top + self._page]
        below = len(lines) - self.top - len(shown)
        foot = self.message or (f"{_SHORT}   {below} more lines below" if below else _SHORT)
        body = [_joined(line) for line in shown]
        return Group(
            *body, *([Text()] * (self._page - len(body))), Text(foot, "" if self.message else "dim", no_wrap=True)
        )


def _joined(line: list) -> Text:  # type: ignore[type-arg]
    text = Text(no_wrap=True, overflow="crop", end="")
    for segment in line:
        text.append(segment.text, segment.style)
    return Text.assemble(text, no_wrap=True, overflow="crop")
