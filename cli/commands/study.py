"""`bpe-transformer study`: what the papers claim, measured on bundled corpora."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import output as console_of
from bpe_transformer.cli.support.console import print_json, progress, say
from bpe_transformer.cli.support.options import (
    WholeNumbers,
    output_option,
    overwrite_option,
    view_options,
    whole_number,
)
from bpe_transformer.cli.support.outputs import claim_output, refuse_existing, replacing, write_picture
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.io.printable import printable_json, times

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from bpe_transformer.studies.base.study import Result, StudySettings
    from bpe_transformer.studies.catalog import StudyInfo

_THREADS = 1  # with more, sums are rounded otherwise, and the small matrices of the studies gain little


def _complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from bpe_transformer.studies.catalog import STUDIES

    return [CompletionItem(name) for name in STUDIES if name.startswith(incomplete)]


@click.command(
    epilog="""\b
Examples:
  bpe-transformer study
  bpe-transformer study length
  bpe-transformer study cost --lengths 256,512,1024,2048,4096,8192 --svg cost.svg
  bpe-transformer study gradient --minutes 1 --json
  bpe-transformer study explain --run runs/bahdanau -o explained
"""
)
@click.argument("name", required=False, shell_complete=_complete_name)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="Do as much as takes about so many CPU minutes, in place of --steps. [what the list of the studies says]",
)
@click.option("--steps", type=whole_number(1), metavar="N", help="Steps of each training.")
@click.option("--seed", type=whole_number(0), metavar="N", help="What decides every draw. [1]")
@click.option("--seeds", type=whole_number(1), metavar="N", help="Trainings of each model, from --seed on.")
@click.option(
    "--lengths", type=WholeNumbers("1,2,4"), metavar="N,N,…", help="Lengths to measure (length, gradient, cost)."
)
@click.option("--widths", type=WholeNumbers("64,128"), metavar="N,N,…", help="Widths to measure (cost).")
@click.option("--d-model", type=whole_number(1), metavar="N", help="Width of the models.")
@click.option("--n-layers", type=whole_number(1), metavar="N", help="Layers of the models (warmup, scaling).")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), metavar="X", help="Peak learning rate.")
@click.option("--pairs", type=whole_number(1), metavar="N", help="Pairs to look at (explain).")
@click.option(
    "--run", "runs", multiple=True, metavar="DIR", help="A run to look at, in place of training; repeatable (explain)."
)
@click.option(
    "--threads", type=whole_number(1), metavar="N", default=_THREADS, show_default=True, help="Threads to use."
)
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False), help="Write the plot to this file as well.")
@output_option("Keep the data (NAME.json) and the plot (NAME.svg) in this folder.", kind="folder", required=False)
@overwrite_option
@view_options
def command(
    name: str | None,
    minutes: float | None,
    steps: int | None,
    seed: int | None,
    seeds: int | None,
    lengths: tuple[int, ...] | None,
    widths: tuple[int, ...] | None,
    d_model: int | None,
    n_layers: int | None,
    lr: float | None,
    pairs: int | None,
    runs: tuple[str, ...],
    threads: int,
    svg: str | None,
    output: str | None,
    overwrite: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Run the study NAME, or without a name list all studies.

    A study trains or measures small models on bundled corpora, prints a table and a plot, and says which figure of which
    paper it repeats. All its figures but times are a function of its settings and --seed.
    """
    from bpe_transformer.studies.catalog import study_named

    sizes = {"lengths": lengths, "widths": widths, "d_model": d_model, "n_layers": n_layers, "pairs": pairs}
    given = {"steps": steps, "seed": seed, "seeds": seeds, "lr": lr, "runs": runs or None, **sizes}
    chosen = {key: value for key, value in given.items() if value is not None}
    if name is None:
        if chosen or any(value is not None for value in (minutes, svg, output)):
            raise click.UsageError("name a study to go with these options; without any option the list is shown")
        return _list(as_json, width)
    if minutes is not None and "steps" in chosen:
        raise click.UsageError("--minutes decides the steps; give one of --minutes and --steps")
    info = study_named(name)
    from bpe_transformer.cli.support.training_options import start_torch

    for place in filter(None, (svg, output)):
        claim_output(place)
        if name == "cost":  # times are never the same again
            refuse_existing(place, overwrite=overwrite)
    console = None if as_json else console_of(width)
    start_torch(threads, needed=TRAINING)
    _check_settings(info, given)
    settings = info.settings(**chosen)
    if minutes is not None:
        settings = settings.lasting(minutes)
    found = _run(info, settings)
    try:  # shown first: a file that is not replaced must not cost the result, nor a closed pipe the files
        print_json(found.as_dict()) if console is None else console.print(found)
    finally:
        _write(found, svg, output, overwrite=overwrite)


def _check_settings(info: StudyInfo, given: Mapping[str, Any]) -> None:
    """Raises `click.UsageError` for a setting that the study does not have, and names the options that it does.

    given: all settings that are options here, None for those that were left out.
    """
    known = info.module().Settings.names()
    unknown = next((name for name, value in given.items() if value is not None and name not in known), None)
    if unknown is not None:
        options = {str(option.name): option.opts[0] for option in click.get_current_context().command.params}
        taken = ", ".join(options[name] for name in options if name in given and name in known)
        raise click.UsageError(f"the study {info.name} has no {options[unknown]}; its settings are {taken}")


def _list(as_json: bool, width: int | None) -> None:
    from bpe_transformer.studies.catalog import STUDIES, StudyList

    listed = StudyList(tuple(STUDIES.values()))
    if as_json:
        print_json(listed.as_dict())
    else:
        console_of(width).print(listed)


def _run(info: StudyInfo, settings: StudySettings) -> Result:
    """Says what it takes, runs the study with its progress, and says what it took."""
    say(f"{info.name}: {info.question} Takes about {_amount(settings.minutes)}; repeats {info.repeats}")
    began = time.process_time()
    with progress() as bars:
        task = bars.add_task(info.name, total=100)
        found: Result = info.module().run_study(
            settings, lambda share, what: bars.update(task, completed=100 * share, description=f"{info.name}: {what}")
        )
    say(f"{info.name}: took {_amount((time.process_time() - began) / 60)}")
    return found


def _amount(minutes: float) -> str:
    """
    >>> _amount(0.001), _amount(0.5), _amount(1.5)
    ('less than a CPU second', '30 CPU seconds', '1.5 CPU minutes')
    """
    seconds = round(60 * minutes)
    if seconds < 60:
        return times(seconds, "CPU second") if seconds else "less than a CPU second"
    return f"{minutes:.1f} CPU minutes"


def _svg(found: Result) -> str:
    from bpe_transformer.inspection.render.plots import svg_plot

    name = found.settings.STUDY
    drawn = import_module(f"bpe_transformer.studies.render.{name}")
    return svg_plot(drawn.plot_of(found), f"{name}: {found.facts()['question']}")


def _write(found: Result, svg: str | None, output: str | None, *, overwrite: bool) -> None:
    """What is kept beside the text."""
    if svg is not None:
        write_picture(svg, _svg(found), overwrite=overwrite)
        say(f"wrote {svg}")
    if output is not None:
        with replacing(output, overwrite=overwrite) as folder:
            _keep(found, folder)
        say(f"wrote {output}")


def _keep(found: Result, output: Path) -> None:
    """The data and the plot, whole or not at all."""
    from bpe_transformer.io.atomic import atomic_directory

    name = found.settings.STUDY
    with atomic_directory(output) as folder:
        (folder / f"{name}.json").write_text(f"{printable_json(found.as_dict())}\n", encoding="utf-8")
        (folder / f"{name}.svg").write_text(_svg(found), encoding="utf-8")
