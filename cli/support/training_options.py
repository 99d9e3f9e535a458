"""Options that commands over models share: settings, the corpus, its columns and rows, and the start of torch."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bpe_transformer.cli.support.console import reporter, say_ledger, tell
from bpe_transformer.cli.support.options import errors_option, source_dir_option, split_option
from bpe_transformer.cli.support.process import LOADING, check_address_space
from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.data.prepared.task_columns import TASKS, Task
from bpe_transformer.models.checked import Checked
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.training.config import FIELDS, DecodingConfig

if TYPE_CHECKING:
    import datasets
    from rich.progress import Progress as ProgressBars

    from bpe_transformer import Tokenizer
    from bpe_transformer.data import CorpusInfo, Reading, TaskColumns, TokenStore
    from bpe_transformer.data.batches import MixedStores
    from bpe_transformer.data.corpora.reading import Documents
    from bpe_transformer.data.corpora.validation_rows import Splits
    from bpe_transformer.io import Errors
    from bpe_transformer.training import Settings

    Rows = TokenStore | MixedStores

Command = TypeVar("Command", bound=Callable[..., Any])
Setting = int | float | str | bool


_TYPES: dict[str, tuple[click.ParamType[Any], str]] = {
    "int": (click.INT, "N"),
    "float": (click.FLOAT, "X"),
    "str": (click.STRING, "TEXT"),
}
# the sections of `train --help` that are settings, by their names
SETTING_GROUPS: dict[str, tuple[str, ...]] = {
    "Vocabulary, when no --tokenizer is given": ("vocab_size", "pattern"),
    "Model (which options a family has, it says itself)": (
        "family",
        *dict.fromkeys(field.name for family in FAMILIES.values() for field in fields(family.options)),
    ),
    "End of the run, whichever comes first": ("epochs", "steps", "tokens", "minutes", "patience", "patience_metric"),
    "Optimization": (
        *("max_tokens", "accumulate", "optimizer", "schedule", "lr", "warmup", "lr_floor", "decay_share"),
        *("clip_norm", "adam_beta1", "adam_beta2", "adam_eps", "momentum", "weight_decay", "ema"),
        *("label_smoothing", "r_drop", "skip_bad_steps", "seed"),
    ),
    "Segmentation": ("bpe_dropout",),
    "Language models": ("pack", "cross_documents", "mask_share", "whole_words"),
    "Classifiers": ("pool",),
    "Hardware": ("device", "precision", "compile", "shard", "activation_checkpointing"),
    "Validation": ("eval_steps", "eval_minutes", "eval_tokens", "eval_rows", "average_last"),
    "Saving": ("save_steps", "save_minutes", "snapshots"),
    "Decoding, as the model's defaults": tuple(field.name for field in fields(DecodingConfig)),
}


def start_torch(threads: int | None = None, *, needed: int = LOADING) -> None:
    """Prepares the environment for torch; call it before torch is first imported.

    OpenMP's threads spin while they wait for each other, by default so long that a training run next to any other
    busy process goes ten times slower. A short spin is as fast alone. Raises `ConfigError` where a limit leaves less than
    `needed` bytes of address space.
    """
    check_address_space(needed, threads)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def hide_library_bars() -> None:
    """Leaves out the progress bars of `datasets`, which would mix with ours, and without a terminal those of the hub too."""
    import datasets
    from huggingface_hub import utils as hub

    datasets.disable_progress_bars()
    if not sys.stderr.isatty():
        hub.disable_progress_bars()  # type: ignore[attr-defined]  # public, but not in __all__


class GroupedCommand(click.Command):
    """A command whose `--help` lists its options in sections: `groups` maps a title to names of parameters."""

    def __init__(self, *arguments: Any, groups: Mapping[str, tuple[str, ...]], **others: Any) -> None:
        super().__init__(*arguments, **others)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {param.name: param.get_help_record(ctx) for param in self.get_params(ctx)}
        for title, names in self.groups.items():
            lines = [record for name in names if (record := records.pop(name))]
            with formatter.section(title):
                formatter.write_dl(lines)
        options = {param.name for param in self.get_params(ctx) if isinstance(param, click.Option)}
        rest = [record for name, record in records.items() if record is not None and name in options]
        with formatter.section("Other options"):
            formatter.write_dl(rest)


def setting_options(*names: str) -> Callable[[Command], Command]:
    """An option for each setting (`--n-layers` for n_layers); those given arrive together as the argument `settings`."""

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def with_settings(**options: Any) -> Any:
            given = {name: options.pop(name) for name in names}
            settings: dict[str, Setting] = {name: value for name, value in given.items() if value is not None}
            return command(settings=settings, **options)

        wrapped = with_settings
        for name in reversed(names):
            wrapped = _setting_option(name)(wrapped)
        return wrapped  # type: ignore[return-value]

    return add


def _setting_option(name: str) -> Callable[[Command], Command]:
    field = FIELDS[name]
    kind, choices = str(field.type).partition(" | ")[0], field.metadata["choices"]
    flag = "--" + name.replace("_", "-")
    meaning = with_options(field.metadata["meaning"])
    text = meaning[:1].upper() + meaning[1:]
    if kind != "bool" and not choices:
        text += f" ({field.metadata['unit']})"
    text += "."
    if kind == "bool":
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if choices:
        return click.option(flag, name, type=click.Choice(choices), help=text)
    option_type, metavar = _TYPES[kind]
    return click.option(flag, name, type=option_type, metavar=metavar, help=text)


@dataclass(frozen=True)
class CorpusChoice:
    """The corpus that a command line names, with its options for the task and the columns."""

    corpus: str
    split: str
    source_dir: str | None
    errors: Errors
    task: Task | None
    src: str | None
    tgt: str | None
    column: str | None
    label: str | None
    documents: Documents | None
    recursive: bool
    no_header: bool
    names: str | None

    def info(self) -> CorpusInfo:
        """The facts of the corpus; a local table is read for them."""
        from bpe_transformer.data import corpus_info

        return corpus_info(self.corpus, self.split.partition("[")[0], errors=self.errors, reading=self.reading())

    def reading(self, task: Task | None = None) -> Reading:
        """How local files are read: a language model keeps the line breaks of its texts, so these are paragraphs."""
        from bpe_transformer.data import Reading

        names = None if self.names is None else tuple(name.strip() for name in self.names.split(","))
        return Reading(
            documents=self.documents,
            of_txt="paragraph" if task == "language-model" else "line",
            header=not self.no_header and names is None,
            columns=names,
            recursive=self.recursive,
        )

    def described(self, columns: TaskColumns, info: CorpusInfo) -> list[str]:
        """What is done with which columns, and what of the corpus is not read, in lines for a person."""
        from bpe_transformer.data.corpora import local_files

        first, *others = columns.columns
        task = {
            "translation": f"translation, {first} to {', '.join(others)}",
            "language-model": f"language model, {first}",
            "classification": f"classification, {first} by {', '.join(others)}",
        }[columns.task]
        guessed = [f"{name} {role}" for name, role in info.roles.items()]
        lines = [f"task: {task}" + (f" (by their values: {', '.join(guessed)})" if guessed else "")]
        if info.description != "local files":
            return lines
        reading = self.reading(columns.task)
        corpus = local_files.find(self.corpus, self.split.partition("[")[0], reading)
        if corpus.is_text:
            lines.append(f"documents: every {corpus.documents(reading)} is one (--documents line, paragraph or file)")
        note = local_files.unread_note(corpus)
        return lines if note is None else [*lines, with_options(note)]

    def columns(self, info: CorpusInfo, family: str | None = None) -> TaskColumns:
        """The task and its columns: those named, else those of the model family, else chosen."""
        from bpe_transformer.data import choose_columns
        from bpe_transformer.training.recipes import data_tasks

        task = self.task
        if task is None and family is not None:
            if self.label is not None:
                task = "classification"
            elif info.train.get("task") not in data_tasks(family):
                task = data_tasks(family)[0]
        return choose_columns(info, task=task, src=self.src, tgt=self.tgt, column=self.column, label=self.label)


documents_option = click.option(
    "--documents",
    type=click.Choice(["line", "paragraph", "file"]),
    help="What a row of local text is. [line; for a language model paragraph; file where the text is not .txt]",
)
reading_options: tuple[Callable[[Any], Any], ...] = (
    documents_option,
    click.option("--recursive", is_flag=True, help="Read the subfolders of a folder too."),
    click.option("--no-header", is_flag=True, help="The first line of a .csv or .tsv file is a row."),
    click.option("--columns", "names", metavar="NAME,…", help="Names of its columns where it has no header."),
)
CORPUS_OPTIONS = tuple(field.name for field in fields(CorpusChoice))


def corpus_options(split_help: str, *, several: bool = False) -> Callable[[Command], Command]:
    """The argument CORPUS and the options for its rows and columns; they arrive together as the argument `choice`.

    several: any number of CORPUS; `choice.corpus` is the first, and the argument `corpora` has all.
    """
    options: tuple[Callable[[Any], Any], ...] = (
        click.argument("corpus", nargs=-1, metavar="CORPUS...") if several else click.argument("corpus"),
        click.option("--task", type=click.Choice(TASKS), help="What to train for. [the recipe's, else by the columns]"),
        click.option("--src", metavar="COLUMN", help="Translate from this column. [the recipe's, else the first]"),
        click.option("--tgt", metavar="COLUMN", help="Translate to this column. [the recipe's, else the second]"),
        click.option("--column", metavar="COLUMN", help="Text to model or classify. [the corpus's text column]"),
        click.option("--label", metavar="COLUMN", help="Labels to learn: classification. [the recipe's, else label]"),
        source_dir_option,
        split_option(split_help),
        errors_option(),
        *reading_options,
    )

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def with_choice(**options: Any) -> Any:
            found = {name: options.pop(name) for name in CORPUS_OPTIONS}
            if several:
                options["corpora"] = found["corpus"] or tuple(_corpus_of_file())
                found["corpus"] = options["corpora"][0]
            return command(choice=CorpusChoice(**found), **options)

        wrapped: Any = with_choice
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]

    return add


def _corpus_of_file() -> Sequence[str]:
    """What the file of --config names as the corpus."""
    context = click.get_current_context()
    named: Sequence[str] = (context.default_map or {}).get("corpus") or ()
    if not named:
        parameter = next(each for each in context.command.params if each.name == "corpus")
        raise click.MissingParameter(ctx=context, param=parameter)
    return named


def preset_option(command: Command) -> Command:
    """`--preset NAME`."""
    from bpe_transformer.training.config import PRESETS

    text = "All settings at once. [the corpus's recipe, or tiny]"
    return click.option("--preset", type=click.Choice(list(PRESETS)), help=text)(command)


def beam_options(command: Command) -> Command:
    """`--beam` and `--length-penalty`, for the commands that translate."""
    beam = click.option(
        "--beam", type=click.IntRange(min=1), metavar="N", help="Beam width; 1 is greedy search. [the run's]"
    )
    penalty = click.option(
        "--length-penalty",
        type=click.FloatRange(min=0),
        metavar="X",
        help="Exponent of length normalization (GNMT); 0 is none. [the run's]",
    )
    return beam(penalty(command))


def dataclass_options(settings: type[Checked]) -> Callable[[Command], Command]:
    """An option for each field (`--n-best` for n_best); those given arrive together as the argument `options`.

    They are checked at once, before anything is loaded: `ConfigError` for a value out of range.
    """
    chosen = fields(settings)

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def with_given(**arguments: Any) -> Any:
            given = {field.name: arguments.pop(field.name) for field in chosen}
            options = {name: value for name, value in given.items() if value is not None}
            settings(**options)
            return command(options=options, **arguments)

        wrapped: Any = with_given
        for field in reversed(chosen):
            wrapped = _field_option(field)(wrapped)
        return wrapped  # type: ignore[no-any-return]

    return add


def _field_option(field: Field[Any]) -> Callable[[Any], Any]:
    kind, choices = str(field.type).partition(" | ")[0], field.metadata["choices"]
    flag = "--" + field.name.replace("_", "-")
    meaning = with_options(field.metadata["meaning"])
    default = "the run's" if field.default is None and "none:" not in meaning else field.default
    text = f"{meaning[:1].upper()}{meaning[1:]}"
    if not choices:
        text += f" ({field.metadata['unit']})"
    text += "." if default is None else f". [{default}]"
    if choices:
        return click.option(flag, field.name, type=click.Choice(choices), help=text)
    option_type, metavar = _TYPES[kind]
    return click.option(flag, field.name, type=option_type, metavar=metavar, help=text)


@dataclass(frozen=True)
class TrainingCorpus:
    """A corpus with its facts, the columns that are read of it, and its rows."""

    choice: CorpusChoice
    info: CorpusInfo
    columns: TaskColumns

    def splits(self, validation: str | None, seed: int, *, dedup: bool, more: Sequence[str] = ()) -> Splits:
        """The rows to train and to validate on. more: columns to read besides."""
        from bpe_transformer.data import load_with_validation

        choice, columns = self.choice, self.columns
        return load_with_validation(
            choice.corpus,
            choice.split,
            validation,
            source_dir=choice.source_dir,
            errors=choice.errors,
            reading=choice.reading(columns.task),
            columns=columns.columns,
            also=more,
            label=columns.columns[1] if columns.task == "classification" else None,
            documents=columns.task == "language-model",
            seed=seed,
            dedup=dedup,
        )


def with_weight(name: str) -> tuple[str, float | None]:
    """A corpus and its weight, A:0.7; None where there is none. A path that exists is no weight.

    >>> with_weight("news.txt:0.7"), with_weight("news.txt")
    (('news.txt', 0.7), ('news.txt', None))
    """
    corpus, colon, weight = name.rpartition(":")
    if not colon or not corpus or Path(name).exists():
        return name, None
    try:
        return corpus, float(weight)
    except ValueError:
        return name, None


@dataclass(frozen=True)
class Mixing:
    """One corpus or several with their rows, and how they are mixed. quiet: nothing is said.

    fail_above: the largest share of its data that a stage may lose.
    """

    corpora: Sequence[TrainingCorpus]
    splits: Sequence[Splits]
    weights: Sequence[float | None]
    temperature: float
    quiet: bool
    fail_above: float | None = None

    def texts(self) -> datasets.Dataset:
        """The texts of all training rows, under the names that the columns of the first corpus have."""
        import datasets

        from bpe_transformer.errors import ConfigError

        if len(self.corpora) == 1:
            return self.splits[0].train
        if len({corpus.columns.task for corpus in self.corpora}) > 1:
            shown = ", ".join(f"{corpus.choice.corpus}: {corpus.columns.task}" for corpus in self.corpora)
            raise ConfigError(f"corpora for different tasks cannot be mixed ({shown}); choose one with --task")
        names = self.corpora[0].columns.texts
        texts = datasets.Features(dict.fromkeys(names, datasets.Value("string")))
        parts = []
        for corpus, split in zip(self.corpora, self.splits, strict=True):
            found = split.train.select_columns(list(corpus.columns.texts))
            renamed = {old: new for old, new in zip(corpus.columns.texts, names, strict=True) if old != new}
            parts.append(found.rename_columns(renamed).cast(texts))
        return datasets.concatenate_datasets(parts)

    def prepared(self, tokenizer: Tokenizer, settings: Settings, bars: ProgressBars) -> tuple[Rows, Rows]:
        """The rows to train and to validate on as ids; the labels of the first are those of all."""
        from bpe_transformer.data import prepare_corpus
        from bpe_transformer.data.batches import MixedStores

        labels: tuple[str, ...] = ()
        stores: tuple[list[TokenStore], list[TokenStore]] = ([], [])
        for corpus, split in zip(self.corpora, self.splits, strict=True):
            if not self.quiet:
                tell((*corpus.choice.described(corpus.columns, corpus.info), *map(with_options, split.notes)))
            sides = zip(stores, ("training", "validation"), split[:2], split.ledgers, strict=True)
            for kept, name, rows, before in sides:
                how: dict[str, Any] = {"max_len": settings.model.max_len, "labels": labels, "before": before}
                report = reporter(bars, f"encoding {name} rows")
                limit = self.fail_above if name == "training" else None
                store = prepare_corpus(rows, tokenizer, corpus.columns, **how, progress=report, fail_above=limit)
                labels = store.labels
                kept.append(store)
                if not self.quiet:
                    of = "" if len(self.corpora) == 1 else f"{corpus.choice.corpus}, "
                    say_ledger(store.ledger, f"{of}{name}, ")
        if len(self.corpora) == 1:
            return stores[0][0], stores[1][0]
        given = tuple(weight for weight in self.weights if weight is not None)
        return MixedStores(tuple(stores[0]), given or None, self.temperature), MixedStores(tuple(stores[1]))

    def tell_batches(self, rows: Rows, settings: Settings, tokenizer: Tokenizer) -> None:
        """Says how many batches an epoch has, how much of them is padding, and what each corpus gives."""
        from bpe_transformer.data.batches import MixedBatches
        from bpe_transformer.training.tasks import training_source

        if self.quiet:
            return
        about = "about " if settings.training.bpe_dropout else ""  # each epoch is segmented anew, when it comes
        source = training_source(rows, settings.override({"bpe_dropout": 0.0}), tokenizer)
        waste = 100 * source.padding(0).waste
        tell([f"batches: {about}{source.num_batches(0):,} an epoch, {waste:.1f} % of their positions are padding"])
        if isinstance(source, MixedBatches):
            tell(
                f"  {corpus.choice.corpus}: {portion.batches:,} of them, {portion.epochs:.2f} times the corpus"
                for corpus, portion in zip(self.corpora, source.portions, strict=True)
            )
