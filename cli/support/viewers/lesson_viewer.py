"""`lesson --step`: a lesson page by page in the terminal, moved by keys."""

from __future__ import annotations

import click
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bpe_transformer.cli.support.viewers.key_loop import check_terminal, show
from bpe_transformer.inspection.lessons import Lesson, LessonStep
from bpe_transformer.inspection.lessons.writer import words_of

# the keys of each move; what it does is written in the language of the lesson
_KEYS = {
    "next": "→ n {space}",
    "back": "← b",
    "line": "↓ ↑ j k",
    "screen": "PgDn PgUp",
    "ends": "Home End",
    "number": "1 … 9",
    "quit": "q",
}
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
        self._words: dict[str, str] = words_of(lesson.language)["keys"]

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
            self.message = self._words["unknown"].format(key=key)

    def _go(self, target: int, last: int) -> None:
        if 0 <= target <= last:
            self.place, self.top = target, 0
        else:
            self.message = self._words["last" if target > last else "first"]

    def _help(self) -> RenderableType:
        """What each key does, in the language of the lesson."""
        names = {move: keys.format(space=self._words["space"]) for move, keys in _KEYS.items()}
        widest = max(map(cell_len, names.values())) + 2
        lines = [
            Text.assemble((name + " " * (widest - cell_len(name)), "bold"), self._words[move])
            for move, name in names.items()
        ]
        return Group(*lines, Text(), Text(self._words["leave"]))

    def picture(self, columns: int, rows: int) -> RenderableType:
        """What a terminal of this size shows now."""
        if self.helping:
            return self._help()
        console = Console(width=columns, height=rows, color_system=None)
        view = LessonStep(self.lesson, self.place)
        lines = console.render_lines(view.__rich__(), console.options, pad=False)
        self._page = max(1, rows - 2)
        self.top = min(max(self.top, 0), max(0, len(lines) - self._page))
        shown = lines[self.top : self.top + self._page]
        below = len(lines) - self.top - len(shown)
        more = self._words["below"].format(count=below) + "   " if below else ""
        foot = self.message or more + self._words["short"]
        body = [_joined(line) for line in shown]
        return Group(
            *body, *([Text()] * (self._page - len(body))), Text(foot, "" if self.message else "dim", no_wrap=True)
        )


def _joined(line: list) -> Text:  # type: ignore[type-arg]
    text = Text(no_wrap=True, overflow="crop", end="")
    for segment in line:
        text.append(segment.text, segment.style)
    return Text.assemble(text, no_wrap=True, overflow="crop")
