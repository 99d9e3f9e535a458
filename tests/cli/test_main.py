"""The command as a whole: quick, quiet, and loading only what it needs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer.cli import COMMANDS

COMMAND = Path(sys.executable).parent / "bpe-transformer"
HEAVY = ("torch", "datasets", "numpy", "pyarrow", "transformers")


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = modules_after(
        "from bpe_transformer.cli import cli\ntry: cli.main(['--help'], standalone_mode=False)\nexcept SystemExit: pass"
    )
    assert "click" in loaded
    assert not loaded & {*HEAVY, "rich"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import bpe_transformer") & {*HEAVY, "click", "rich"}


def test_the_tokenizer_needs_neither_torch_nor_datasets() -> None:
    loaded = modules_after("from bpe_transformer import Tokenizer, learn_bpe, PretokenCounts")
    assert not loaded & {"torch", "datasets", "click", "rich"}


def test_the_views_need_neither_torch_nor_rich() -> None:
    loaded = modules_after("import bpe_transformer.inspection")
    assert not loaded & {"torch", "datasets", "click", "rich"}


@pytest.mark.parametrize("name", ["count", "learn", "trace", "tokens", "encode", "decode", "attention", "lesson"])
def test_help_of_a_command_has_an_example_and_loads_nothing_heavy(name: str) -> None:
    program = (
        "from bpe_transformer.cli import cli\n"
        f"try: cli.main(['{name}', '--help'], standalone_mode=False)\nexcept SystemExit: pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"bpe-transformer {name} " in done.stdout[done.stdout.index("Example") :]
    assert not {module.split(".")[0] for module in done.stderr.split()} & {*HEAVY}


def test_help_lists_every_command(bpe: Callable[..., Any]) -> None:
    done = bpe("--help")
    assert done.returncode == 0
    for name, line in COMMANDS.items():
        assert name in done.stdout.decode()
        assert line in done.stdout.decode()


def test_unknown_command_is_wrong_usage(bpe: Callable[..., Any]) -> None:
    done = bpe("lern")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"lern" in done.stderr


@pytest.mark.parametrize(("closed", "told"), [(0, "input is closed; give"), (1, "output is closed; send")])
def test_closed_streams_are_told(byte_tokenizer: Path, closed: int, told: str) -> None:
    program = f"exec {closed}>&-; exec {shlex.quote(str(COMMAND))} encode {shlex.quote(str(byte_tokenizer))}"
    done = subprocess.run(["sh", "-c", program], stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"rror: standard {told}" in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
