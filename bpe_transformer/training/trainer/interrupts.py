"""Signals during a run: what ends it does so after the running step, and SIGUSR1 saves."""

from __future__ import annotations

import signal
import threading
from typing import Any

_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """A context that notes Ctrl-C, SIGTERM, SIGHUP and SIGUSR1; a second signal that ends the run does so as usual.

    Signals that are ignored, as SIGHUP under nohup, stay ignored. Outside of the main thread, which alone may handle
    signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.stop: int | None = None  # the signal that ends the run
        self.save = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for name in (*_STOPS, "SIGUSR1"):
                number = getattr(signal, name, None)
                handler = signal.SIG_IGN if number is None else signal.getsignal(number)
                if number is not None and handler not in (signal.SIG_IGN, None):
                    self._before[number] = handler
                    signal.signal(number, self._ask_to_save if name == "SIGUSR1" else self._ask_to_stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def end(self, number: int) -> None:
        """Ends the run after this step, as the signal would."""
        self.stop = self.stop or number

    def _ask_to_stop(self, number: int, _: object) -> None:
        self.end(number)
        self._restore()

    def _ask_to_save(self, number: int, _: object) -> None:
        self.save = True

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
