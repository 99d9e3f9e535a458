"""The words of the lessons, from one file a language, with the numbers put into them."""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Figure, Step

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LANGUAGES = ("en", "ko")


@cache
def words_of(language: str) -> dict[str, Any]:
    """All texts of a language, by lesson and step. Raises `ConfigError` for a language that there is none of."""
    if language not in LANGUAGES:
        raise ConfigError(f"there are no lessons in {language!r}; choose {' or '.join(LANGUAGES)}")
    path = files("bpe_transformer.inspection.lessons") / "words" / f"{language}.toml"
    return tomllib.loads(path.read_text("utf-8"))


class Writer:
    """Writes the steps of one lesson in one language.

    A text holds fields such as `{dot:.2f}`; each is given a value here, so no number stands in the language files
    that was computed.
    """

    def __init__(self, lesson: str, language: str) -> None:
        self.lesson, self.language = lesson, language
        self._words = words_of(language)
        self._own: dict[str, Any] = self._words[lesson]

    def title(self) -> str:
        """The title of the lesson."""
        return str(self._own["title"])

    def summary(self) -> str:
        """The lesson in one line."""
        return str(self._own["summary"])

    def label(self, name: str, /, **values: Any) -> str:
        """A short text: of this lesson, or one that all share."""
        own = self._own.get("labels", {})
        return str(own[name] if name in own else self._words["labels"][name]).format(**values)

    def step(self, name: str, *figures: Figure, worked: tuple[str, ...] = (), **values: Any) -> Step:
        """The step `name` with its numbers."""
        found = self._own[name]
        paragraphs = (" ".join(lines.split()) for lines in str(found["text"]).split("\n\n"))
        text = "\n\n".join(paragraphs).format(**values)
        return Step(f"{self.lesson}.{name}", str(found["title"]).format(**values), text, worked, figures)

    def text(self, step: str, name: str) -> str:
        """Another text of a step, which is put into its main one."""
        return str(self._own[step][name])
