"""What comes back from a text generator, and text while it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.options import Finish
from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Continuation:
    """What was written after a prompt.

    Attributes:
        text: it, without the prompt and without the stop string.
        num_ids: how many ids were written, the end not counted.
        finish: "ended" by itself, "limit" at max_new, "stopped" by a stop string.
        cropped: how many ids the prompt lost at its beginning.
    """

    text: str
    num_ids: int
    finish: Finish
    cropped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"text": self.text, "ids": self.num_ids, "finish": self.finish}


class TextWatcher:
    """The text of one row while its ids come: it finds stop strings, and hands on what can no longer change.

    What is handed on never ends inside a character, nor in what may be the beginning of a stop string.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str], on_text: Callable[[str], None] | None) -> None:
        self._stream = tokenizer.decode_stream(skip_special_tokens=True)
        self._stop, self._on_text = stop, on_text
        self._sent = 0
        self.text = ""

    def push(self, id: int) -> bool:
        """Takes the next id; true when the text holds a stop string, and is cut before it."""
        return self._add(self._stream.push(id))

    def finish(self) -> None:
        """Hands on what was held back."""
        if not self._add(self._stream.finish()):
            self._hand_on(len(self.text))

    def _add(self, new: str) -> bool:
        start = max(0, len(self.text) - max(map(len, self._stop), default=0))
        self.text += new
        places = [place for place in (self.text.find(stop, start) for stop in self._stop) if place >= 0]
        if places:
            self.text = self.text[: min(places)]
            self._hand_on(len(self.text))
            return True
        self._hand_on(len(self.text) - self._begun())
        return False

    def _begun(self) -> int:
        """Characters at the end that may be the beginning of a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        ends = range(min(longest, len(self.text)), 0, -1)
        return next((n for n in ends if any(stop.startswith(self.text[-n:]) for stop in self._stop)), 0)

    def _hand_on(self, end: int) -> None:
        if end > self._sent:
            if self._on_text is not None:
                self._on_text(self.text[self._sent : end])
            self._sent = end


def stop_strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    """One stop string or several. Raises `ConfigError` for an empty one, which every text holds."""
    texts = (stop,) if isinstance(stop, str) else tuple(stop)
    if isinstance(stop, str) and not stop:
        return ()
    if "" in texts:
        raise ConfigError("a stop string is empty, and every text holds that; leave it out")
    return texts
