"""`vocab`: search, use and what pruning would save, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from bpe_transformer import Tokenizer

Run = Callable[..., Any]


def test_whole_vocabulary(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    done = bpe("vocab", byte_tokenizer, "--width", 100)
    assert done.stderr == b""
    shown = done.stdout.decode()
    assert f"{loaded.vocab_size} tokens: 256 base, {loaded.vocab_size - 259} merged, 3 special" in shown
    assert "20 of 280 tokens shown" in shown


def test_search(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    facts = json.loads(bpe("vocab", byte_tokenizer, "--prefix", "·", "--json", "--all").stdout)
    expected = [id for id, token in enumerate(loaded.model.tokens) if token.startswith(b" ")]
    assert sorted(entry["id"] for entry in facts["entries"]) == expected
    special = json.loads(bpe("vocab", byte_tokenizer, "--special", "--json").stdout)
    assert [entry["token"]["text"] for entry in special["entries"]] == ["<pad>", "<s>", "</s>"]
    assert "near it: thre" in bpe("vocab", byte_tokenizer, "--prefix", "thri").stdout.decode()
    none = bpe("vocab", byte_tokenizer, "--contains", "nothing like it")
    assert (none.returncode, "0 of 0 tokens" in none.stdout.decode()) == (0, True)


def test_use(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("three cats read", encoding="utf-8")
    facts = json.loads(bpe("vocab", byte_tokenizer, "--file", path, "--used", "1:", "--all", "--json").stdout)
    assert {entry["id"] for entry in facts["entries"]} == set(loaded.encode("three cats read"))
    jsonschema.validate(
        facts, json.loads((files("bpe_transformer.inspection") / "schemas/vocab.json").read_text("utf-8"))
    )
    pruned = loaded.prune(["three cats read"])
    assert facts["pruning"]["vocab_size_after"] == pruned.tokenizer.vocab_size
    shown = bpe("vocab", byte_tokenizer, "--file", path, "--width", 80).stdout.decode()
    assert f"would drop the {pruned.dropped} idle" in shown


def test_mistakes_say_what_to_do(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    assert "--file FILE" in fails("vocab", byte_tokenizer, "--only", "idle")
    assert "--file FILE" in fails("vocab", byte_tokenizer, "--sort", "used")
    assert "this vocabulary has" in fails("vocab", byte_tokenizer, "--script", "Runic")
    assert "check the path" in fails("vocab", byte_tokenizer, "--file", tmp_path / "none")
    done = bpe("vocab", byte_tokenizer, "--chars", "x:3")
    assert done.returncode == 2
    assert b"write 3:8" in done.stderr
    assert bpe("vocab", byte_tokenizer, "--special", "--only", "idle").returncode == 2


def test_piped_output_is_plain(bpe: Run, byte_tokenizer: Path) -> None:
    for arguments in (("vocab", byte_tokenizer), ("tokens", byte_tokenizer, "세 three")):
        plain = bpe(*arguments, "--width", 80).stdout
        assert b"\x1b" not in plain
        assert bpe(*arguments, "--width", 80, NO_COLOR="1", FORCE_COLOR="").stdout == plain
