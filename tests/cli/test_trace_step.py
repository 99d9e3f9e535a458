"""`trace --step` on a pseudo-terminal, with real keys; and what it does with them, without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.cli.support.viewers.keys import named
from bpe_transformer.cli.support.viewers.step_viewer import StepViewer
from bpe_transformer.inspection.history.trace_walk import TraceWalk

RIGHT, LEFT, HOME, END, PAGE_DOWN = "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[6~"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, low_lower: Tokenizer) -> Path:
    directory = tmp_path_factory.mktemp("char") / "tok"
    low_lower.save(directory)
    return directory


def test_a_walk_with_keys(open_terminal: Open, saved: Path) -> None:
    terminal = open_terminal("trace", saved, "--step", "--words", "lowest,newest")
    terminal.wait_for("before any merge", "n next  b back", "n e w e s t")
    terminal.press(RIGHT)
    text = terminal.wait_for("rank 0 ", "l o w es t", "n e w es t", "×9, tied")
    assert text.count("changed") >= 2
    terminal.press("n" * 4)  # typed at once: no key is lost
    terminal.wait_for("rank 4 ", "low est", "n ew est", "▸     4")
    terminal.press("b")
    terminal.wait_for("rank 3 ", "low est", "n e w est")
    terminal.press(END)
    terminal.wait_for("rank 11 ", "12 of 12 merges", "newest           newest")
    terminal.press(RIGHT)
    terminal.wait_for("there is no later merge")
    terminal.press(HOME)
    terminal.wait_for("before any merge")
    terminal.press("q")
    assert terminal.end() == 0


def test_jump_search_watch_and_follow(open_terminal: Open, saved: Path) -> None:
    terminal = open_terminal("trace", saved, "--step")
    terminal.wait_for("before any merge")
    terminal.press("g")
    terminal.wait_for("rank: ")
    terminal.press("77\x7f\r")  # a digit too many, taken back
    terminal.wait_for("rank 7 ", "d est")
    terminal.press("/new\r")
    terminal.wait_for("rank 5 ", "n ew")
    terminal.press("/owe\r")
    terminal.wait_for("rank 11 ", "lower holds owe")
    terminal.press("wlower\r")
    terminal.wait_for("lower  changed  lower")
    terminal.press("f" + LEFT)
    terminal.wait_for("rank 10 ", "→ lower  changed  low er")
    terminal.press(LEFT)
    terminal.wait_for("rank 3 ", "low e r")
    terminal.press("gx\r")
    terminal.wait_for("'x' is not a rank; give a whole number, 0 to 11")
    terminal.press("?")
    terminal.wait_for("go to a rank", "any key goes back")
    terminal.press(" q")
    assert terminal.end() == 0


def test_korean_keys_and_words(open_terminal: Open, byte_tokenizer: Path) -> None:
    terminal = open_terminal("trace", byte_tokenizer, "--step", "--rank", 0, columns=100)
    terminal.wait_for("rank 0 ")
    terminal.press("w세 마리\r")
    terminal.wait_for("세·마리")
    terminal.press("/three\r")
    terminal.wait_for("rank 5 ")
    terminal.press("q")
    assert terminal.end() == 0


def test_resizing_redraws(open_terminal: Open, saved: Path) -> None:
    terminal = open_terminal("trace", saved, "--step", "--rank", 4, columns=100)
    terminal.wait_for("rank 4 ", "new token")
    terminal.resize(60, 20)
    terminal.wait_for("rank 4 ")
    terminal.resize(30, 20)
    terminal.wait_for("the terminal has 30 columns")
    terminal.resize(80, 24)
    terminal.wait_for("rank 4 ")
    terminal.press("q")
    assert terminal.end() == 0


def test_ctrl_c_leaves_the_terminal_as_it_was(open_terminal: Open, saved: Path) -> None:
    terminal = open_terminal("trace", saved, "--step")
    terminal.wait_for("before any merge")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert "interrupted" in terminal.text


def test_too_small_a_terminal_says_so(open_terminal: Open, saved: Path) -> None:
    terminal = open_terminal("trace", saved, "--step", columns=36)
    assert terminal.end() == 1
    assert "36 columns" in terminal.text.replace("\n", " ").replace("  ", " ")


def test_without_a_terminal(fails: Callable[..., str], saved: Path) -> None:
    assert "needs a terminal" in fails("trace", saved, "--step")


def test_step_of_a_corpus(open_terminal: Open) -> None:
    terminal = open_terminal("trace", "low-lower", "--step", rows=40)
    terminal.wait_for("before any merge", "w i d e s t")
    terminal.press("n")
    terminal.wait_for("rank 0 ", "w i d es t")
    terminal.press("q")
    assert terminal.end() == 0


def test_keys_have_names() -> None:
    assert named("n\x1b[C한\x1bOD\x1b[5~\r") == ["n", "right", "한", "left", "page up", "enter"]
    assert named("\x1b") == ["escape"]


def test_a_terminal_that_cannot_move_its_cursor(open_terminal: Callable[..., Any], byte_tokenizer: Path) -> None:
    terminal = open_terminal("trace", byte_tokenizer, "--step", rows=60, term="dumb")
    terminal.wait_for("before any merge")
    terminal.press("n")
    terminal.wait_for("rank 0 ")
    terminal.press("q")
    assert terminal.end() == 0


def walked(tokenizer: Tokenizer, keys: str, **options: Any) -> TraceWalk:
    viewer = StepViewer(TraceWalk(tokenizer, **options))
    for key in named(keys):
        viewer.press(key)
    return viewer.walk


def test_moves_without_a_terminal(low_lower: Tokenizer) -> None:
    assert walked(low_lower, RIGHT * 3 + LEFT).merges == 2
    assert walked(low_lower, PAGE_DOWN).merges == 12
    assert walked(low_lower, "g-1\r").merges == 12
    assert walked(low_lower, "g12\r").message.startswith("no merge has rank 12")
    assert walked(low_lower, "/zz\r").message == "no merge makes a token with zz inside"
    assert walked(low_lower, "/l\r").message == "l is in the vocabulary without a merge"
    assert walked(low_lower, "/\r").message.startswith("nothing to search for")
    assert walked(low_lower, "wzoo\r").message.startswith("character 'z'")
    assert walked(low_lower, "f").message == "there is no word to follow; add one first"
    assert walked(low_lower, "x").message == "x is not a key here; ? lists them"
    assert walked(low_lower, "/est\rN").merges == 7  # est, then the next that holds it: newest
    followed = walked(low_lower, "fnnn", words=["lower"])
    assert (followed.merges, followed.frame().words[0].tokens) == (11, (b"low", b"er"))


def test_every_frame_is_what_a_smaller_vocabulary_gives(mixed: Tokenizer) -> None:
    walk = TraceWalk(mixed, ["lowest", "newest widest 한국어"])
    for merges in range(0, walk.total + 1, 7):
        frame = walk.frame()
        assert frame.vocab_size is not None
        smaller = mixed.truncate(frame.vocab_size)
        assert len(smaller.merges) == frame.merges == merges
        assert [list(word.ids) for word in frame.words] == [smaller.encode(track.text) for track in walk.tracks]
        walk.move(7)
