"""`why`: derivation trees, the merges of a text, and what to do when there is nothing to explain."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]
SCHEMA = json.loads((files("bpe_transformer.inspection") / "schemas/why.json").read_text())


@pytest.fixture(scope="module")
def low_lower_saved(tmp_path_factory: pytest.TempPathFactory, low_lower: Tokenizer) -> Path:
    directory = tmp_path_factory.mktemp("char") / "tok"
    low_lower.save(directory)
    return directory


def shown(bpe: Run, *arguments: object) -> list[str]:
    done = bpe("why", *arguments, "--width", 80)
    assert (done.returncode, done.stderr) == (0, b"")
    return [line.rstrip() for line in done.stdout.decode().splitlines()]


NEWEST = """\
newest   id 16, made by a merge ────────────────────────────────────────────────
  newest  rank 6  ×6
  ├── new  rank 5  ×6
  │   ├── n  base, id 4
  │   └── ew  rank 4  ×6
  │       ├── e  base, id 1
  │       └── w  base, id 9
  └── est  rank 1  ×9
      ├── es  rank 0  ×9
      │   ├── e  base, id 1
      │   └── s  base, id 7
      └── t  base, id 8

  bytes                6e 65 77 65 73 74
  made by              rank 6 of 12 merges, 0 to 11
  smallest vocabulary  17 ids: the base alphabet and special tokens, and the
                       first 7 merges
  builds               nothing: no merge goes on from it
"""


def test_tree_of_newest(bpe: Run, low_lower_saved: Path) -> None:
    assert shown(bpe, low_lower_saved, "newest") == NEWEST.splitlines()
    assert shown(bpe, low_lower_saved, "--rank", 6) == shown(bpe, low_lower_saved, "--id", 16) == NEWEST.splitlines()


LOWIDEST = """\
lowidest   low│idest ───────────────────────────────────────────────────────────
  rank  count  merge   makes  so far
                              l o w i d e s t
     0      9  e s     es     l o w i d es t
     1      9  es t    est    l o w i d est
     2      7  l o     lo     lo w i d est
     3      7  lo w    low    low i d est
     7      3  d est   dest   low i dest
     8      3  i dest  idest  low idest

  low ┊ idest  there is no merge of the two; w idest has one (rank 9), but lo w
  (rank 3) took w before

text       1 pre-token, 2 tokens
ids        13 18
one token  in no vocabulary of these merges: with all 12 it is 2 tokens
"""


def test_merges_of_a_text(bpe: Run, low_lower_saved: Path) -> None:
    assert shown(bpe, low_lower_saved, "--text", "lowidest") == LOWIDEST.splitlines()


KOREAN_ENGLISH = """\
세   ⟨ec⟩│⟨84 b8⟩ ──────────────────────────────────────────────────────────────
  rank  count  merge      makes    so far
                                   ⟨ec⟩ ⟨84⟩ ⟨b8⟩
    18      1  ⟨84⟩ ⟨b8⟩  ⟨84 b8⟩  ⟨ec⟩ ⟨84 b8⟩

  ⟨ec⟩ ┊ ⟨84 b8⟩  there is no merge of the two

·three   ·three ────────────────────────────────────────────────────────────────
  rank  count  merge    makes   so far
                                · t h r e e
     0      3  r e      re      · t h re e
     2      2  h re     hre     · t hre e
     3      2  t hre    thre    · thre e
     5      2  thre e   three   · three
    13      1  · three  ·three  ·three

text       2 pre-tokens, 3 tokens
ids        236 277 272
bytes      세 = ⟨ec⟩ ⟨84⟩ ⟨b8⟩
between    1 border is where the split pattern cuts: no merge crosses a
           pre-token
one token  in no vocabulary: it is 2 pre-tokens, and no merge crosses those
"""


def test_korean_and_english(bpe: Run, byte_tokenizer: Path) -> None:
    assert shown(bpe, byte_tokenizer, "--text", "세 three") == KOREAN_ENGLISH.splitlines()


@pytest.mark.parametrize(
    "arguments", [["three"], ["--id", "0"], ["--id", "257"], ["--text", "세 마리 three"], ["--text", "x"]]
)
def test_json_schema(bpe: Run, byte_tokenizer: Path, arguments: list[str]) -> None:
    jsonschema.validate(json.loads(bpe("why", byte_tokenizer, *arguments, "--json").stdout), SCHEMA)


def test_schema_refuses_what_is_missing(bpe: Run, byte_tokenizer: Path) -> None:
    facts = json.loads(bpe("why", byte_tokenizer, "--text", "three", "--json").stdout)
    del facts["pieces"][0]["firings"][0]["rank"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(facts, SCHEMA)


def test_without_a_trace_counts_are_missing(bpe: Run, byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((byte_tokenizer / "tokenizer.json").read_bytes())
    lines = shown(bpe, tmp_path, "·three")
    assert not any("×" in line for line in lines)
    assert lines[-2:] == [
        "  counts               no trace came with this tokenizer, so counts are not",
        "                       known",
    ]


def test_standard_input_and_special_tokens(bpe: Run, byte_tokenizer: Path) -> None:
    done = bpe("why", byte_tokenizer, "--file", "-", "--allow-special", "all", "--width", 80, input="<s>세".encode())
    assert done.stdout.decode().startswith("<s>   set apart before any merge")


def test_a_text_that_is_no_token_is_explained(bpe: Run, byte_tokenizer: Path) -> None:
    done = bpe("why", byte_tokenizer, "세 three", "--width", 80)
    assert [line.rstrip() for line in done.stdout.decode().splitlines()] == KOREAN_ENGLISH.splitlines()
    done = bpe("why", byte_tokenizer, "tree")
    assert re.match(r"note: 'tree' is not one token of this vocabulary \(near it: .*three.*\)", done.stderr.decode())
    assert b"rank" in done.stdout
    both = json.loads(bpe("why", byte_tokenizer, "--text", "three", "--text", "cats", "--json").stdout)
    assert [text["text"] for text in both] == ["three", "cats"]
    assert bpe("why", byte_tokenizer, "--text", "three").stdout != bpe("why", byte_tokenizer, "three").stdout


def test_many_pretokens_are_summarised(bpe: Run, byte_tokenizer: Path) -> None:
    text = "three " * 30
    assert "… 11 more pre-tokens" in shown(bpe, byte_tokenizer, "--text", text)
    assert sum(line.startswith("·three ") for line in shown(bpe, byte_tokenizer, "--text", text, "--all")) == 29


def test_errors_say_what_to_do(fails: Callable[..., str], byte_tokenizer: Path) -> None:
    assert "ranks 0 to 20" in fails("why", byte_tokenizer, "--rank", 99)
    assert "ids 0 to 279" in fails("why", byte_tokenizer, "--id", 280)
    assert "the text is empty" in fails("why", byte_tokenizer, "--text", "")
    assert "the token is empty" in fails("why", byte_tokenizer, "")
    assert "not UTF-8: byte 0xff at position 2" in fails("why", byte_tokenizer, "--file", "-", input=b"ab\xff")
    assert "not UTF-8: byte 0xff at position 2" in fails("why", byte_tokenizer, "--text", "ab\udcff")
    assert "--allow-special '<s>'" in fails("why", byte_tokenizer, "--text", "<s>")


@pytest.mark.parametrize("arguments", [[], ["a", "--id", "3"], ["--rank", "1", "--text", "x"]])
def test_one_question_at_a_time(bpe: Run, byte_tokenizer: Path, arguments: list[str]) -> None:
    done = bpe("why", byte_tokenizer, *arguments)
    assert done.returncode == 2
    assert b"give one of: TEXT, --id, --rank, --text or --file" in done.stderr
