"""`trace`: the textbook example step by step, and windows over a saved trace."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]


@pytest.fixture
def textbook(bpe: Run) -> str:
    done = bpe("trace", "low-lower", "--width", 80)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_textbook_example(textbook: str) -> None:
    first, second = re.split(r"^merge \d+ .*\n", textbook, flags=re.MULTILINE)[1:3]
    assert re.search(r"alphabet \(10\) +d e i l n o r s t w\s*$", textbook, flags=re.MULTILINE)
    assert re.search(r"winner +e s ×9  makes  es ", first)
    assert re.search(r"runner-up +s t ×9, tied; tie rule: smaller ids first", first)
    assert re.search(r"newest +6  n e w e s t  n e w es t  changed", first)
    assert re.search(r"winner +es t ×9  makes  est ", second)
    assert re.search(r"newest +6  n e w es t  n e w est  changed", second)


def test_lowest_encodes_without_unk(textbook: str) -> None:
    end = textbook[textbook.index("lowest   never occurred") :]
    assert "without <unk>" in end
    assert re.search(r"tokens +low est\b", end)


def test_every_merge_until_no_pair_is_left(bpe: Run) -> None:
    facts = json.loads(bpe("trace", "low-lower", "--merges", 99, "--json").stdout)
    assert [step["new_token"]["text"] for step in facts["steps"]] == [
        *("es", "est", "lo", "low", "ew", "new"),
        *("newest", "dest", "idest", "widest", "er", "lower"),
    ]


def conforms(facts: object, name: str = "trace") -> None:
    jsonschema.validate(facts, json.loads((files("bpe_transformer.inspection") / f"schemas/{name}.json").read_text()))


def test_json_schema_of_steps(bpe: Run) -> None:
    facts = json.loads(bpe("trace", "low-lower", "--json").stdout)
    conforms(facts)
    assert [token["text"] for token in facts["alphabet"]["tokens"]] == list("deilnorstw")
    assert len(facts["steps"]) == 10
    assert [span["token"]["text"] for span in facts["encoded"][0]["text"]["spans"]] == ["low", "est"]
    assert facts["encoded"][0]["derivation"]["ranks"] == [0, 1, 2, 3]
    del facts["steps"][3]["winner"]
    with pytest.raises(jsonschema.ValidationError):
        conforms(facts)


@pytest.mark.parametrize(
    "options",
    [[], ["--range", "-3:"], ["--rank", "7"], ["--by", "length", "--limit", "3"], ["--words", "three cats,세"]],
)
def test_json_schema_of_views(bpe: Run, byte_tokenizer: Path, tmp_path: Path, options: list[str]) -> None:
    facts = json.loads(bpe("trace", byte_tokenizer, *options, "--json").stdout)
    conforms(facts)
    (tmp_path / "tokenizer.json").write_bytes((byte_tokenizer / "tokenizer.json").read_bytes())
    conforms(json.loads(bpe("trace", tmp_path, *options, "--json").stdout))  # no trace


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


def shown(bpe: Run, *arguments: object, width: int = 80) -> list[str]:
    done = bpe("trace", *arguments, "--width", width)
    assert (done.returncode, done.stderr) == (0, b"")
    return [line.rstrip() for line in done.stdout.decode().splitlines()]


@pytest.fixture(scope="module")
def characters(tmp_path_factory: pytest.TempPathFactory, low_lower: Tokenizer) -> Path:
    directory = tmp_path_factory.mktemp("char") / "tok"
    low_lower.save(directory)
    return directory


# the learner's facts as in tests/inspection/history/test_trace_rows.py; 79 letters before the first merge
RANK = """\
rank 4   of 12 merges ──────────────────────────────────────────────────────────
  pair       e w  makes  ew  (id 14)
  bytes      65 77
  count      6
  runner-up  n e ×6, tied; the smaller ids were merged
  corpus     1 distinct word changed, 41 tokens left, compression 1.927

  ew  rank 4  ×6
  ├── e  base, id 1
  └── w  base, id 9

   rank  pair     count  runner-up  count       words  tokens left
      2  l o          7  o w            7  tie      2           54
      3  lo w         7  e w            6           2           47
▸     4  e w          6  n e            6  tie      1           41
      5  n ew         6  ew est         6  tie      1           35
      6  new est      6  d est          3           1           29
"""


def test_one_rank(bpe: Run, characters: Path) -> None:
    assert shown(bpe, characters, "--rank", 4)[:17] == RANK.splitlines()


WORDS = """\
merges  vocabulary  lowest       newest       lowly
     0          10  l o w e s t  n e w e s t  l o w l y
     1          11  l o w es t   n e w es t
     2          12  l o w est    n e w est
     3          13  lo w est                  lo w l y
     4          14  low est                   low l y
     5          15               n ew est
     6          16               new est
     7          17               newest
"""


def test_words_come_together(bpe: Run, characters: Path) -> None:
    lines = shown(bpe, characters, "--words", "lowest,newest,wide")
    assert [line[:45].rstrip() for line in lines[:9]] == [line[:45].rstrip() for line in WORDS.splitlines()]
    assert lines[-1].startswith("after so many of 12 merges; an empty cell is as above")
    assert lines[1].endswith("w i d e")


def test_words_that_do_not_fit_side_by_side(bpe: Run, characters: Path) -> None:
    lines = shown(bpe, characters, "--words", "lowest,newest,wide", width=40)
    assert sum(line.startswith("merges  vocabulary") for line in lines) == 3


def test_korean_and_english_words(bpe: Run, byte_tokenizer: Path) -> None:
    lines = shown(bpe, byte_tokenizer, "--words", "세 three", "--json")
    stages = json.loads("\n".join(lines))["stages"]
    assert [token["text"] for token in stages[-1]["words"][0]["tokens"]] == [None, None, " three"]
    assert [stage["rank"] for stage in stages] == [None, 0, 2, 3, 5, 13, 18]


def test_words_of_a_corpus(bpe: Run) -> None:
    lines = shown(bpe, "low-lower", "--words", "lowest")
    assert re.fullmatch(r" +4 +15 +low est", lines[5])


def test_the_longest_first(bpe: Run, characters: Path) -> None:
    lines = shown(bpe, characters, "--by", "length", "--limit", 2)
    assert [line.split()[:3] for line in lines[1:3]] == [["6", "new", "est"], ["9", "w", "idest"]]
    assert lines[3].startswith("the 2 that made the longest tokens of 12 merges")


def test_long_tokens_are_cut_in_tables(bpe: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("-" * 256)
    bpe("learn", tmp_path / "text.txt", "-o", tmp_path / "tok", "--vocab-size", 267, "--no-special")
    lines = shown(bpe, tmp_path / "tok", "--range", "-1:", width=120)
    assert "(256 bytes)" in re.sub(r"\s+", " ", " ".join(lines))
    assert max(map(len, re.findall("-+", "".join(lines)))) < 24
    assert len(lines) < 9


def test_range_without_merges(fails: Callable[..., str], byte_tokenizer: Path) -> None:
    message = fails("trace", byte_tokenizer, "--range", "50:60")
    assert "50:60" in message
    assert "ranks 0 to 20" in message


def test_ranks_words_and_orders_that_do_not_fit(
    fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path
) -> None:
    assert "ranks 0 to 20" in fails("trace", byte_tokenizer, "--rank", 21)
    assert "a word to follow is empty" in fails("trace", byte_tokenizer, "--words", "세,")
    (tmp_path / "tokenizer.json").write_bytes((byte_tokenizer / "tokenizer.json").read_bytes())
    assert "order by length or rank" in fails("trace", tmp_path, "--by", "count")


def test_unknown_source(fails: Callable[..., str]) -> None:
    assert "'nope'" in fails("trace", "nope")


def test_empty_standard_input(fails: Callable[..., str]) -> None:
    assert "empty" in fails("trace", "-")
    assert "empty" in fails("trace", "-", input=b" \n ")


def test_input_that_is_not_utf8(fails: Callable[..., str]) -> None:
    assert "byte 0xff at position 2; convert it" in fails("trace", "-", input=b"ab\xff")
    assert "--words is not UTF-8: byte 0xff at position 1" in fails("trace", "low-lower", "--words", "l\udcff")


@pytest.mark.parametrize("options", [["--range", "0:5"], ["--range", "x"], ["--rank", "1"], ["--by", "count"]])
def test_wrong_usage_on_a_corpus(bpe: Run, options: list[str]) -> None:
    assert bpe("trace", "low-lower", *options).returncode == 2


@pytest.mark.parametrize(
    "options",
    [
        *(["--merges", "5"], ["--encode", "low"], ["--range", "x"], ["--live"], ["--rank", "1", "--by", "count"]),
        *(["--words", "low", "--rank", "3"], ["--step", "--json"], ["--by", "age"]),
    ],
)
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
