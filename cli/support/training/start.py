"""`train --from-run`: what a run starts from besides its settings and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.cli.support.training.settings import ChosenSettings, Setting, named_settings

if TYPE_CHECKING:
    from rich.console import Console

    from bpe_transformer.training.pretrained import Pretrained
    from bpe_transformer.training.pretrained.carry_over import InitialWeights


def load_start(directory: str | None) -> Pretrained | None:
    """The run, or the folder of transformers, that --from-run names."""
    if directory is None:
        return None
    from bpe_transformer.training.pretrained import load_pretrained

    return load_pretrained(directory)


def continued(chosen: ChosenSettings, start: Pretrained | None, options: Mapping[str, Setting]) -> ChosenSettings:
    """The settings for the model to start from, whose options nothing else decides."""
    if start is None:
        return chosen
    from bpe_transformer.training.pretrained import continued_settings

    settings = continued_settings(chosen.settings, start, named_settings(options))
    return replace(chosen, settings=settings, given={*chosen.given, *settings.model.to_dict(), "vocab_size", "pattern"})


def initial_weights(start: Pretrained | None, run: Path, console: Console, *, resume: bool) -> InitialWeights | None:
    """The weights that `run` starts from; what went over is said. None where it goes on from weights of its own."""
    from bpe_transformer.training.state import has_begun_only

    if start is None or (resume and not has_begun_only(run)):
        return None
    from bpe_transformer.training.pretrained import from_run

    return from_run(start, lambda carried: console.print(str(carried), soft_wrap=True))
