"""JSON from untrusted files: limits on size and depth, and error messages with the place of a wrong value."""

from __future__ import annotations

import gc
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from bpe_transformer.errors import BpeTransformerError, DecodingError, FormatError

Value = TypeVar("Value")
_REQUIRED: Any = object()
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}
MAX_DEPTH = 64
_BLOCK = 1 << 20
_NO_FILE = "it is a pipe, a socket or a device, not a file"
MAX_NUMBER = 2**63 - 1

# what reading a value of a wrong type, size or depth raises
DAMAGE: tuple[type[Exception], ...] = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, ZeroDivisionError,
)  # fmt: skip


@dataclass(frozen=True)
class JsonLimit:
    """What a JSON file of one kind holds at most; what holds a vocabulary has another limit."""

    bytes: int
    values: int  # each takes some hundred bytes and some microseconds, however few it has in the file


# facts of one thing: the settings of a model or of a run, of which 10,000 labels are the longest
SETTINGS = JsonLimit(16 << 20, 250_000)
# an entry for each of many things: files of a store, tokens of a vocabulary, validations of a run
ENTRIES = JsonLimit(64 << 20, 2_500_000)


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
            raise FormatError(f"{self.place or 'the document'} is {shown(self.value)}, not an object")
        found = self.value.get(key)
        if found is None:
            if default is _REQUIRED:
                raise FormatError(f"{self._at(key)} is missing")
            return default  # type: ignore[no-any-return]
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is int):
            raise FormatError(f"{self._at(key)} is {shown(found)}, not {_KINDS[kind]}")
        return found

    def number(self, key: str, low: int = 0, high: int = MAX_NUMBER, default: Any = _REQUIRED) -> int:
        """The whole number under `key`, from `low` to `high`. Raises `FormatError`."""
        found = self.get(key, int, default)
        if found is not default and not low <= found <= high:
            raise FormatError(f"{self._at(key)} is {shown(found)}, not from {low} to {high}")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`. Raises `FormatError`."""
        found: list[Any] = self.get(key, list)
        for i, text in enumerate(found):
            if not isinstance(text, str):
                raise FormatError(f"{self._at(key)}[{i}] is {shown(text)}, not text")
        return tuple(found)

    def numbers(self, key: str, low: int = 0, high: int = MAX_NUMBER) -> tuple[int, ...]:
        """The list of whole numbers under `key`, each from `low` to `high`. Raises `FormatError`."""
        found: list[Any] = self.get(key, list)
        for i, number in enumerate(found):
            if type(number) is not int or not low <= number <= high:
                raise FormatError(f"{self._at(key)}[{i}] is {shown(number)}, not a whole number from {low} to {high}")
        return tuple(found)

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
                raise FormatError(f"{node.place} is {shown(node.value)}, not an object")
        return nodes

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def shown(value: object) -> str:
    """A value in a message: in quotes as Python writes it, cut after some sixty characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested deeper than it can be written, or a number of too many digits
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pauses the garbage collector, which would only slow down reading: it creates very many objects and no garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def parse_json(text: str | bytes) -> Any:
    """A JSON document in which no object has a key twice. Raises `FormatError`."""
    try:
        with garbage_collection_paused():
            return json.loads(text, object_pairs_hook=_object)
    except FormatError:
        raise
    except RecursionError:
        raise FormatError("not JSON that is read here: it is nested too deep; check the file") from None
    except ValueError as cause:
        raise FormatError(f"not JSON: {cause}; check the file") from cause


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FormatError(f"{shown(twice)} occurs twice in one object")
    return found


def check_limit(text: str | bytes, limit: JsonLimit) -> None:
    """Raises `FormatError` for JSON that holds more than `limit`, before it is parsed: 30 MB of `[],` take 2 GB and 15 s."""
    if len(text) > limit.bytes:
        raise FormatError(f"it has more than {limit.bytes:,} bytes")
    found = sum(map(text.count, ",[{")) if isinstance(text, str) else sum(map(text.count, (b",", b"[", b"{")))
    if found > limit.values:
        raise FormatError(f"it has more than {limit.values:,} values")


def parse_facts(text: str | bytes, limit: JsonLimit = ENTRIES) -> Node:
    """A JSON object of facts within `limit`, nested no deeper than `MAX_DEPTH`. Raises `FormatError`."""
    check_limit(text, limit)
    document = parse_json(text)
    _check_depth(document)
    if not isinstance(document, dict):
        raise FormatError(f"it holds {shown(document)}, not an object")
    return Node(document)


def read_facts(path: str | os.PathLike[str], limit: JsonLimit = SETTINGS) -> Node:
    """The same from a file. Raises `FormatError`, and `FileNotFoundError` if there is none."""
    return parse_facts(read_limited(path, limit.bytes), limit)


def read_within(path: str | os.PathLike[str], limit: JsonLimit) -> bytes:
    """The content of a JSON file within `limit`. Raises `FormatError`, and `FileNotFoundError` if there is none."""
    text = read_limited(path, limit.bytes)
    check_limit(text, limit)
    return text


def read_limited(path: str | os.PathLike[str], most: int, *, streams: bool = False) -> bytes:
    """The content of a file of at most `most` bytes. Raises `FormatError`, and `FileNotFoundError` if there is none.

    What is no file is refused and not waited for, a pipe or a device such as /dev/zero, unless it may be one of the `streams`.
    """
    try:
        with open(path, "rb", opener=None if streams else without_waiting) as file:
            facts = os.fstat(file.fileno())
            is_file = stat.S_ISREG(facts.st_mode)
            if not is_file and not streams:
                raise FormatError(_NO_FILE)
            if facts.st_size > most:
                raise FormatError(f"it has more than {most:,} bytes")
            if is_file:
                return file.read(facts.st_size + 1)
            data = bytearray()
            while block := file.read(_BLOCK):
                data += block
                if len(data) > most:
                    raise FormatError(f"it has more than {most:,} bytes")
            return bytes(data)
    except FileNotFoundError:
        raise
    except OSError as cause:
        raise FormatError(f"it cannot be read: {cause.strerror}") from cause


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Raises `FormatError` for a pipe, a socket or a device, which libraries would wait for, or read without an end."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise FormatError(_NO_FILE)


def without_waiting(path: str, flags: int) -> int:
    """An opener for `open` that does not wait at a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_depth(document: Any) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, (dict, list))
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise FormatError(f"it is nested too deep, more than {MAX_DEPTH} levels")


@contextmanager
def damage_named(
    path: object, remedy: str, error: type[BpeTransformerError] = FormatError, *more: type[Exception]
) -> Iterator[None]:
    """Turns what reading a damaged file raises, and the exceptions `more`, into one `error` with the file and the remedy.

    Other errors of this library pass, since they say already what is wrong; so does a file that is missing.
    """
    kinds: tuple[type[Exception], ...] = (*DAMAGE, OSError, *more)
    try:
        yield
    except FileNotFoundError:
        raise
    except (FormatError, DecodingError) as cause:
        raise error(f"{path} is damaged ({one_line(cause)}); {remedy}") from None
    except BpeTransformerError:
        raise
    except kinds as cause:
        raise error(f"{path} is damaged ({one_line(cause)}); {remedy}") from None


def one_line(problem: BaseException) -> str:
    """What an exception says, in one line of bounded length."""
    said = " ".join(str(problem).split()).rstrip(".")
    if isinstance(problem, KeyError):
        said = f"{said} is missing"
    return (said if len(said) <= 200 else said[:197] + "...") or type(problem).__name__
