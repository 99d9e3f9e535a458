"""`bpe-transformer train`: from a corpus to a trained model, resumable at any time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import messages, progress
from bpe_transformer.cli.support.training_options import (
    counter,
    given_settings,
    quiet_datasets,
    setting_options,
    sides,
    start_torch,
)
from bpe_transformer.training.config import FIELDS, PRESETS, TASKS, Settings

if TYPE_CHECKING:
    import datasets
    from rich.console import Console

    from bpe_transformer import Tokenizer
    from bpe_transformer.data import CorpusInfo, Prepared
    from bpe_transformer.training import Progress, RunResult

# keys of a recipe's [train] that are no settings
_PLAN_KEYS = ("task", "preset", "src", "tgt", "column", "validation", "metric")


@click.command(
    epilog="""\b
Examples:
  bpe-transformer train numbers-en-ko -o runs/numbers
  bpe-transformer train multi30k --from data -o runs/multi30k --src en --tgt de
  bpe-transformer train python-stdlib -o runs/python --minutes 5
  bpe-transformer train multi30k --from data -o runs/multi30k --resume
"""
)
@click.argument("corpus")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="Folder of the run.")
@click.option("--tokenizer", "tokenizer_dir", metavar="DIR", help="What learn has written. [learned, in RUN/tokenizer]")
@click.option("--task", type=click.Choice(TASKS), help="[translation for parallel corpora, else language-model]")
@click.option("--src", help="Column to translate from. [the recipe's, else the first]")
@click.option("--tgt", help="Column to translate to. [the recipe's, else the second]")
@click.option("--column", help="Column of a language model's text. [the corpus's text column]")
@click.option("--from", "source_dir", metavar="DIR", help="Folder with the files of a public corpus.")
@click.option("--split", default="train", show_default=True, help="Split to train on, or a share: train[:1000].")
@click.option("--validation", metavar="SPLIT", help="Split to validate on. [validation, else a twentieth is held out]")
@click.option("--errors", type=click.Choice(["strict", "replace"]), default="strict", help="What to do with bad UTF-8.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="All settings at once. [the corpus's recipe, or tiny]")
@click.option("--resume", is_flag=True, help="Go on where the run in the folder stopped.")
@click.option("--overwrite", is_flag=True, help="Replace the model that the folder holds.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads. [all cores]")
@setting_options(*FIELDS)
def command(corpus: str, output: str, tokenizer_dir: str | None, resume: bool, overwrite: bool, **options: Any) -> None:
    """Train a translation or language model on CORPUS.

    CORPUS is a listed name (see the corpora command), a local file or folder, or parallel files "a.en.txt,a.ko.txt".
    Settings come from the preset, then from the corpus's recipe (unless --preset is given), then from the options.
    Ctrl-C stops after the running step; --resume goes on, with the settings of the run.
    """
    start_torch(options["threads"])
    quiet_datasets()
    from bpe_transformer.data import corpus_info

    run = Path(output)
    console = messages()
    _check_place(run, resume=resume, overwrite=overwrite)
    info = corpus_info(corpus, options["split"].partition("[")[0])
    plan = _plan(info, options, _saved_settings(run) if resume else None)
    columns = [plan.src, plan.tgt] if plan.task == "translation" else [plan.column]
    with progress() as display:
        train, validation = _load(corpus, info, options)
        tokenizer = _tokenizer(train, columns, tokenizer_dir, run, plan.settings, display, resume=resume)
        prepared = _prepare(train, tokenizer, plan), _prepare(validation, tokenizer, plan)
    for name, rows in zip(("training", "validation"), prepared, strict=True):
        _tell_ledger(console, name, rows)
    outcome = _train(prepared, tokenizer, plan, run, corpus, resume, console)
    _tell_outcome(console, outcome, output)
    if not outcome.finished:
        sys.exit(130)


@dataclass(frozen=True)
class _Plan:
    task: str
    src: str
    tgt: str
    column: str
    settings: Settings


def _plan(info: CorpusInfo, options: Mapping[str, Any], saved: Settings | None) -> _Plan:
    """What to do: the corpus's recipe under the options, or the saved settings of a run under them."""
    recipe = dict(info.train)
    task = options["task"] or recipe.get("task") or ("translation" if info.kind == "parallel" else "language-model")
    if task != recipe.get("task", task):
        recipe = {}
    chosen = {key: options[key] or recipe.get(key) for key in ("src", "tgt", "column")}
    settings = saved
    if settings is None:
        settings = Settings.preset(options["preset"] or recipe.get("preset", "tiny"))
        if not options["preset"]:
            settings = settings.override({key: value for key, value in recipe.items() if key not in _PLAN_KEYS})
    settings = settings.override(given_settings(options))
    src, tgt = sides(info, chosen["src"], chosen["tgt"]) if task == "translation" else ("", "")
    column = chosen["column"] or (info.text_columns[0] if info.text_columns else "text")
    return _Plan(task, src, tgt, column, settings)


def _check_place(run: Path, *, resume: bool, overwrite: bool) -> None:
    from bpe_transformer.errors import CheckpointError
    from bpe_transformer.training.checkpoint import CONFIG, STATE

    if resume and not (run / STATE).exists():
        raise CheckpointError(f"{run} holds no run to resume ({STATE} is missing); leave --resume out to start one")
    if not resume and not overwrite and (run / CONFIG).exists():
        raise CheckpointError(
            f"{run} holds a model already; go on with --resume, replace it with --overwrite, or choose another -o"
        )


def _saved_settings(run: Path) -> Settings:
    from bpe_transformer.training.checkpoint import STATE, load_state

    return Settings.from_dict(load_state(run / STATE)[1]["card"]["settings"])


def _load(corpus: str, info: CorpusInfo, options: Mapping[str, Any]) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The rows to train on and to validate on."""
    from bpe_transformer.data import load_corpus
    from bpe_transformer.errors import CorpusError

    errors: Literal["strict", "replace"] = options["errors"]
    train = load_corpus(corpus, options["split"], source_dir=options["source_dir"], errors=errors)
    validation = options["validation"] or ("validation" if "validation" in info.splits else None)
    if validation is not None:
        return train, load_corpus(corpus, validation, source_dir=options["source_dir"], errors=errors)
    held_out = max(1, min(1000, len(train) // 20))
    if len(train) < 2:
        raise CorpusError(f"{corpus} has {len(train)} rows, too few to hold one out; name a --validation split")
    return train.select(range(len(train) - held_out)), train.select(range(len(train) - held_out, len(train)))


def _tokenizer(
    train: datasets.Dataset,
    columns: list[str],
    given: str | None,
    run: Path,
    settings: Settings,
    display: Any,
    *,
    resume: bool,
) -> Tokenizer:
    """The tokenizer given, that of the run to resume, or one learned from the rows to train on."""
    from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
    from bpe_transformer.data import SPECIAL_TOKENS
    from bpe_transformer.errors import CorpusError

    own = run / "tokenizer"
    if given is not None:
        return Tokenizer.load(given)
    if resume:
        return Tokenizer.load(own if own.exists() else run)
    missing = [column for column in columns if column not in train.column_names]
    if missing:
        raise CorpusError(f"the corpus has no column {missing[0]!r}; its columns are {', '.join(train.column_names)}")
    texts = (text for column in columns for text in train[column] if text)
    counts = PretokenCounts.from_iterator(texts, pattern=settings.training.pattern)
    tokenizer = learn_bpe(
        counts,
        vocab_size=settings.training.vocab_size,
        special_tokens=SPECIAL_TOKENS,
        progress=counter(display, "learning the vocabulary"),
    )
    tokenizer.save(own)
    return tokenizer


def _prepare(rows: datasets.Dataset, tokenizer: Tokenizer, plan: _Plan) -> Prepared:
    from bpe_transformer.data import prepare_language_model, prepare_translation

    if plan.task == "language-model":
        return prepare_language_model(rows, tokenizer, column=plan.column)
    return prepare_translation(rows, tokenizer, src=plan.src, tgt=plan.tgt, max_len=plan.settings.model.max_len)


def _train(
    prepared: tuple[Prepared, Prepared],
    tokenizer: Tokenizer,
    plan: _Plan,
    run: Path,
    corpus: str,
    resume: bool,
    console: Console,
) -> RunResult:
    from bpe_transformer.training import train_language_model, train_translation

    with _bar(console) as report:
        if plan.task == "translation":
            return train_translation(
                *prepared,
                tokenizer,
                settings=plan.settings,
                directory=run,
                src=plan.src,
                tgt=plan.tgt,
                corpus=corpus,
                resume=resume,
                progress=report,
            )
        return train_language_model(
            *prepared,
            tokenizer,
            settings=plan.settings,
            directory=run,
            column=plan.column,
            corpus=corpus,
            resume=resume,
            progress=report,
        )


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
                display.console.print(
                    f"step {now.step:,}  epoch {now.epoch}  {now.seconds / 60:.1f} min  loss {now.loss:.3f}  "
                    f"validation {now.validation_loss:.3f}  {now.ids_per_second:,.0f} ids/s",
                    soft_wrap=True,
                )

        yield report


def _tell_ledger(console: Console, name: str, rows: Prepared) -> None:
    account = [
        f"{row.examples:,} rows ({row.bytes:,} bytes) {row.outcome}{f': {row.reason}' if row.reason else ''}"
        for row in rows.ledger.rows()
        if row.stage == "encode"
    ]
    console.print(f"{name}: {', '.join(account)}", markup=False)


def _tell_outcome(console: Console, outcome: RunResult, output: str) -> None:
    loss = "none yet" if outcome.validation_loss is None else f"{outcome.validation_loss:.3f} nats an id"
    account = (
        f"{outcome.steps:,} steps, {outcome.epochs} epochs, {outcome.seconds / 60:.1f} min, validation loss {loss}"
    )
    if outcome.finished:
        console.print(
            f"trained: {account}; {output} holds the weights of {outcome.chosen}", markup=False, soft_wrap=True
        )
    else:
        console.print(f"stopped: {account}; go on with the same command and --resume", markup=False, soft_wrap=True)
