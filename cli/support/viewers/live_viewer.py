"""The newest merges and some words, drawn while a vocabulary is learned: `learn --live` and `trace --live`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from bpe_transformer.inspection.history.live_learning import LiveLearning


def check_terminal(console: Console) -> None:
    """Raises `ConfigError` if `console` is not a terminal."""
    if not console.is_terminal:
        raise ConfigError(
            "--live draws in place, which needs a terminal; leave it out where output goes to a file or pipe"
        )


@contextmanager
def watching(console: Console, words: Sequence[str], pace: float = 0.0) -> Iterator[LiveLearning]:
    """Yields the `watch` of `learn_bpe`, which redraws in place on `console` and leaves the last view there.

    A thread of Rich's draws while the core learns, so that learning does not wait for pictures. Raises `ConfigError` where
    `console` is not a terminal.
    """
    from rich.live import Live

    from bpe_transformer.inspection.history.live_learning import LiveFrame, LiveLearning
    from bpe_transformer.inspection.render import render

    check_terminal(console)
    with Live(console=console, refresh_per_second=8) as live:

        def show(frame: LiveFrame) -> None:
            live.update(render(frame), refresh=bool(pace))

        view = LiveLearning(words, show, pace)
        yield view
        live.update(render(view.frame()), refresh=True)
