"""One command line: the same names, help words and messages in every command."""

from __future__ import annotations

import ast
import errno
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import bpe_transformer
import bpe_transformer.cli
from bpe_transformer.cli import COMMANDS, cli
from bpe_transformer.cli.support.error_messages import failure_message
from bpe_transformer.cli.support.python_names import OPTIONS, with_options

Run = Callable[..., Any]
COMMAND = Path(sys.executable).parent / "bpe-transformer"
# What the values of options are called; one option has one name everywhere.
METAVARS = {
    "--tokenizer": {"DIR", "[LABEL=]TOKENIZER"},
    "--file": {"FILE", "[LABEL=]FILE"},
    "--text": {"TEXT"},
    "--output": {"FILE", "DIR", "DIR|URL|FILE"},
    "--limit": {"N"},
    "--threads": {"N"},
    "--width": {"N"},
    "--from": {"DIR"},
}
ARGUMENTS = {
    "TOKENIZER",
    "CORPUS",
    "TOKENIZER|CORPUS",
    "TOKENIZER|RUN",
    "OUTPUT",
    "TEXT",
    "PROMPT",
    "ID",
    "FILE",
    "RUN",
    "DIR",
    "SOURCE",
    "TARGET",
    "NAME",
}
# Messages about arguments that no command passes on, or that it checks itself.
NOT_REACHED = re.compile(
    r"^module |^method='norms' needs|^truncation_side=|^stride=7|^most=7|^weights=|^text 7 is (masked|null)|^add_7=True|prepare_classification|classifier_dropout=|head_dim="
)
PYTHON_SYNTAX = re.compile(r"(?<![\w/.\[-])[a-z]+(_[a-z]+)*=[^=\s]|\b[a-z]\w*\(\w*[=.)]|=(True|False|None)\b")


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(name: str) -> list[click.Option]:
    return [param for param in command(name).params if isinstance(param, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    epilog = command(name).epilog or ""
    assert re.search(rf"Examples?:\s+.*bpe-transformer {name}\b", epilog, re.S)
    assert command(name).help


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_into_80_columns(name: str) -> None:
    shown = CliRunner().invoke(cli, [*name.split(), "--help"], terminal_width=80).output
    assert [line for line in shown.splitlines() if cell_len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_described_alike(name: str) -> None:
    for option in options(name):
        assert option.help, option
        assert re.search(r"[.\]]$", option.help), option.help
        assert option.help[0].isupper(), option.help
        if option.is_flag or isinstance(option.type, click.Choice):
            continue
        assert option.metavar or (isinstance(option.type, click.ParamType) and option.type.name == "A:B"), option
        if isinstance(option.type, click.IntRange):
            assert option.metavar in ("N", "ID"), option
        for spelling in option.opts:
            assert option.metavar in METAVARS.get(spelling, {option.metavar}), option


def test_one_option_has_one_meaning() -> None:
    seen: dict[str, tuple[object, ...]] = {}
    for name in COMMANDS:
        for option in options(name):
            if (name, option.opts[-1]) in (
                ("lesson", "--text"),
                ("study", "--threads"),
            ):  # numbers for one lesson; one thread
                continue
            if option.opts[-1] in ("--errors", "--threads", "--overwrite", "--json", "--width", "--from", "--text"):
                facts = (option.name, option.help.partition(",")[0] if option.help else "", option.default)
                assert seen.setdefault(option.opts[-1], facts) == facts, option


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_are_named_alike(name: str) -> None:
    arguments = [param for param in command(name).params if isinstance(param, click.Argument)]
    for argument in arguments:
        shown = (argument.metavar or str(argument.name).upper()).strip("[].")
        assert shown.removeprefix("LABEL=]") in ARGUMENTS


def library_messages() -> Iterator[str]:
    """The messages of all errors that the package raises, with something in the place of each value."""
    for path in sorted(Path(bpe_transformer.__file__).parent.rglob("*.py")):
        if "_native" in path.parts or path.parts[-2] in ("models", "layers"):  # no command passes their arguments on
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not getattr(node.func, "id", "").endswith("Error"):
                continue
            if node.args and (text := _rendered(node.args[0])) is not None:
                yield text


def _rendered(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        pieces = [
            piece.value
            if isinstance(piece, ast.Constant)
            else ("'x'" if getattr(piece, "conversion", 0) == 114 else "7")
            for piece in node.values
        ]
        return "".join(map(str, pieces))
    return None


def test_no_message_speaks_python_on_the_command_line() -> None:
    messages = [message for message in library_messages() if not NOT_REACHED.search(message)]
    assert len(messages) > 200
    assert [message for message in map(with_options, messages) if PYTHON_SYNTAX.search(message)] == []


def test_every_option_that_messages_name_exists() -> None:
    known = {spelling for name in COMMANDS for option in options(name) for spelling in option.opts}
    assert set(OPTIONS.values()) <= known


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('go on with errors="replace" (--errors replace), which', "go on with --errors replace, which"),
        ("max_memory=4,000,000 bytes: 3", "--max-memory 4,000,000 bytes: 3"),
        ('give unk_token="<unk>" or byte_fallback=True', "give --unk-token '<unk>' or --byte-fallback"),
        ("special_tokens=['<pad>', '</s>'];", "--special '<pad>' '</s>';"),
        ("(x) with --from DIR (source_dir=…)", "(x) with --from DIR"),
        ("my_file.txt and runs/max_len=3/x stay", "my_file.txt and runs/max_len=3/x stay"),
        ("prefix_space='first', a space", "prefix space 'first', a space"),
        ("a/x.json: special_tokens is [], not an object", "a/x.json: special_tokens is [], not an object"),
        ("x: special_tokens[0] is 5", "x: special_tokens[0] is 5"),
    ],
)
def test_names_of_options(said: str, shown: str) -> None:
    assert with_options(said) == shown


def test_failing_commands_name_options(bpe: Run, byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"ab\xff")
    (tmp_path / "a.txt").write_text("three <s>")
    tok, text, bad = byte_tokenizer, tmp_path / "a.txt", tmp_path / "bad.txt"
    out = ["-o", tmp_path / "out"]
    for arguments in (
        ["learn", text, *out, "--vocab-size", 5],
        ["learn", bad, *out, "--vocab-size", 300],
        ["learn", text, *out, "--vocab-size", 300, "--end-of-word", "</w>"],
        ["learn", text, *out, "--vocab-size", 300, "--unit", "char", "--character-coverage", 0.2, "--max-memory", "1"],
        ["learn", text, *out, "--vocab-size", 300, "--superwords", 200],
        ["count", text, *out, "--max-memory", "x"],
        ["count", text, *out, "--documents", ""],
        ["count", "wikitext-103", *out],
        ["encode", tok, "--file", text, *out],
        ["encode", tok, "--file", bad, *out],
        ["encode", tok, "<s>"],
        ["encode", tok, "three", "--eos"],
        ["tokens", tok, "--file", bad],
        ["vocab", tok, "--only", "idle"],
        ["sizes", tok, "--file", bad],
        ["import", text, *out],
        ["export", tok, "-o", tmp_path / "x.model"],
        ["export", tok, "-o", tmp_path / "x.codes"],
    ):
        done = bpe(*arguments)
        said = done.stderr.decode()
        assert done.returncode == 1, arguments
        assert said.count("\n") == 1
        assert not PYTHON_SYNTAX.search(said), said
        assert "[Errno" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lern"], "no such command: lern; did you mean learn or lesson?"),
        (["nothing-like-it"], "no such command: nothing-like-it; see bpe-transformer --help"),
        (["learn", "--vocabsize", "3"], "no such option: --vocabsize; did you mean --vocab-size?"),
        (["vocab", "tok", "--used-in", "x"], "no such option: --used-in; it is called --file now"),
        (["encode", "tok", "--files", "x"], "no such option: --files; it is called --file now"),
        (["import", "x", "--out", "y"], "no such option: --out; it is called --output now"),
        (["learn", "x"], "missing option -o / --output; give -o DIR"),
        (["export", "tok"], "name one output: export TOKENIZER|RUN OUTPUT, or -o OUTPUT"),
        (["learn", "-o", "tok"], "missing argument 'CORPUS...'; see bpe-transformer learn --help"),
        (
            ["learn", "x", "-o", "tok", "--vocab-size", "many"],
            "--vocab-size 'many' is not a whole number; give a whole number from 1 on",
        ),
        (
            ["learn", "x", "-o", "tok", "--vocab-size", "0"],
            "--vocab-size 0 is out of range; give a whole number from 1 on",
        ),
        (
            ["train", "x", "-o", "y", "--n-layers", "two"],
            "--n-layers 'two' is not a whole number; give a whole number, such as 8",
        ),
        (["train", "x", "-o", "y", "--lr", "fast"], "--lr 'fast' is not a number; give a number, such as 0.5"),
        (
            ["train", "x", "-o", "y", "--mix-temperature", "0"],
            "--mix-temperature 0.0 is out of range; give a number above 0",
        ),
        (
            ["learn", "x", "-o", "y", "--character-coverage", "2"],
            "2.0 is out of range; give a number above 0 and at most 1",
        ),
        (
            ["learn", "x", "-o", "y", "--vocab-size", "9", "--base", "no"],
            "--base: Path 'no' does not exist; check the path",
        ),
        (["trace", "diff"], "see bpe-transformer trace diff --help"),
    ],
)
def test_wrong_usage_is_one_line(bpe: Run, arguments: list[str], message: str) -> None:
    done = bpe(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("error: ")
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.ENOSPC, errno.EISDIR, errno.EROFS])
def test_errors_of_the_system_have_path_cause_and_remedy(code: int) -> None:
    message = failure_message(OSError(code, os.strerror(code), "some/place"))
    assert message.startswith("some/place ")
    assert "; " in message
    assert "Errno" not in message
    own = failure_message(OSError(code, "no room; the same call goes on from there", "some/place"))
    assert own == "some/place: no room; the same call goes on from there"
    assert "memory ran out" in failure_message(MemoryError())


def test_a_folder_where_a_file_is_needed(fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").mkdir()
    for arguments in (["encode", tmp_path / "tokenizer.json", "x"], ["tokens", byte_tokenizer, "--file", tmp_path]):
        assert "[Errno" not in fails(*arguments)


def test_errors_break_between_words(open_terminal: Callable[..., Any]) -> None:
    terminal = open_terminal("encode", "/nowhere/" + "x" * 50, "a", columns=80)
    assert terminal.end() == 1
    lines = [line for line in terminal.lines if line]
    assert len(lines) > 1
    assert all(not line.startswith(" ") for line in lines)
    assert " ".join(lines).startswith("error: /nowhere/")
    assert "directory it is in" in " ".join(lines) or "folder it is in" in " ".join(lines)


def test_no_bar_before_an_error_that_came_at_once(open_terminal: Callable[..., Any], byte_tokenizer: Path) -> None:
    terminal = open_terminal("sizes", byte_tokenizer, "--file", "/nowhere.txt")
    assert terminal.end() == 1
    assert terminal.lines[0].startswith("error: ")


def test_piped_pictures_have_no_blanks_at_the_end(bpe: Run, byte_tokenizer: Path) -> None:
    for arguments in (["vocab", byte_tokenizer], ["trace", byte_tokenizer], ["trace", "low-lower"], ["corpora"]):
        assert not re.search(rb"[ ]\n", bpe(*arguments, "--width", 80).stdout)


def test_text_is_always_the_text_itself(bpe: Run, byte_tokenizer: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("three cats")
    for name in ("compare", "sizes", "vocab", "tokens", "why"):
        done = bpe(name, byte_tokenizer, "--text", "a.txt", "--json")
        assert done.returncode == 0, done.stderr
        assert b"note: the text is 'a.txt' itself; --file a.txt reads that file" in done.stderr
        assert bpe(name, byte_tokenizer, "--text", "three cats", "--json").stderr == b""
        assert bpe(name, byte_tokenizer, "--file", "a.txt", "--json").returncode == 0
    assert bpe("encode", byte_tokenizer, "--text", "three").stdout == bpe("encode", byte_tokenizer, "three").stdout
    assert bpe("tokens", byte_tokenizer, "three", "--text", "cats").returncode == 2


def test_files_of_any_format_are_read(bpe: Run, byte_tokenizer: Path, tmp_path: Path) -> None:
    import gzip
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = ["three cats", "세 마리"]
    (tmp_path / "a.txt").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "a.csv").write_text("text\n" + "\n".join(rows), encoding="utf-8")
    pq.write_table(pa.table({"text": rows, "n": [1, 2]}), tmp_path / "a.parquet")
    found = set()
    for name in ("a.txt", "a.txt.gz", "a.jsonl", "a.csv", "a.parquet"):
        facts = json.loads(bpe("tokens", byte_tokenizer, "--file", tmp_path / name, "--json").stdout)
        found.add((facts["num_tokens"], facts["num_bytes"]))
    assert len(found) == 1
    standard_input = bpe("compare", byte_tokenizer, "--file", "-", "--json", input=b"three cats")
    assert b'"standard input"' in standard_input.stdout


def test_commands_use_the_library_as_anybody_would() -> None:
    """Neither the native core nor anything private."""
    for path in sorted(Path(bpe_transformer.cli.__file__).parent.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert "_core" not in source, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                assert isinstance(node.value, ast.Name), f"{path}:{node.lineno}"
                ours = node.value.id in ("self", "cls")
                assert ours or ast.unparse(node) == "os._exit", f"{path}:{node.lineno}"  # which Python documents


@pytest.mark.parametrize("name", COMMANDS)
def test_options_have_types(name: str) -> None:
    """No command takes options that nobody can look up."""
    module = sys.modules[getattr(inspect.unwrap(command(name).callback or print), "__module__", "")]
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.args.kwarg]


def test_python_m(byte_tokenizer: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bpe_transformer", "encode", byte_tokenizer, "a"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "97\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bpe-transformer tr", "trace"),
        ("bpe-transformer learn --vo", "--vocab-size"),
        ("bpe-transformer trace di", "diff"),
    ],
)
def test_completion(typed: str, offered: str) -> None:
    words = shlex.split(typed)
    environment = {
        **os.environ,
        "_BPE_TRANSFORMER_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run([COMMAND], capture_output=True, text=True, env=environment)
    assert f"plain,{offered}" in done.stdout.splitlines()
    assert not any(" " in line for line in done.stdout.splitlines())
