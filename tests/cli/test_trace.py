"""`trace`: the textbook example step by step, and windows over a saved trace."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def low_lower(bpe: Run) -> str:
    done = bpe("trace", "low-lower", "--width", 80)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_textbook_example(low_lower: str) -> None:
    first, second = re.split(r"^merge \d+ .*\n", low_lower, flags=re.MULTILINE)[1:3]
    assert re.search(r"alphabet \(10\) +d e i l n o r s t w\s*$", low_lower, flags=re.MULTILINE)
    assert re.search(r"winner +e s ×9  makes  es ", first)
    assert re.search(r"runner-up +s t ×9, tied; tie rule: smaller ids first", first)
    assert re.search(r"newest +6  n e w e s t  n e w es t  changed", first)
    assert re.search(r"winner +es t ×9  makes  est ", second)
    assert re.search(r"newest +6  n e w es t  n e w est  changed", second)


def test_lowest_encodes_without_unk(low_lower: str) -> None:
    end = low_lower[low_lower.index("lowest   never occurred") :]
    assert "without <unk>" in end
    assert re.search(r"tokens +low est\b", end)


def test_every_merge_until_no_pair_is_left(bpe: Run) -> None:
    facts = json.loads(bpe("trace", "low-lower", "--merges", 99, "--json").stdout)
    assert [step["new_token"]["text"] for step in facts["steps"]] == [
        *("es", "est", "lo", "low", "ew", "new"),
        *("newest", "dest", "idest", "widest", "er", "lower"),
    ]


STEP = {
    "rank": int,
    "winner": dict,
    "runner_up": (dict, type(None)),
    "tied": bool,
    "new_id": int,
    "new_token": dict,
    "vocab_size": int,
    "words_touched": int,
    "tokens_left": int,
    "pairs": list,
    "before": list,
    "after": list,
}


def test_json_schema(bpe: Run) -> None:
    facts = json.loads(bpe("trace", "low-lower", "--json").stdout)
    assert facts.keys() == {"source", "digest", "alphabet", "steps", "encoded"}
    assert [token["text"] for token in facts["alphabet"]["tokens"]] == list("deilnorstw")
    assert len(facts["steps"]) == 10
    for step in facts["steps"]:
        assert step.keys() == STEP.keys()
        assert all(isinstance(step[name], kind) for name, kind in STEP.items())
        assert all(pair.keys() == {"left", "right", "tokens", "count"} for pair in step["pairs"])
        assert all(word.keys() == {"word", "count", "ids", "tokens"} for word in step["before"] + step["after"])
    assert [span["token"]["text"] for span in facts["encoded"][0]["text"]["spans"]] == ["low", "est"]
    assert facts["encoded"][0]["derivation"]["ranks"] == [0, 1, 2, 3]


def test_words_on_standard_input(bpe: Run) -> None:
    facts = json.loads(bpe("trace", "-", "--merges", 1, "--json", input=b"hug pug pun bun hugs\n").stdout)
    (step,) = facts["steps"]
    assert (step["new_token"]["text"], step["winner"]["count"], step["tied"]) == ("ug", 3, False)


def test_encodes_words_asked_for(bpe: Run) -> None:
    shown = bpe("trace", "low-lower", "--encode", "slowest", "--encode", "zoo", "--width", 80).stdout.decode()
    assert re.search(r"tokens +s low est\b", shown)
    assert "zoo   never occurred in the corpus; it encodes with 1 unknown character" in shown
    assert re.search(r"tokens +z→<unk> o o\b", shown)


def test_window_over_a_saved_trace(bpe: Run, byte_tokenizer: Path) -> None:
    whole = json.loads(bpe("trace", byte_tokenizer, "--range", "0:", "--json").stdout)
    assert (whole["total"], len(whole["rows"]), whole["has_trace"]) == (21, 21, True)
    assert len(json.loads(bpe("trace", byte_tokenizer, "--json").stdout)["rows"]) == 20
    part = json.loads(bpe("trace", byte_tokenizer / "tokenizer.json", "--range=-3:", "--json").stdout)
    assert part["rows"] == whole["rows"][-3:]
    assert json.loads(bpe("trace", byte_tokenizer, "--range", "5", "--json").stdout)["rows"] == whole["rows"][5:6]


def test_output_depends_on_the_width_alone(bpe: Run, byte_tokenizer: Path) -> None:
    narrow = bpe("trace", byte_tokenizer, "--width", 80).stdout
    assert narrow == bpe("trace", byte_tokenizer, COLUMNS="80").stdout
    assert narrow == bpe("trace", byte_tokenizer, "--width", 80, COLUMNS="200", NO_COLOR="1").stdout
    assert narrow != bpe("trace", byte_tokenizer, "--width", 120).stdout


def test_range_without_merges(fails: Callable[..., str], byte_tokenizer: Path) -> None:
    message = fails("trace", byte_tokenizer, "--range", "50:60")
    assert "50:60" in message
    assert "ranks 0 to 20" in message


def test_unknown_source(fails: Callable[..., str]) -> None:
    assert "'nope'" in fails("trace", "nope")


def test_empty_standard_input(fails: Callable[..., str]) -> None:
    assert "empty" in fails("trace", "-")
    assert "empty" in fails("trace", "-", input=b" \n ")


@pytest.mark.parametrize("options", [["--range", "0:5"], ["--range", "x"]])
def test_wrong_usage_on_a_corpus(bpe: Run, options: list[str]) -> None:
    assert bpe("trace", "low-lower", *options).returncode == 2


@pytest.mark.parametrize("options", [["--merges", "5"], ["--encode", "low"], ["--range", "x"]])
def test_wrong_usage_on_a_tokenizer(bpe: Run, byte_tokenizer: Path, options: list[str]) -> None:
    assert bpe("trace", byte_tokenizer, *options).returncode == 2


def test_closed_pipe_ends_quietly(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start("trace", "low-lower")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.close()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0
