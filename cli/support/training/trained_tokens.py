"""`vocab --run`: the tokens of a trained model, on the corpus of its run or on texts that are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import output, print_json, progress, reporter
from bpe_transformer.cli.support.text_input import file_text, literal_text
from bpe_transformer.cli.support.training.run_rows import run_rows

if TYPE_CHECKING:
    from bpe_transformer.io import Errors

TRAINED_SORTS = ("undertrained", "loss", "pays", "costs", "seen")
# options of vocab that ask what a model does not tell
_OF_TOKENIZERS = ("prefix", "contains", "script", "chars", "used", "only", "special", "reverse")


def refuse_other_options(given: dict[str, Any]) -> None:
    """Raises `click.UsageError` for an option that says nothing about a trained model."""
    wrong = [name for name in _OF_TOKENIZERS if given[name] not in (None, False)]
    if wrong:
        raise click.UsageError(
            f"--{wrong[0].replace('_', '-')} chooses tokens of a tokenizer, not of --run; sort with --sort and cut with --limit"
        )


def show_trained_tokens(
    run: str,
    *,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    source_dir: str | None,
    split: str,
    sort: str,
    limit: int | None,
    errors: Errors,
    as_json: bool,
    width: int | None,
) -> None:
    """Prints what training made of each token of the model in `run`."""
    console = None if as_json else output(width)
    from bpe_transformer.cli.support.training_options import hide_library_bars, start_torch

    start_torch()
    hide_library_bars()
    from bpe_transformer.inspection.vocabulary import trained_tokens
    from bpe_transformer.training import load_checkpoint_info

    info = load_checkpoint_info(run)
    seen_in, held_out = run_rows(run, info, split, source_dir, errors)
    measured: Iterable[tuple[str, ...]] = held_out
    if files or texts:
        if info.task == "translation":
            raise click.UsageError(
                f"the model reads pairs of {' and '.join(info.columns)}, which --file and --text do not hold; leave them out, "
                "and the validation rows of its corpus are measured"
            )
        given = [*(file_text(path, errors) for path in files), *(literal_text(text, errors) for text in texts)]
        measured = [(text.whole(),) for text in given]
    with progress() as bars:
        found = trained_tokens(
            run,
            measured,
            seen_in=seen_in,
            sort=sort,  # type: ignore[arg-type]  # one of the choices
            limit=limit,
            progress=reporter(bars, "measuring losses"),
        )
    if console is None:
        print_json(found.as_dict())
    else:
        console.print(found)
