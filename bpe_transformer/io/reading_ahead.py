"""Items produced by a background thread while earlier ones are used."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar, cast

_LARGE = 16 << 20
Item = TypeVar("Item")
Entry = tuple["Item | None", "BaseException | None", bool]  # an item, or an error, or True at the end


def read_ahead(
    items: Iterable[Item], depth: int = 2, size: Callable[[Item], int] | None = None
) -> Generator[Item, None, None]:
    """The items in order, read by a background thread that is at most `depth` items ahead.

    Where `size` says that an item is large, the next one is not read before it is used.

    >>> list(read_ahead(range(3)))
    [0, 1, 2]
    """
    queue: Queue[Entry[Item]] = Queue(depth)
    stop = Event()

    def put(entry: Entry[Item]) -> None:
        while not stop.is_set():
            try:
                return queue.put(entry, timeout=0.05)
            except Full:
                pass

    def produce() -> None:
        try:
            for item in items:
                put((item, None, False))
                is_large = size is not None and size(item) > _LARGE
                del item
                while is_large and not queue.empty() and not stop.is_set():
                    time.sleep(0.002)
                if stop.is_set():
                    return
            put((None, None, True))
        except BaseException as problem:
            put((None, problem, True))

    thread = Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            item, problem, is_last = queue.get()
            if problem is not None:
                raise problem
            if is_last:
                return
            yield cast(Item, item)
    finally:
        stop.set()
        thread.join()
