"""A folder of prepared rows in the place of a corpus of `train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpe_transformer.cli.support.console import messages, say_ledger, tell
from bpe_transformer.cli.support.training.prepared_stores import prepared_folder
from bpe_transformer.cli.support.training.settings import (
    ChosenSettings,
    chosen_settings,
    fit_prepared,
    resumed_settings,
)
from bpe_transformer.cli.support.training.start import continued, initial_weights
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.cli.support.training_options import Setting
    from bpe_transformer.data import CorpusInfo, TaskColumns, TokenStore
    from bpe_transformer.training import Callback, RunResult, Settings
    from bpe_transformer.training.engine import Processes
    from bpe_transformer.training.pretrained import Pretrained


def prepared_facts(path: str) -> tuple[CorpusInfo, TaskColumns, dict[str, Any]]:
    """The facts and the columns of a store, and the settings that its rows ask for."""
    from bpe_transformer.data import CorpusInfo, TokenStore, columns_of

    store = TokenStore.load(path, check="sizes")
    columns = columns_of(store)
    info = CorpusInfo(
        name=path, description="prepared rows", kind="parallel" if columns.task == "translation" else "text",
        columns=columns.columns, splits=("train",), licence="unknown", size=times(store.num_ids, "id"),
        source=path, text_columns=columns.columns, checksum="unknown",
    )  # fmt: skip
    most = store.facts.source.get("max_len")
    return info, columns, {"max_len": most} if isinstance(most, int) else {}


def prepared_rows(
    path: str, given: str | None, validation: str | None, settings: Settings, *, quiet: bool
) -> tuple[TokenStore, TokenStore, Tokenizer]:
    """The rows of a store to train and to validate on, and their tokenizer: the one that is given, or lies with them."""
    from bpe_transformer import Tokenizer
    from bpe_transformer.data import TokenStore, load_stores

    kept = TokenStore.load(path, check="sizes").tokenizer_path
    if given is None and kept is None:
        raise CorpusError(f"{path} holds ids without their tokenizer; name it with --tokenizer")
    tokenizer = Tokenizer.load(given or str(kept))
    train, held_out, note = load_stores(path, tokenizer, validation, seed=settings.training.seed)
    if not quiet:
        tell([note])
        say_ledger(train.ledger, "training, ")
    return train, held_out, tokenizer


def train_prepared(
    path: str,
    run: Path | None,
    tokenizer: str | None,
    validation: str | None,
    preset: str | None,
    family: str | None,
    settings: Mapping[str, Setting],
    start: Pretrained | None,
    processes: Processes,
    fail_above: float | None,
    print_config: bool,
    watch: Callable[[TokenStore, TokenStore, Tokenizer, TaskColumns, ChosenSettings], Sequence[Callback]],
    *,
    resume: bool,
) -> RunResult | None:
    """Trains on rows that prepare, or encode --file, has written. watch: what receives the figures of the run.

    print_config: the settings are printed instead; `run` may then be None.
    """
    from bpe_transformer.tokenizer.store import StoreFacts
    from bpe_transformer.training import train_model
    from bpe_transformer.training.engine import find_device
    from bpe_transformer.training.state import begin_run, has_begun_only

    given = tokenizer or (str(run) if resume else None)
    folder = prepared_folder(path, given)
    validation = None if validation is None else prepared_folder(validation, given)
    info, columns, asked = prepared_facts(folder)
    StoreFacts.read(folder).ledger.check(fail_above)
    if run and resume:
        chosen = resumed_settings(run, settings)
    else:
        fresh = chosen_settings(info, columns, preset, family, {**(asked if start is None else {}), **settings})
        chosen = continued(fresh, start, settings)
    quiet = print_config or not processes.is_first
    processes.connect(find_device(chosen.settings.training.device).type)
    with processes.first_alone():
        data = prepared_rows(folder, tokenizer, validation, chosen.settings, quiet=quiet)
        begins = run is None or not resume or has_begun_only(run)
        if run is not None and begins and not quiet:
            begin_run(run, chosen.settings, given=chosen.given)
    if begins:
        fit_prepared(chosen, data[0], data[2], columns, alone=not processes.are_several)
    if run is None or print_config:
        chosen.print_config()
        return None
    if not quiet:
        chosen.announce(messages())
    initial = initial_weights(start, run, messages(), resume=resume)
    return train_model(
        *data,
        columns,
        settings=chosen.settings,
        directory=run,
        corpus=path,
        resume=resume,
        initial=initial,
        callbacks=watch(*data, columns, chosen),
    )
