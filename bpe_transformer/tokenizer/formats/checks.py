"""Reading what others wrote: every value is looked at before it is used, and a problem names its place."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Value = TypeVar("Value")
_REQUIRED: Any = object()
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}


@dataclass(frozen=True)
class Node:
    """A value of a JSON document with the path that leads to it.

    >>> Node({"model": {"type": "BPE"}}).child("model").get("type", str)
    'BPE'
    """

    value: Any
    place: str = ""

    def get(self, key: str, kind: type[Value], default: Any = _REQUIRED) -> Value:
        """The value of `key`, which has to be of `kind`; `default` where it is missing or null. Raises `FormatError`."""
        if not isinstance(self.value, dict):
            raise FormatError(f"{self.place or 'the document'} is {_shown(self.value)}, not an object")
        found = self.value.get(key)
        if found is None:
            if default is _REQUIRED:
                raise FormatError(f"{self._at(key)} is missing")
            return default  # type: ignore[no-any-return]
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is int):
            raise FormatError(f"{self._at(key)} is {_shown(found)}, not {_KINDS[kind]}")
        return found

    def child(self, key: str) -> Node:
        """The object under `key`. Raises `FormatError`."""
        return Node(self.get(key, dict), self._at(key))

    def optional(self, key: str) -> Node | None:
        """The object under `key`, None where it is missing or null."""
        return None if self.get(key, dict, None) is None else self.child(key)

    def children(self, key: str) -> list[Node]:
        """The objects of the list under `key`, which may be missing."""
        items: list[Any] = self.get(key, list, [])
        nodes = [Node(item, f"{self._at(key)}[{i}]") for i, item in enumerate(items)]
        for node in nodes:
            if not isinstance(node.value, dict):
                raise FormatError(f"{node.place} is {_shown(node.value)}, not an object")
        return nodes

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def escaped(text: str) -> str:
    """The expression that matches just `text`."""
    import regex

    return str(regex.escape(text))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of a file. Raises `FormatError`."""
    try:
        return Path(path).read_bytes()
    except OSError as cause:
        raise FormatError(f"{path} cannot be read: {cause.strerror}; give a file of a tokenizer") from cause


def read_text(path: str | os.PathLike[str]) -> str:
    """All of a UTF-8 file; line ends stay as they are. Raises `FormatError`."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as cause:
        raise FormatError(f"{path} is not UTF-8: byte {cause.start}; check the file") from cause


def parse_json(text: str | bytes) -> Any:
    """A JSON document in which no object has a key twice. Raises `FormatError`."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as cause:
        if isinstance(cause, FormatError):
            raise
        raise FormatError(f"not JSON: {cause}; check the file") from cause


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FormatError(f"{_shown(twice)} occurs twice in one object")
    return found


def check_ids(names: Mapping[Any, Any], place: str) -> int:
    """Checks the ids of names: whole numbers, no two alike, none far beyond how many there are.

    Returns the largest id + 1. Raises `FormatError`. Gaps are fine, but a claim of billions is not.
    """
    if not names:
        raise FormatError(f"{place} holds no token; check the file")
    ids = names.values()
    if set(map(type, ids)) != {int}:
        name, id = next((name, id) for name, id in names.items() if type(id) is not int)
        raise FormatError(f"{place}: the id of {_shown(name)} is {_shown(id)}, not a whole number")
    limit = largest_id(len(names))
    if min(ids) < 0 or max(ids) > limit:
        name, id = next((name, id) for name, id in names.items() if not 0 <= id <= limit)
        raise FormatError(f"{place}: the id of {_shown(name)} is {id}; {len(names)} tokens may have ids 0 to {limit}")
    if len(set(ids)) < len(names):
        owner: dict[int, Any] = {}
        name, id = next((name, id) for name, id in names.items() if owner.setdefault(id, name) != name)
        raise FormatError(f"{place}: id {id} is given to both {_shown(owner[id])} and {_shown(name)}")
    return int(max(ids)) + 1


def largest_id(tokens: int) -> int:
    """The largest id that a vocabulary of so many tokens may use: gaps are fine, a claim of billions is not."""
    return 4 * tokens + 65_536


@contextmanager
def no_collection() -> Iterator[None]:
    """Spares the garbage collector a look through the hundred thousands of objects that reading makes, none of it garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# how a person would name the facts of a model that not every format can hold, and what each is when it is not set
_FACTS: dict[str, Any] = {
    "unk_token": None,
    "end_of_word": None,
    "added_tokens": {},
    "token_flags": {},
    "byte_fallback": False,
    "fuse_unk": False,
    "ignore_merges": False,
    "space_mark": None,
    "prefix_space": "never",
    "bos_token": None,
    "eos_token": None,
    "template": None,
}
_PRETOKENIZATION = {
    **{"normalization": None, "charsmap": None, "squeeze_spaces": False},
    **dict.fromkeys(("protected", "before", "rewriting", "byte_splits", "unchanged"), ()),
}


def refuse_facts(model: BpeModel, form: str, holds: Iterable[str], remedy: str) -> None:
    """Raises `FormatError` for the first fact that is set and that the format `form` cannot hold."""
    allowed = set(holds)
    for source, facts in ((model, _FACTS), (model.pretokenizer, _PRETOKENIZATION)):
        for name, default in facts.items():
            value = getattr(source, name, default)
            if name not in allowed and (value or None) != (default or None):
                raise FormatError(f"{form} cannot hold {name}={_shown(value)}; {remedy}")
