"""`lesson`: the list, a lesson piped, in a terminal without colour, with keys, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from rich.cells import cell_len
from rich.console import Console

from bpe_transformer.cli.commands.lesson import command
from bpe_transformer.cli.support.viewers.lesson_viewer import LessonViewer
from bpe_transformer.inspection.lessons import LANGUAGES, LESSONS, lesson

Run = Callable[..., Any]


def test_without_a_name_it_lists_all(bpe: Run) -> None:
    (choice,) = (option.type for option in command.params if option.name == "lang")
    assert isinstance(choice, click.Choice)
    assert tuple(choice.choices) == LANGUAGES
    for language in LANGUAGES:
        done = bpe("lesson", "--lang", language, "--width", 80)
        lines = done.stdout.decode().splitlines()
        assert [line.split()[0] for line in lines if line and not line.startswith(" ")][: len(LESSONS)] == list(LESSONS)
    listed = json.loads(bpe("lesson", "--json").stdout)
    assert [entry["name"] for entry in listed["lessons"]] == list(LESSONS)


def test_piped_and_without_colour(bpe: Run) -> None:
    plain = bpe("lesson", "masks", "--lang", "ko", "--width", 80)
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert b"\x1b" not in plain.stdout
    lines = plain.stdout.decode().splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    forced = bpe("lesson", "masks", "--lang", "ko", "--width", 80, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[3" not in forced.stdout.decode()  # no colour; bold and dim stay
    assert json.loads(bpe("lesson", "masks", "--json").stdout)["steps"][0]["key"] == "masks.padding"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there is no lesson 'nothing'"),
        (["heads", "--text", "x"], "the lesson heads takes no --text x; these do"),
        (["attention", "--q", "missing.txt", "--k", "missing.txt", "--v", "missing.txt"], "missing.txt"),
        (["masks", "--step"], "--step reads keys and draws in place"),
        (["gpt", "--run", "missing"], "missing"),
    ],
)
def test_errors_are_one_line(fails: Callable[..., str], arguments: list[str], message: str) -> None:
    assert message in fails("lesson", *arguments)


def test_wrong_usage(bpe: Run) -> None:
    assert bpe("lesson", "masks", "--step", "--json").returncode == 2
    assert bpe("lesson", "--text", "x").returncode == 2


def test_own_text_reaches_the_screen_as_text(bpe: Run, tmp_path: Path) -> None:
    done = bpe("lesson", "masks", "--text", "[red]one \x1b[31mtwo\x1b[0m", "--width", 80).stdout.decode()
    assert "[red]one" in done
    assert "\x1b" not in done


def test_keys_walk_through_the_steps() -> None:
    viewer = LessonViewer(lesson("masks"))
    assert viewer.place == 0
    for key, place in {"n": 1, "right": 2, "b": 1, "end": 4, "1": 0, "3": 2}.items():
        viewer.press(key)
        assert viewer.place == place, key
    viewer.press("home")
    viewer.press("b")
    assert (viewer.place, viewer.message) == (0, "this is the first step")
    viewer.press("end")
    viewer.picture(60, 14)
    viewer.press("page down")
    assert viewer.top > 0
    viewer.press("x")
    assert "x is not a key here" in viewer.message
    viewer.press("?")
    assert viewer.helping
    viewer.press("q")
    viewer.press("q")
    assert viewer.done


@pytest.mark.parametrize(("language", "short"), [("en", "n next  b back"), ("ko", "n 다음  b 이전")])
def test_keys_are_explained_in_the_language_of_the_lesson(language: str, short: str) -> None:
    viewer = LessonViewer(lesson("masks", language))

    def shown() -> str:
        console = Console(width=60, color_system=None)
        with console.capture() as captured:
            console.print(viewer.picture(60, 14))
        return captured.get()

    assert short in shown()
    assert {"en": "lines below", "ko": "줄 더"}[language] in shown()
    viewer.press("?")
    helped = shown().splitlines()
    assert [line.split()[-1] for line in helped[:7]] == {
        "en": ["step", "back", "line", "screen", "step", "step", "quit"],
        "ko": ["단계", "단계", "움직이기", "움직이기", "단계", "단계로", "끝내기"],
    }[language]
    viewer.press("n")
    for key in ("end", "n"):
        viewer.press(key)
    assert viewer.message == {"en": "this is the last step", "ko": "마지막 단계다"}[language]
    viewer.press("z")
    assert ("is not a key" in viewer.message) == (language == "en")


@pytest.mark.soak
def test_in_a_terminal(open_terminal: Callable[..., Any]) -> None:
    terminal = open_terminal("lesson", "masks", "--step", columns=60, rows=16)
    terminal.wait_for("1/5", "n next")
    terminal.press("n")
    terminal.wait_for("2/5")
    terminal.press("q")
    assert terminal.end() == 0
