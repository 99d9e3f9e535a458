"""What the commands over models share: how torch is started, settings as options, the columns of a task."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bpe_transformer.training.config import FIELDS

if TYPE_CHECKING:
    from bpe_transformer.data import CorpusInfo

Command = TypeVar("Command", bound=Callable[..., Any])

_TYPES: dict[str, click.ParamType[Any]] = {"int": click.INT, "float": click.FLOAT, "str": click.STRING}


def start_torch(threads: int | None = None) -> None:
    """To be called before torch is imported for the first time.

    OpenMP's threads spin while they wait for each other, by default so long that a training run next to any other
    busy process goes ten times slower. A short spin is as fast alone.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def quiet_datasets() -> None:
    """Leaves out the bars of `datasets` where nobody watches them move."""
    if not sys.stderr.isatty():
        import datasets

        datasets.disable_progress_bars()


def setting_options(*names: str) -> Callable[[Command], Command]:
    """An option a setting, `--n-layers` for n_layers, all of them None when not given."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            field = FIELDS[name]
            kind, choices = str(field.type).partition(" | ")[0], field.metadata["choices"]
            flag = "--" + name.replace("_", "-")
            text = f"{field.metadata['meaning']} ({field.metadata['unit']})"
            if kind == "bool":
                command = click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)(command)
            else:
                option_type = click.Choice(choices) if choices else _TYPES[kind]
                metavar = None if choices else kind.upper()
                command = click.option(flag, name, type=option_type, metavar=metavar, help=text)(command)
        return command

    return add


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that are settings and were given."""
    return {name: value for name, value in options.items() if name in FIELDS and value is not None}


def sides(info: CorpusInfo, src: str | None, tgt: str | None) -> tuple[str, str]:
    """The columns to translate from and to: those named, or else the corpus's first ones that are left."""
    from bpe_transformer.errors import CorpusError

    rest = [name for name in info.text_columns if name not in (src, tgt)]
    src = src or (rest.pop(0) if rest else None)
    tgt = tgt or (rest.pop(0) if rest else None)
    if src is None or tgt is None:
        raise CorpusError(
            f"{info.name} has the text columns {', '.join(info.text_columns)}, too few to translate between; "
            "name two with --src and --tgt, or use --task language-model"
        )
    return src, tgt


def counter(display: Any, label: str) -> Callable[[int, int], None]:
    """A callback (done, in all) that draws a bar from its first call on."""
    task: list[Any] = []

    def report(done: int, total: int) -> None:
        if not task:
            task.append(display.add_task(label, total=total))
        display.update(task[0], completed=done, total=total)

    return report
