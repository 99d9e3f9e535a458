"""`bpe-transformer train`: from a corpus to a trained model, resumable at any time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import messages, progress, reporter
from bpe_transformer.cli.support.options import output_option, overwrite_option, threads_option, tokenizer_option
from bpe_transformer.cli.support.outputs import claim_output
from bpe_transformer.cli.support.training.runs import decoded_score, notes_to, start_processes
from bpe_transformer.cli.support.training_options import (
    SETTING_GROUPS,
    CorpusChoice,
    GroupedCommand,
    Mixing,
    Setting,
    TrainingCorpus,
    corpus_options,
    hide_library_bars,
    preset_option,
    setting_options,
    start_torch,
    with_weight,
)

if TYPE_CHECKING:
    import datasets
    from rich.console import Console
    from rich.progress import Progress as ProgressBars

    from bpe_transformer import Tokenizer
    from bpe_transformer.cli.support.training_options import Rows
    from bpe_transformer.data import TaskColumns
    from bpe_transformer.training import Progress, RunResult, Settings

_GROUPS = {
    "Run": ("output", "preset", "resume", "overwrite", "threads"),
    "Data": (
        *("tokenizer", "task", "src", "tgt", "column", "label", "source_dir", "split", "validation"),
        *("mix_temperature", "dedup"),
        *("documents", "recursive", "no_header", "names", "errors"),
    ),
    **SETTING_GROUPS,
}


@click.command(
    cls=GroupedCommand,
    groups=_GROUPS,
    epilog="""\b
Examples:
  bpe-transformer train numbers-en-ko -o runs/numbers
  bpe-transformer train multi30k --from data -o runs/multi30k --src en --tgt de
  bpe-transformer train numbers-en-ko -o runs/bahdanau --family bahdanau
  bpe-transformer train python-stdlib -o runs/python --minutes 5
  bpe-transformer train python-stdlib -o runs/bert --family bert
  bpe-transformer train reviews.csv -o runs/reviews --task classification --column review --label stars
  bpe-transformer train novels:0.7 python-stdlib:0.3 -o runs/mixed
  bpe-transformer train multi30k --from data -o runs/multi30k --resume
""",
)
@output_option("Folder of the run.", kind="folder")
@corpus_options("Split to train on, or a share of one: train[:1000].", several=True)
@tokenizer_option("What learn has written. [learned, in the run's folder as tokenizer]")
@click.option(
    "--validation",
    metavar="SPLIT|FILE",
    help="Split or file to validate on. [validation, else a twentieth is drawn and taken out]",
)
@click.option(
    "--mix-temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Of several corpora without weights: 1 takes them by their sizes, more evens these out.",
)
@click.option("--dedup", is_flag=True, help="Drop training rows that repeat others or are validation rows.")
@preset_option
@click.option("--resume", is_flag=True, help="Go on where the run in the folder stopped.")
@overwrite_option
@threads_option
@setting_options(*(name for names in SETTING_GROUPS.values() for name in names))
def command(
    choice: CorpusChoice,
    corpora: tuple[str, ...],
    output: str,
    tokenizer: str | None,
    validation: str | None,
    mix_temperature: float,
    dedup: bool,
    preset: str | None,
    resume: bool,
    overwrite: bool,
    threads: int | None,
    settings: Mapping[str, Setting],
) -> None:
    """Train a model of any family on CORPUS: to translate, to continue texts, to fill gaps in them, or to
    give them labels.

    CORPUS is a listed name (see the corpora command), a local file or folder, or parallel files "a.en.txt,a.ko.txt".
    Several are mixed, by weights such as A:0.7 B:0.3, or by their sizes.
    Settings come from the preset, then from the corpus's recipe (unless --preset is given), then from the options.
    Ctrl-C stops after the running step; --resume goes on, with the settings of the run.
    """
    run = Path(output)
    start_torch(threads)
    hide_library_bars()
    from bpe_transformer.training import recommended_settings, train_model
    from bpe_transformer.training.engine import find_device

    processes = start_processes()
    if processes.is_first:
        _check_run(run, resume=resume, overwrite=overwrite)
    family = _family(run, preset, settings, resume=resume)
    mixed, weights = _corpora(choice, corpora, family)
    columns = mixed[0].columns
    new = None if resume else recommended_settings(mixed[0].info, columns.task, preset, family)
    chosen = _resumed_settings(run, settings) if new is None else new.override(settings)
    console = messages()
    console.quiet = quiet = not processes.is_first
    processes.connect(find_device(chosen.training.device).type)
    with processes.first_alone():
        splits = [corpus.splits(validation, chosen.training.seed, dedup=dedup, quiet=quiet) for corpus in mixed]
        mixing = Mixing(mixed, splits, weights, mix_temperature, quiet=quiet)
        data = _data(mixing, columns, tokenizer, run, chosen, resume=resume, writes=processes.is_first)
    with _bar(console) as report_step:
        result = train_model(
            *data,
            columns,
            settings=chosen,
            directory=run,
            corpus=" ".join(corpora),
            split=choice.split,
            validation_split=validation or "",
            resume=resume,
            progress=report_step,
            callbacks=[notes_to(console)],
            score=decoded_score(chosen, columns, splits[0].validation, data[2]),
        )
    _show_result(console, result, output)


def _corpora(
    choice: CorpusChoice, named: tuple[str, ...], family: str | None
) -> tuple[list[TrainingCorpus], list[float | None]]:
    """The corpora that are mixed, with the weights of those that have one."""
    found, weights = [], []
    for name, weight in map(with_weight, named):
        corpus = replace(choice, corpus=name)
        info = corpus.info()
        found.append(TrainingCorpus(corpus, info, corpus.columns(info, family)))
        weights.append(weight)
    return found, weights


def _family(run: Path, preset: str | None, settings: Mapping[str, Setting], *, resume: bool) -> str | None:
    """The family that is named, by the option, by the run to resume or by a preset that is for one family only."""
    from bpe_transformer.training import PRESETS, load_run_settings

    if "family" in settings:
        return str(settings["family"])
    if resume:
        return load_run_settings(run).family
    return None if preset is None or preset in ("tiny", "small") else PRESETS[preset].family


def _resumed_settings(run: Path, settings: Mapping[str, Setting]) -> Settings:
    """Those of the run to resume; what ends it is changed by itself, not together as in `override`."""
    from bpe_transformer.training import load_run_settings

    saved = load_run_settings(run)
    return saved.override({**saved.training.ends(), **settings})


def _check_run(run: Path, *, resume: bool, overwrite: bool) -> None:
    """Takes the folder for this command, and refuses what cannot be begun or resumed in it."""
    from bpe_transformer.errors import CheckpointError
    from bpe_transformer.training.checkpoint import CONFIG
    from bpe_transformer.training.state import STATE

    claim_output(run)
    if resume and not (run / STATE).exists():
        raise CheckpointError(f"{run} holds no run to resume ({STATE} is missing); leave --resume out to start one")
    if not resume and not overwrite and (run / CONFIG).exists():
        raise CheckpointError(
            f"{run} holds a model already; go on with --resume, replace it with --overwrite, or choose another -o"
        )


def _data(
    mixing: Mixing,
    columns: TaskColumns,
    tokenizer: str | None,
    run: Path,
    settings: Settings,
    *,
    resume: bool,
    writes: bool,
) -> tuple[Rows, Rows, Tokenizer]:
    """The rows to train and to validate on as ids, and the tokenizer.

    The process that writes begins the run and learns the tokenizer; the others find them there.
    """
    from bpe_transformer.training.state import begin_run, has_begun_only

    fresh = not resume or has_begun_only(run)
    with progress() as bars:
        bars.disable = bars.disable or not writes
        if fresh and writes:
            begin_run(run, settings)
        loaded = _tokenizer(mixing.texts(), columns, tokenizer, run, settings, bars, learn=fresh and writes)
        train, validation = mixing.prepared(loaded, settings, bars)
    mixing.tell_batches(train, settings, loaded)
    return train, validation, loaded


def _tokenizer(
    rows: datasets.Dataset,
    columns: TaskColumns,
    given: str | None,
    run: Path,
    settings: Settings,
    bars: ProgressBars,
    *,
    learn: bool,
) -> Tokenizer:
    """The tokenizer of --tokenizer, one learned from the rows to train on, or that of the run."""
    from bpe_transformer import Tokenizer
    from bpe_transformer.training import learn_tokenizer

    learned = run / "tokenizer"
    if given is not None:
        return Tokenizer.load(given)
    if not learn:
        return Tokenizer.load(learned if learned.exists() else run)
    tokenizer = learn_tokenizer(rows, columns.texts, settings, progress=reporter(bars, "learning the vocabulary"))
    tokenizer.save(learned)
    return tokenizer


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar for the whole run with the loss and the speed, and a line for every validation."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Display(*columns, console=console, disable=not console.is_terminal) as display:
        task = display.add_task("training", total=1.0)

        def report(now: Progress) -> None:
            line = f"epoch {now.epoch}  loss {now.loss:.3f}  {now.ids_per_second:,.0f} ids/s"
            display.update(task, completed=now.share, description=line)
            if now.validation_loss is not None:
                right = now.validation_accuracy
                accuracy = "" if right is None else f"  accuracy {100 * right:.1f} %"
                display.console.print(
                    f"step {now.step:,}  epoch {now.epoch}  {now.seconds / 60:.1f} min  loss {now.loss:.3f}  "
                    f"validation {now.validation_loss:.3f}{accuracy}  {now.ids_per_second:,.0f} ids/s",
                    soft_wrap=True,
                )

        yield report


def _show_result(console: Console, result: RunResult, output: str) -> None:
    unit = "a label" if any("validation_accuracy" in entry for entry in result.history) else "an id"
    loss = "none yet" if result.validation_loss is None else f"{result.validation_loss:.3f} nats {unit}"
    figures = f"{result.steps:,} steps, {result.epochs} epochs, {result.seconds / 60:.1f} min, validation loss {loss}"
    if result.finished:
        figures += "; it no longer got better (--patience)" if result.ended_by == "patience" else ""
        console.print(f"trained: {figures}; {output} holds the weights of {result.chosen}", soft_wrap=True)
    else:
        console.print(f"stopped: {figures}; go on with the same command and --resume", soft_wrap=True)
        sys.exit(128 + (result.signal or signal.SIGINT))
