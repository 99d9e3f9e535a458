"""Outputs of long and strange names: written under the very name, or refused in one line that acts on no terminal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bpe_transformer.cli import cli
from bpe_transformer.cli.support.error_messages import failure_message
from bpe_transformer.errors import BpeTransformerError
from tests.cli.test_hostile_names import ACTS
from tests.faults.writing import WRITING, arguments, inputs, output_name

_WRITERS = {
    "output",
    "svg",
    "offsets",
}  # parameters that name an output; decode reads the last, demo writes nothing else


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writing")
    inputs(folder)
    return folder


def long_name(size: int, suffix: str) -> str:
    """A name of so many bytes: an escape sequence, a line break, letters of three bytes."""
    begin = "\x1b[31m\n"
    letters, rest = divmod(size - len(begin) - len(suffix), 3)
    return begin + "한" * letters + "x" * rest + suffix


def test_every_command_that_writes_is_known() -> None:
    found = set()
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        if name not in ("decode", "demo") and _WRITERS & {str(parameter.name) for parameter in command.params}:
            found.add(name)
    assert found == {line.split()[0] for line in WRITING.values()}


@pytest.mark.parametrize("name", WRITING)
def test_a_long_name_of_control_characters(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(folder)
    before = set(os.listdir())
    suffix = Path(output_name(name)).suffix
    too_long, longest = long_name(256, suffix), long_name(255, suffix)
    refused = CliRunner().invoke(cli, arguments(name, too_long))
    assert isinstance(refused.exception, (OSError, BpeTransformerError)), refused.output
    said = failure_message(refused.exception)
    assert "too long a name" in said
    assert set(os.listdir()) == before
    done = CliRunner().invoke(cli, arguments(name, longest))
    assert done.exit_code == 0, (done.output, done.exception)
    assert set(os.listdir()) == {*before, longest}
    shutil.rmtree(longest) if Path(longest).is_dir() else os.unlink(longest)
    assert not ACTS.search(done.stderr), done.stderr
