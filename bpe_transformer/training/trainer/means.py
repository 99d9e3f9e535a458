"""Figures of a run that are smoothed over its last steps."""

from __future__ import annotations

_KEEP = 0.95  # a step counts half after about 14 more


class RunningMeans:
    """Exponential moving averages of loss, speed and waiting time."""

    def __init__(self, loss: float = 0.0, ids: float = 0.0, seconds: float = 0.0, waiting: float = 0.0) -> None:
        self._loss, self._ids, self._seconds, self._waiting = loss, ids, seconds, waiting

    def values(self) -> list[float]:
        """What makes the same means again."""
        return [self._loss, self._ids, self._seconds, self._waiting]

    def add(self, loss: float, ids: int, seconds: float, waiting: float) -> None:
        """A step: its summed loss over `ids` predictions, its time, and what of that was spent on getting batches."""
        self._loss = _KEEP * self._loss + loss
        self._ids = _KEEP * self._ids + ids
        self._seconds = _KEEP * self._seconds + seconds
        self._waiting = _KEEP * self._waiting + waiting

    @property
    def loss(self) -> float:
        """Nats a token."""
        return self._loss / max(self._ids, 1.0)

    @property
    def rate(self) -> float:
        """Ids a second."""
        return self._ids / max(self._seconds, 1e-9)

    @property
    def waiting(self) -> float:
        """The share of the time that was spent on getting batches."""
        return self._waiting / max(self._seconds, 1e-9)
