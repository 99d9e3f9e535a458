"""The settings of `train`: preset, recipe, configuration file and options in that order, and what is fitted to the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import write_data

if TYPE_CHECKING:
    import datasets
    from rich.console import Console

    from bpe_transformer import Tokenizer
    from bpe_transformer.data import CorpusInfo, TaskColumns, TokenStore
    from bpe_transformer.training import Settings
    from bpe_transformer.training.config.config_file import ConfigFile
    from bpe_transformer.training.config.fitting import Fitted, TrainingData
    from bpe_transformer.training.tasks import Rows

Setting = int | float | str | bool
_PARAMETERS = {"from": "source_dir", "columns": "names"}  # of options that are called otherwise
_FILE = "bpe_transformer.config_file"


def config_option(command: Any) -> Any:
    """`--config FILE` and `--print-config`; what the file says of data are the defaults of the options of that name."""
    printed = click.option(
        "--print-config", is_flag=True, help="Print all settings, as they would be, as such a file, and end."
    )
    config = click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="Settings from this TOML file; options go before it.",
    )
    return config(printed(command))


def _read_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    from bpe_transformer.training.config.config_file import read_config_file

    file = read_config_file(value)
    ctx.meta[_FILE] = file
    defaults = {_PARAMETERS.get(name, name): said for name, said in file.others.items()}
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


@dataclass
class ChosenSettings:
    """Settings, which of them somebody has given, and the notes on those that were fitted."""

    settings: Settings
    given: set[str]
    notes: dict[str, str] = field(default_factory=dict)

    def fit(self, fitted: list[Fitted]) -> None:
        """Takes what was fitted."""
        self.settings = self.settings.override({one.name: one.value for one in fitted})
        self.notes |= {one.name: one.why for one in fitted}

    def announce(self, console: Console) -> None:
        """Says what was fitted, and why; nothing where nothing was."""
        if not self.notes:
            return
        values = {**self.settings.training.to_dict(), **self.settings.model.to_dict()}
        console.print("fitted to the data, where no option, file or recipe says otherwise:")
        for name, why in self.notes.items():
            value = f"{values[name]:,}" if isinstance(values[name], int) else values[name]
            console.print(f"  --{name.replace('_', '-')} {value}  ({why})", soft_wrap=True)

    def print_config(self) -> None:
        """Writes all settings to standard output, as a file that `--config` reads."""
        from bpe_transformer.training.config.config_file import settings_toml

        write_data(settings_toml(self.settings, notes=self.notes, data=given_data()).encode())


def given_data() -> dict[str, Any]:
    """What the command line or the file of --config says of the data: the table [data] of a file that says it again."""
    from bpe_transformer.training.config.config_file import DATA_TYPES

    context = click.get_current_context()
    found: dict[str, Any] = {}
    for name in DATA_TYPES:
        parameter = _PARAMETERS.get(name, name)
        value = context.params.get(parameter)
        unset = context.get_parameter_source(parameter) is click.core.ParameterSource.DEFAULT
        if value not in (None, False, ()) and not unset:
            found[name] = list(value) if isinstance(value, tuple) else value
    if "corpus" not in found and "corpus" in (context.default_map or {}):
        found["corpus"] = list(context.default_map["corpus"])  # type: ignore[index]
    return found


def config_file() -> ConfigFile | None:
    """The file of `--config`."""
    found: ConfigFile | None = click.get_current_context().meta.get(_FILE)
    return found


def named_settings(options: Mapping[str, Setting]) -> dict[str, Any]:
    """The settings that the configuration file and the options name, the latter first."""
    file = config_file()
    return {**(file.values if file else {}), **options}


def check_options(
    tokenizer: str | None, preset: str | None, options: Mapping[str, Setting], *, resume: bool, overwrite: bool
) -> None:
    """Raises `click.UsageError` for options that contradict each other, all of them at once."""
    problems = []
    if tokenizer is not None:
        problems += [
            f"--{name.replace('_', '-')} {options[name]} has no effect beside --tokenizer {tokenizer}, which is learned already"
            for name in ("vocab_size", "pattern")
            if name in options
        ]
    context = click.get_current_context()
    if resume:
        typed = click.core.ParameterSource.COMMANDLINE
        problems += ["--overwrite begins anew and --resume goes on"] if overwrite else []
        problems += [
            f"--{name} belongs to the beginning of a run, which --resume goes on with"
            for name in ("preset",)
            if context.get_parameter_source(name) is typed and preset is not None
        ]
    if problems:
        raise click.UsageError("; ".join(problems) + "; leave one of them out")


def chosen_settings(
    info: CorpusInfo, columns: TaskColumns, preset: str | None, family: str | None, options: Mapping[str, Setting]
) -> ChosenSettings:
    """The settings of a new run before anything is fitted."""
    from bpe_transformer.training import Settings, recommended_settings
    from bpe_transformer.training.config.config_file import overridden
    from bpe_transformer.training.config.fitting import preset_fields
    from bpe_transformer.training.recipes import recipe_fields

    base = recommended_settings(info, columns.task, preset, family)
    given = preset_fields(Settings.preset(preset)) if preset else recipe_fields(info, columns.task, base.family)
    file = config_file()
    settings = (overridden(base, file) if file else base).override(options)
    return ChosenSettings(settings, given | set(named_settings(options)))


def resumed_settings(run: Path, options: Mapping[str, Setting]) -> ChosenSettings:
    """The settings of the run to resume; what ends it is changed by itself, not together as in `override`.

    Where the run was ended before it had fitted what nobody has set, that is fitted now as it would have been.
    """
    from bpe_transformer.training import load_run_settings
    from bpe_transformer.training.state import given_settings

    saved = load_run_settings(run)
    given = given_settings(run)
    settings = saved.override({**saved.training.ends(), **named_settings(options)})
    return ChosenSettings(
        settings, set(settings.training.to_dict()) | {"dropout"} if given is None else {*given, *options}
    )


def fit_vocabulary_to(
    chosen: ChosenSettings, rows: datasets.Dataset, texts: tuple[str, ...], *, learn: bool
) -> TrainingData:
    """Fits the vocabulary, if one is learned, to the texts in these columns; returns what is known of the data."""
    from bpe_transformer.training.config.fitting import TrainingData, fit_vocabulary

    data = TrainingData(len(rows), _num_bytes(rows, texts))
    if learn:
        chosen.fit(fit_vocabulary(data, chosen.given))
    return data


def fit_training_to(
    chosen: ChosenSettings, data: TrainingData, rows: Rows, tokenizer: Tokenizer, columns: TaskColumns, *, alone: bool
) -> None:
    """Fits everything else, now that there are ids. alone: one process; several cannot each measure the speed."""
    from bpe_transformer.training.config.fitting import fit_training
    from bpe_transformer.training.run_record import stores_of

    pairs = rows.task == "translation"
    lengths = [store.lengths for store in stores_of(rows)]
    ids = sum(int(each.max(axis=1).sum()) if pairs else int(each.sum()) for each in lengths)
    data = replace(data, num_ids=ids, task=rows.task)
    training = chosen.settings.training
    if alone and training.epochs is None and training.steps is None and training.tokens is None:
        data = _with_speed(chosen, data, rows, tokenizer, columns)
    chosen.fit(fit_training(chosen.settings, data, chosen.given))


def _with_speed(
    chosen: ChosenSettings, data: TrainingData, rows: Rows, tokenizer: Tokenizer, columns: TaskColumns
) -> TrainingData:
    """The data with the speed of this machine, measured with the smallest batch and then with the one that it asks for."""
    from bpe_transformer.training.config.fitting import first_trial, fit_training, ids_per_second
    from bpe_transformer.training.speed import seconds_per_step

    assert data.num_ids is not None
    trial = first_trial(chosen.settings, data, chosen.given)
    for _ in range(2):
        seconds = seconds_per_step(trial, rows, tokenizer, columns)
        data = replace(data, ids_per_second=ids_per_second(trial, data.num_ids, seconds))
        fitted = fit_training(chosen.settings, data, chosen.given)
        found = chosen.settings.override({one.name: one.value for one in fitted})
        if found.training.max_tokens == trial.training.max_tokens:
            break
        trial = found
    return data


def fit_prepared(
    chosen: ChosenSettings, rows: TokenStore, tokenizer: Tokenizer, columns: TaskColumns, *, alone: bool
) -> None:
    """Fits everything but the vocabulary to prepared rows, whose texts are not there: by their number, bytes and ids."""
    from bpe_transformer.training.config.fitting import TrainingData

    fit_training_to(chosen, TrainingData(len(rows), rows.ledger.kept.bytes), rows, tokenizer, columns, alone=alone)


def _num_bytes(rows: datasets.Dataset, columns: tuple[str, ...]) -> int:
    """UTF-8 bytes of the texts in these columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for batch in rows.select_columns(list(columns)).with_format("arrow").iter(10_000):
        for column in batch.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                total += int(pc.sum(pc.binary_length(column)).as_py() or 0)
    return total
