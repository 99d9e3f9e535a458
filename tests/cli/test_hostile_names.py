"""Names of files, special tokens and texts that would act on a terminal: no message and no view lets one of them through."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.io import printable, printable_json, printable_layout
from bpe_transformer.training import CheckpointInfo, Settings, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of
from bpe_transformer.training.state import SnapshotKeeper

Run = Callable[..., Any]
# An escape sequence, a bell, the CSI of C1, an override and an isolate of direction, and markup of Rich.
HOSTILE = "x\x1b[31m\x07\x9b2J\u202e\u2066[red]:cat:\x7f"
CORPUS = "".join(f"one two three {HOSTILE} four\n" for _ in range(40))
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066\u2067\u2028\u2029]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such a name with files of such names: a tokenizer, texts, counts, a recipe, damaged files."""
    folder = tmp_path_factory.mktemp("names") / HOSTILE
    folder.mkdir()
    counts = PretokenCounts.from_iterator(CORPUS.splitlines())
    learn_bpe(counts, 300, special_tokens=["<pad>", f"<{HOSTILE}>"]).save(folder / f"tok{HOSTILE}")
    learn_bpe(counts, 290, special_tokens=["<pad>"]).save(folder / f"other{HOSTILE}")
    (folder / f"{HOSTILE}.txt").write_text(CORPUS, encoding="utf-8")
    (folder / f"{HOSTILE}.jsonl").write_text(json.dumps({HOSTILE: HOSTILE}) + "\n", encoding="utf-8")
    (folder / f"{HOSTILE}bad.jsonl").write_text(f"{{{HOSTILE}\n", encoding="utf-8")
    (folder / f"{HOSTILE}bad.csv").write_text(f"{HOSTILE}a,b\n1\n", encoding="utf-8")
    (folder / f"{HOSTILE}bytes.txt").write_bytes(b"\xff\x1b\n")
    (folder / f"{HOSTILE}.json").write_text("{}", encoding="utf-8")
    (folder / f"{HOSTILE}.toml").write_text(f"{HOSTILE}", encoding="utf-8")
    special = ["<pad>", "<s>", "</s>", "<mask>", f"<{HOSTILE}>"]
    tokenizer = learn_bpe(counts, 300, special_tokens=special)
    for name, family in {"run": "transformer", "reader": "gpt"}.items():
        _save_untrained(folder / f"{name}{HOSTILE}", tokenizer, family)
    return folder


def _save_untrained(run: Path, tokenizer: Tokenizer, family: str) -> None:
    """A model of a family as it is initialised, with weights kept at two more steps."""
    options = {"family": family, "d_model": 8, "n_heads": 2, "n_layers": 1, "d_ff": 8, "max_len": 128}
    info = CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.special_tokens["<pad>"],
        columns=(HOSTILE, "ko") if family == "transformer" else (HOSTILE,),
        corpus=HOSTILE,
        settings=Settings.preset("tiny").override(options),
        result={"steps": 8},
    )
    torch.manual_seed(0)
    weights = weights_of(build_model(info))
    save_checkpoint(run, weights, info, tokenizer)
    keeper = SnapshotKeeper(run, 2)
    for step, share in ((0, 0.0), (4, 1.0)):
        keeper.keep(step, share, weights)


COMMANDS = [  # TOK, OTHER and NAME stand for names in the folder; some fail, each in its own place
    *("tokens TOK TEXT", "tokens TOK --file NAME.txt", "tokens TOK TEXT --allow-special SPECIAL", "tokens TOK SPECIAL"),
    *("tokens TOK SPECIAL --special-as-text", "tokens TOK --file NAME.jsonl", "tokens TOK TEXT --json"),
    *("why TOK TEXT", "why TOK SPECIAL", "why TOK two", "why TOK TEXT --json", "trace TOK", "trace TOK --words TEXT"),
    *("trace TOK --by count", "trace diff TOK OTHER", "vocab TOK", "vocab TOK --file NAME.txt", "vocab TOK --limit 300"),
    *("sizes TOK --file NAME.txt", "sizes TOK --file NAME.txt --file NAME.jsonl", "report TOK -o NAME.html --overwrite"),
    *("report TOK -o NAME2.html --words TEXT --overwrite", "compare TOK OTHER --file NAME.txt", "compare TOK OTHER --text TEXT"),
    *("compare TOK OTHER --file NAME=NAME.txt --file NAME.jsonl", "encode TOK TEXT", "encode TOK SPECIAL"),
    *("encode TOK --file NAME.txt -o NAMEids --overwrite --special-as-text", "encode TOK --file NAME.txt -o NAMEids"),
    *("count NAME.txt -o NAME.parquet --overwrite", "count NAME.txt --tokenizer TOK", "count NAME.txt NAME.jsonl --tokenizer TOK"),
    *("learn NAME.txt -o NAMEnew --overwrite --vocab-size 300 --special SPECIAL", "learn NAME.txt -o NAMEnew --vocab-size 280"),
    *("learn NAME.parquet -o NAMEnew --overwrite --vocab-size 270", "learn NAME.txt -o NAMEnew --overwrite --vocab-size 9"),
    *("import TOK -o NAMEin --overwrite", "import NAME.json -o NAMEin2", "export TOK -o NAME.tiktoken --format tiktoken"),
    *("export TOK -o NAMEout --format gpt2 --overwrite", "export TOK -o NAMEout --format TEXT", "corpora TEXT", "TEXT"),
    *("prepare NAME.txt --tokenizer TOK -o NAMEprepared --overwrite", "prepare NAMEbad.csv --tokenizer TOK -o NAMEprepared2"),
    *("count NAMEbad.jsonl -o NAME3.parquet", "count NAMEbad.csv -o NAME3.parquet", "count NAMEbytes.txt -o NAME3.parquet"),
    *("count missingNAME -o NAME3.parquet", "count NAME.txt -o NAME3.parquet --columns TEXT", "count NAME.toml -o NAME3.parquet"),
    *("count NAME.jsonl -o NAME3.parquet --columns TEXT --split TEXT", "count NAME.txt -o NAME3.parquet --pattern (TEXT"),
    *("count NAME.txt -o NAME3.parquet --max-memory TEXT", "learn missingNAME -o NAMEnew2 --vocab-size 9"),
    *("tokens missingNAME a", "tokens NAME.json a", "why NAME.txt a", "trace missingNAME", "trace diff TOK missingNAME"),
    *("decode TOK TEXT", "decode missingNAME 1", "encode TOK --file missingNAME -o NAMEids3", "vocab TOK --limit TEXT"),
    *("evaluate missingNAME NAME.txt", "translate missingNAME TEXT", "translate TOK TEXT", "generate TOK TEXT"),
    *("attention TOK TEXT", "attention missingNAME TEXT", "train NAMEbad.csv -o NAMErun", "train missingNAME -o NAMErun"),
    *("attention RUN TEXT", "attention RUN TEXT --target TEXT --tokens", "attention RUN TEXT --chars --svg NAME.svg --overwrite"),
    *("attention RUN TEXT --target SPECIAL --over-training --svg NAME2.svg --overwrite", "attention RUN TEXT --focus TEXT"),
    *("attention READER SPECIAL --tokens", "attention READER TEXT --focus missingNAME", "attention RUN TEXT --json"),
    *("attention TOK TEXT --over-training", "align RUN TEXT TEXT", "align RUN", "align READER TEXT TEXT"),
    *("lesson masks --text TEXT", "lesson norm --text TEXT", "lesson bpe --text TEXT", "lesson gpt --run READER --text TEXT"),
    *("lesson encoder-decoder --run RUN --text TEXT", "lesson heads --run missingNAME", "lesson heads --run RUN --lang ko"),
    *("lesson schedule --run RUN", "lesson attention --q NAME.txt --k NAME.txt --v NAME.txt", "lesson TEXT", "curve RUN"),
    *("lesson encoder-decoder --run RUN --text TEXT --svg NAME3.svg --overwrite"),
    *("train NAME.txt -o NAMErun --tokenizer missingNAME", "encode TOK --TEXT", "tokens TOK a --limit TEXT"),
]  # fmt: skip


def check_shown(shown: bytes) -> None:
    """Nothing acts on a terminal; FSI and PDI stand in pairs, around text that really runs from right to left."""
    text = shown.decode()
    assert not ACTS.search(text), text
    for line in text.split("\n"):
        outside = re.sub("\u2068[^\u2068\u2069]*\u2069", "", line)
        assert not set(outside) & {"\u2068", "\u2069"}, line


@pytest.mark.parametrize("line", COMMANDS)
def test_nothing_acts_on_the_terminal(line: str, bpe: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = {
        "TOK": f"tok{HOSTILE}",
        "RUN": f"run{HOSTILE}",
        "READER": f"reader{HOSTILE}",
        "OTHER": f"other{HOSTILE}",
        "TEXT": HOSTILE,
        "SPECIAL": f"<{HOSTILE}>",
    }
    arguments = [names.get(word, word.replace("NAME", HOSTILE).replace("TEXT", HOSTILE)) for word in line.split()]
    done = bpe(*arguments)
    check_shown(done.stdout)
    check_shown(done.stderr)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 2 or done.stdout or done.stderr
    # no markup was taken out of a name
    assert b"m\xe2\x9f\xa8U+0007" not in done.stderr or b"[red]:cat:" in done.stderr.replace(b"\n", b"")


def test_json_is_exact() -> None:
    assert json.loads(printable_json([HOSTILE, "\udcff", "שלום"])) == [HOSTILE, "\udcff", "שלום"]
    assert "세 마리" in printable_json("세 마리")


@pytest.mark.parametrize("text", ["세 마리", "שלום", "a\u0301", "❤\ufe0f", "[red]:cat:"])
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == printable_layout(text) == text


def test_every_control_and_sign_of_direction_is_escaped() -> None:
    acting = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) == "Cc"]
    acting += list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    for char in acting:
        assert printable(char) == f"⟨U+{ord(char):04X}⟩"
    assert printable_layout("a\n\tb") == "a\n\tb"


def test_decoded_text_is_exact_in_a_pipe_and_escaped_on_a_terminal(
    bpe: Run, open_terminal: Run, byte_tokenizer: Path
) -> None:
    ids = [str(byte) for byte in b"a\x1b[31mb"]
    assert bpe("decode", byte_tokenizer, *ids).stdout == b"a\x1b[31mb\n"
    terminal = open_terminal("decode", byte_tokenizer, *ids)
    assert terminal.end() == 0
    assert "a⟨U+001B⟩[31mb" in terminal.text
