"""`bpe-transformer train`: from a corpus to a trained model, resumable at any time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from bpe_transformer.cli.support.console import messages, progress, reporter, tell_when_interrupted
from bpe_transformer.cli.support.options import (
    fail_above_option,
    output_option,
    overwrite_option,
    threads_option,
    tokenizer_option,
    whole_number,
)
from bpe_transformer.cli.support.outputs import claim_output
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.cli.support.training.prepared_input import train_prepared
from bpe_transformer.cli.support.training.prepared_stores import is_prepared
from bpe_transformer.cli.support.training.runs import decoded_score, start_processes
from bpe_transformer.cli.support.training.settings import (
    ChosenSettings,
    check_options,
    chosen_settings,
    config_option,
    fit_training_to,
    fit_vocabulary_to,
    given_data,
    named_settings,
    resumed_settings,
)
from bpe_transformer.cli.support.training.start import continued, initial_weights, load_start
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
from bpe_transformer.errors import BpeTransformerError, CheckpointError
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    import datasets
    from rich.console import Console
    from rich.progress import Progress as ProgressBars

    from bpe_transformer import Tokenizer
    from bpe_transformer.cli.support.training_options import Rows
    from bpe_transformer.data import TaskColumns, TokenStore
    from bpe_transformer.training import Callback, RunResult, Settings
    from bpe_transformer.training.engine import Processes
    from bpe_transformer.training.pretrained import Pretrained

_GROUPS = {
    "Run": ("output", "preset", "from_run", "config", "print_config", "resume", "overwrite", "threads"),
    "Watching": ("loggers", "samples"),
    "Data": (
        *("tokenizer", "task", "src", "tgt", "column", "label", "source_dir", "split", "validation"),
        *("mix_temperature", "dedup", "fail_above"),
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
  bpe-transformer train python-docstring-modules -o runs/modules --from-run runs/docstrings
  bpe-transformer train multi30k --from data -o runs/multi30k --resume
  bpe-transformer train corpus.txt --print-config > run.toml
  bpe-transformer train corpus.txt -o runs/corpus --config run.toml --log tensorboard
""",
)
@output_option("Folder of the run.", kind="folder", required=False)
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
@fail_above_option
@preset_option
@click.option(
    "--from-run", metavar="RUN|DIR", help="Start from the weights of a run, or of a folder of transformers. [drawn]"
)
@click.option("--resume", is_flag=True, help="Go on where the run in the folder stopped.")
@overwrite_option
@threads_option
@config_option
@click.option(
    "--log",
    "loggers",
    multiple=True,
    type=click.Choice(("tensorboard", "trackio")),
    help="Log figures there too; repeatable. The run's metrics.jsonl is always written.",
)
@click.option(
    "--samples",
    type=whole_number(0),
    metavar="N",
    help="After a validation, show what the model makes of so many of its rows. [3 on a terminal, else 0]",
)
@setting_options(*(name for names in SETTING_GROUPS.values() for name in names))
def command(
    choice: CorpusChoice,
    corpora: tuple[str, ...],
    output: str | None,
    tokenizer: str | None,
    preset: str | None,
    print_config: bool,
    resume: bool,
    overwrite: bool,
    threads: int | None,
    settings: Mapping[str, Setting],
    validation: str | None,
    mix_temperature: float,
    dedup: bool,
    fail_above: float | None,
    from_run: str | None,
    loggers: tuple[str, ...],
    samples: int | None,
) -> None:
    """Train a model of any family on CORPUS: to translate, to continue texts, to fill gaps, or to label.

    CORPUS is a listed name (see the corpora command), a local file or folder, parallel files "a.en.txt,a.ko.txt", or a
    folder or URL that prepare has written, or flat ids (.bin, .idx, .ds). Several are mixed, by weights such as A:0.7
    B:0.3, or by their sizes. Settings come from the preset, then from the corpus's recipe (unless --preset is given),
    then from the file of --config, then from the options; what none of them says is fitted to the data, and said.
    Ctrl-C stops after the running step; --resume goes on, with the settings of the run. --from-run trains on from a
    model, with its options and its tokenizer; with --tokenizer, the embedding goes over token by token.
    """
    if output is None and (resume or not print_config):
        raise click.UsageError("missing option -o / --output; give -o DIR, the folder of the run")
    check_options(tokenizer, preset, settings, resume=resume, overwrite=overwrite)
    run = None if print_config and not resume else Path(str(output))
    start_torch(threads, needed=TRAINING)
    hide_library_bars()
    processes, start = start_processes(), load_start(from_run)
    if run is not None and processes.is_first and not print_config:
        _check_run(run, resume=resume, overwrite=overwrite)
    family = _family(run if resume else None, preset, named_settings(settings), start)
    watched = _Watched(" ".join(corpora), choice.split, validation, loggers, samples)
    if len(corpora) == 1 and is_prepared(corpora[0]):
        _refuse_samples(samples, corpora[0])
        how = (tokenizer, validation, preset, family, settings, start, processes, fail_above, print_config)
        result = train_prepared(corpora[0], run, *how, partial(_watch_prepared, watched), resume=resume)
        return None if result is None else _show_result(messages(), result, str(output))
    mixed, weights = _corpora(choice, corpora, family)
    if run and resume:
        chosen = resumed_settings(run, settings)
    else:
        chosen = continued(chosen_settings(mixed[0].info, mixed[0].columns, preset, family, settings), start, settings)
    console = messages()
    console.quiet = quiet = not processes.is_first
    processes.connect(_device(chosen))
    with processes.first_alone():
        splits = [corpus.splits(validation, chosen.settings.training.seed, dedup=dedup) for corpus in mixed]
        mixing = Mixing(mixed, splits, weights, mix_temperature, quiet or print_config, fail_above)
        data = _data(mixing, tokenizer, run, chosen, start, resume=resume, processes=processes)
    if print_config:
        return chosen.print_config()
    chosen.announce(console)
    _train(watched, str(output), mixing, data, chosen, start, console, resume=resume)


def _how_to_go_on(run: Path) -> str:
    """What to do after Ctrl-C before the first step."""
    from bpe_transformer.training.run_files.file_names import STATE

    if not (run / STATE).is_file():
        return "nothing half-written was left"
    return f"{run} holds the beginning of a run; go on with the same command and --resume"


def _refuse_samples(samples: int | None, prepared: str) -> None:
    """Raises `click.UsageError`, before the run begins, for samples of rows that have no texts."""
    if samples:
        raise click.UsageError(
            f"--samples {samples} needs texts, and {prepared} holds ids; leave it out, or name the corpus itself"
        )


def _device(chosen: ChosenSettings) -> str:
    from bpe_transformer.training.engine import find_device

    return find_device(chosen.settings.training.device).type


@dataclass(frozen=True)
class _Watched:
    """What is said of a run where it is watched and recorded, and where that is."""

    corpus: str
    split: str
    validation: str | None
    loggers: tuple[str, ...]
    samples: int | None


class _Data(NamedTuple):
    """What a run reads: rows as ids to train and to validate on, and the tokenizer."""

    train: Rows
    validation: Rows
    tokenizer: Tokenizer


def _train(
    watched: _Watched,
    output: str,
    mixing: Mixing,
    data: _Data,
    chosen: ChosenSettings,
    start: Pretrained | None,
    console: Console,
    *,
    resume: bool,
) -> None:
    from bpe_transformer.training import train_model

    columns, texts = mixing.corpora[0].columns, mixing.splits[0].validation
    result = train_model(
        *data,
        columns,
        settings=chosen.settings,
        directory=output,
        corpus=watched.corpus,
        split=watched.split,
        validation_split=watched.validation or "",
        resume=resume,
        callbacks=_callbacks(watched, columns, texts, data, chosen, console),
        initial=initial_weights(start, Path(output), console, resume=resume),
        score=decoded_score(chosen.settings, columns, texts, data.tokenizer),
    )
    _show_result(console, result, output)


def _callbacks(
    watched: _Watched,
    columns: TaskColumns,
    texts: datasets.Dataset | None,
    data: _Data,
    chosen: ChosenSettings,
    console: Console,
) -> list[Callback]:
    """The display, the loggers, and the record of what repeats the run. texts: to write samples from; None: there are none."""
    from bpe_transformer.cli.support.training.display import TrainingDisplay, sampler
    from bpe_transformer.training.loggers import RunMetrics
    from bpe_transformer.training.run_record import RunRecord, data_facts

    shown = watched.samples if watched.samples is not None else 3 if console.is_terminal else 0
    write = None
    if shown and texts is not None:
        write = sampler(shown, texts, columns, data.tokenizer, data.train.labels, chosen.settings)
    display = TrainingDisplay(console, watched.corpus, write)
    facts = data_facts(data.train, data.validation, corpus=watched.corpus, columns=columns.columns, split=watched.split)
    return [
        display,
        RunMetrics(watched.loggers, more=display.samples),
        RunRecord(facts, notes=chosen.notes, data=given_data()),
    ]


def _watch_prepared(
    watched: _Watched,
    train: TokenStore,
    validation: TokenStore,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    chosen: ChosenSettings,
) -> list[Callback]:
    """The same over prepared rows, which have no texts."""
    return _callbacks(watched, columns, None, _Data(train, validation, tokenizer), chosen, messages())


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


def _family(
    resumed: Path | None, preset: str | None, settings: Mapping[str, Setting], start: Pretrained | None
) -> str | None:
    """The family that is named, by an option or file, by the run to resume or by a preset that is for one family only."""
    from bpe_transformer.training import PRESETS, load_run_settings

    if "family" in settings:
        return str(settings["family"])
    if resumed is not None:
        return load_run_settings(resumed).family
    if start is not None:
        return start.info.settings.family
    return None if preset is None or preset in ("tiny", "small") else PRESETS[preset].family


def _check_run(run: Path, *, resume: bool, overwrite: bool) -> None:
    """Takes the folder for this command, and refuses what cannot be begun or resumed in it."""
    from bpe_transformer.training.run_files.file_names import CONFIG, STATE

    claim_output(run)
    tell_when_interrupted(partial(_how_to_go_on, run))
    if resume and not (run / STATE).exists():
        raise CheckpointError(f"{run} holds no run to resume ({STATE} is missing); leave --resume out to start one")
    stopped = (run / STATE).exists() and not (run / CONFIG).exists()
    if not resume and not overwrite and stopped and not _has_no_step(run):
        raise CheckpointError(
            f"{run} holds a run that was stopped; go on with --resume, begin anew with --overwrite, or choose another -o"
        )
    if not resume and not overwrite and (run / CONFIG).exists():
        raise CheckpointError(
            f"{run} holds a model already; go on with --resume, replace it with --overwrite, or choose another -o"
        )


def _has_no_step(run: Path) -> bool:
    """Whether the run in the folder was ended before its first save, so that nothing is lost where it is begun anew."""
    from bpe_transformer.training.state import has_begun_only

    with suppress(CheckpointError):  # a damaged one is not replaced unasked
        return has_begun_only(run)
    return False


def _data(
    mixing: Mixing,
    tokenizer: str | None,
    run: Path | None,
    chosen: ChosenSettings,
    start: Pretrained | None,
    *,
    resume: bool,
    processes: Processes,
) -> _Data:
    """The rows to train and to validate on as ids, and the tokenizer; what nobody has set is fitted to them.

    The process that writes begins the run and learns the tokenizer; the others find them there. Without a run nothing is
    written.
    """
    from bpe_transformer.training.state import begin_run, forget_begun_run, has_begun_only

    fresh = run is None or not resume or has_begun_only(run)
    names = mixing.corpora[0].columns.texts
    with progress() as bars:
        bars.disable = bars.disable or not processes.is_first
        if fresh and run is not None and processes.is_first:
            begin_run(run, chosen.settings, given=chosen.given)
        try:
            texts = mixing.texts()
            facts = fit_vocabulary_to(chosen, texts, names, learn=tokenizer is None) if fresh else None
            learn = fresh and processes.is_first
            loaded = _tokenizer(texts, names, tokenizer, run, chosen.settings, bars, start, learn=learn)
            train, validation = mixing.prepared(loaded, chosen.settings, bars)
        except BpeTransformerError:
            if run is not None and fresh and processes.is_first:
                forget_begun_run(run)
            raise
    if facts is not None:
        fit_training_to(chosen, facts, train, loaded, mixing.corpora[0].columns, alone=not processes.are_several)
    mixing.tell_batches(train, chosen.settings, loaded)
    return _Data(train, validation, loaded)


def _tokenizer(
    rows: datasets.Dataset,
    texts: tuple[str, ...],
    given: str | None,
    run: Path | None,
    settings: Settings,
    bars: ProgressBars,
    start: Pretrained | None,
    *,
    learn: bool,
) -> Tokenizer:
    """The tokenizer of --tokenizer, one learned from the rows to train on, or that of the run."""
    from bpe_transformer import Tokenizer
    from bpe_transformer.training import learn_tokenizer

    if given is not None:
        return Tokenizer.load(given)
    if run is not None and not learn:
        learned = run / "tokenizer"
        return Tokenizer.load(learned if learned.exists() else run)
    if start is not None:
        tokenizer = start.tokenizer
    else:
        tokenizer = learn_tokenizer(rows, texts, settings, progress=reporter(bars, "learning the vocabulary"))
    if run is not None:
        tokenizer.save(run / "tokenizer")
    return tokenizer


def _show_result(console: Console, result: RunResult, output: str) -> None:
    figures = f"{times(result.steps, 'step')}, {_epochs(result)}, {result.seconds / 60:.1f} min"
    loss = _loss(result)
    if result.finished:
        figures += "; it no longer got better (--patience)" if result.ended_by == "patience" else ""
        whose = "no validation yet" if loss is None else f"validation loss {loss}"
        console.print(f"trained: {figures}; {output} holds the weights of {result.chosen}: {whose}", soft_wrap=True)
    else:
        best = "no validation yet" if loss is None else f"best validation loss {loss}, of {result.chosen}"
        console.print(f"stopped: {figures}, {best}; go on with the same command and --resume", soft_wrap=True)
        sys.exit(128 + (result.signal or signal.SIGINT))


def _loss(result: RunResult) -> str | None:
    """The validation loss of the best weights; None: there was no validation."""
    if result.validation_loss is None:
        return None
    unit = "label" if any("validation_accuracy" in entry for entry in result.history) else "token"
    bits = result.validation_bits_per_byte
    return f"{result.validation_loss:.3f} nats per {unit}" + ("" if bits is None else f" ({bits:.3f} bits a byte)")


def _epochs(result: RunResult) -> str:
    """How often the corpus was gone through, with the share of the last time."""
    if not result.epoch_share:
        return times(result.epochs, "epoch")
    passes = result.epochs + result.epoch_share
    return f"{passes:.2f} epochs" if passes >= 0.095 else f"{passes:.1g} epochs"
