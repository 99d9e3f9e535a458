"""A single string is refused wherever several are meant: its characters would be taken one by one, in silence."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, learn_bpe
from bpe_transformer.errors import BpeTransformerError

ROOMS = ("tokenizer", "data", "models", "training", "inference", "evaluation", "studies", "inspection")
SEVERAL = re.compile(r"\b(Sequence|Iterable|Iterator|Collection)\[(str|bytes|tuple\[str)\b|\b(Texts|SpecialNames)\b")
ONE_TOO = re.compile(r"(^|\| )(str|Path|PathLike)( \||$)")
TINY = learn_bpe(PretokenCounts.from_words({"low": 2}), 257)


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and method of the package, each once, with the name to show."""
    seen = set()
    for room in ("bpe_transformer", *(f"bpe_transformer.{room}" for room in ROOMS)):
        module = importlib.import_module(room)
        for name in module.__all__:
            thing = getattr(module, name)
            if not getattr(thing, "__module__", "").startswith("bpe_transformer"):
                continue
            members = inspect.getmembers(thing, inspect.isroutine) if inspect.isclass(thing) else [("", thing)]
            for member, function in members:
                plain = inspect.unwrap(getattr(function, "__func__", function))
                if not inspect.isfunction(plain) or plain in seen or (member.startswith("_") and member != "__init__"):
                    continue
                if plain.__module__.startswith("bpe_transformer"):
                    seen.add(plain)
                    yield f"{name}.{member}".rstrip("."), plain


def _cases() -> list[Any]:
    cases = []
    for name, function in _functions():
        for parameter in inspect.signature(function).parameters.values():
            annotation = str(parameter.annotation)
            if SEVERAL.search(annotation) and not ONE_TOO.search(annotation):
                cases.append(pytest.param(function, parameter.name, id=f"{name}-{parameter.name}"))
    return cases


@pytest.mark.parametrize("text", ["low", b"low"])
@pytest.mark.parametrize(("function", "name"), _cases())
def test_one_string_is_refused(function: Callable[..., Any], name: str, text: str | bytes) -> None:
    """The other arguments are of no type at all, so the refusal comes before any work."""
    parameters = inspect.signature(function).parameters.values()
    given = {p.name: object() for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    given |= {p.name: object() for p in parameters if p.default is p.empty and p.kind is p.KEYWORD_ONLY}
    given |= dict.fromkeys(("tokenizer", *(["self"] if function.__qualname__.startswith("Tokenizer.") else [])), TINY)
    given = {key: value for key, value in given.items() if key in inspect.signature(function).parameters}
    given |= {key: ["low"] for key in ("texts", "text") if key in given}  # special tokens are resolved after texts
    with pytest.raises(BpeTransformerError, match=rf"^{name}.* (one|single) (string|str|bytes)"):
        function(**{**given, name: text})


def test_there_are_many_such_parameters() -> None:
    """The test above collects by annotation; a change of style must not leave it with nothing."""
    assert len(_cases()) > 30
