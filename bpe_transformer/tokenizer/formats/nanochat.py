"""nanochat's `tokenizer.pkl`: a pickled `tiktoken.Encoding`, read without running it.

Python's unpickler would run code that the file names. This reader knows only the instructions for numbers, text, bytes,
tuples and dicts, and the name of one class, whose state it returns; it imports and calls nothing. It refuses all others.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats import ranks, tiktoken
from bpe_transformer.tokenizer.formats.checks import check_expression, read_bytes
from bpe_transformer.tokenizer.splitting.patterns import literally
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NAME = "nanochat"
_CLASS = ("tiktoken.core", "Encoding")


def read(path: str | os.PathLike[str]) -> BpeModel:
    """A model from a `tokenizer.pkl`. Raises `FormatError`."""
    state = parse(read_bytes(path))
    pattern, found, special = (state.get(key) for key in ("pat_str", "mergeable_ranks", "special_tokens"))
    if not isinstance(pattern, str) or not isinstance(found, dict) or not isinstance(special, dict):
        raise FormatError("the pickled tiktoken.Encoding lacks pat_str, mergeable_ranks or special_tokens")
    for name in special:
        if not isinstance(name, str) or not name:
            raise FormatError(f"the special token {name!r} is not text")
    check_expression(literally(pattern), "pat_str")
    return ranks.model_of(found, Pretokenizer(literally(pattern)), special)


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes a file that nanochat loads; needs the tiktoken package. Raises `FormatError`."""
    Path(path).write_bytes(pickle.dumps(tiktoken.encoding(model, "rustbpe"), protocol=4))


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads a file written for `model`; the format holds everything that it accepts."""
    return read(path)


def parse(data: bytes) -> Mapping[str, Any]:
    """The state of a pickled `tiktoken.Encoding`. Raises `FormatError` with the position."""
    machine = _Machine(data)
    try:
        state = machine.run()
    except (IndexError, KeyError, TypeError, ValueError, RecursionError, struct.error) as cause:
        if isinstance(cause, FormatError):
            raise
        raise FormatError(
            f"byte {machine.position}: not a pickled tiktoken.Encoding ({cause}); check the file"
        ) from cause
    if not isinstance(state, dict):
        raise FormatError(
            "the pickled tiktoken.Encoding holds only the name of a public vocabulary; get that one from tiktoken"
        )
    return state


class _Class:
    """Stands in for `tiktoken.Encoding` and only keeps its state."""

    state: Any = None


_MARK = object()


class _Machine:
    """The pickle machine that `pickletools` documents, restricted to plain data."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = self.take(1)
            if code == b".":
                result = self.stack.pop()
                return result.state if isinstance(result, _Class) else self.refuse("it holds no tiktoken.Encoding")
            step = _STEPS.get(code)
            if step is None:
                self.refuse(f"instruction {code!r} is not one that builds plain data")
            step(self)

    def refuse(self, why: str) -> NoReturn:
        raise FormatError(f"byte {self.position}: {why}; only a pickled tiktoken.Encoding is read, and nothing is run")

    def take(self, size: int) -> bytes:
        if size < 0 or self.position + size > len(self.data):
            raise FormatError(
                f"byte {self.position}: {size} bytes are claimed, {len(self.data) - self.position} are left"
            )
        self.position += size
        return self.data[self.position - size : self.position]

    def line(self) -> str:
        end = self.data.index(b"\n", self.position)
        return self.take(end + 1 - self.position)[:-1].decode()

    def number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0])

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """Removes and returns what was pushed after the last mark, and removes the mark."""
        found = []
        while (value := self.stack.pop()) is not _MARK:
            found.append(value)
        return found[::-1]

    def long(self, size: int) -> None:
        if size > 8:
            self.refuse(f"a number of {size} bytes is too large for an id")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            self.refuse("items are put into something other than a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, bytes):  # nested tuples are refused: hashing them may overflow the stack
                self.refuse("a key is neither text nor bytes")
            if key in target:
                self.refuse(f"{key!r} occurs twice")
            target[key] = value

    def push_class(self, name: tuple[Any, Any]) -> None:
        if name != _CLASS:
            self.refuse(f"it names {'.'.join(map(str, name))!r}, which is not tiktoken.Encoding")
        self.push(_Class)

    def new(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if kind is not _Class or arguments != ():
            self.refuse("it builds something other than an Encoding")
        self.push(_Class())

    def build(self) -> None:
        state, instance = self.stack.pop(), self.stack[-1]
        if not isinstance(instance, _Class):
            self.refuse("state is given to something other than an Encoding")
        instance.state = state

    def tuple_of(self, size: int) -> None:
        items = [self.stack.pop() for _ in range(size)]
        self.push(tuple(reversed(items)))


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push_class((module, name))


_STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    pickle.PROTO: lambda m: m.take(1),
    pickle.FRAME: lambda m: m.take(8),
    pickle.MARK: lambda m: m.push(_MARK),
    pickle.NONE: lambda m: m.push(None),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE1: lambda m: m.tuple_of(1),
    pickle.TUPLE2: lambda m: m.tuple_of(2),
    pickle.TUPLE3: lambda m: m.tuple_of(3),
    pickle.BININT: lambda m: m.push(m.number("i")),
    pickle.BININT1: lambda m: m.push(m.number("B")),
    pickle.BININT2: lambda m: m.push(m.number("H")),
    pickle.LONG1: lambda m: m.long(m.number("B")),
    pickle.SHORT_BINBYTES: lambda m: m.push(m.take(m.number("B"))),
    pickle.BINBYTES: lambda m: m.push(m.take(m.number("I"))),
    pickle.BINBYTES8: lambda m: m.push(m.take(m.number("Q"))),
    pickle.SHORT_BINUNICODE: lambda m: m.push(m.take(m.number("B")).decode()),
    pickle.BINUNICODE: lambda m: m.push(m.take(m.number("I")).decode()),
    pickle.BINUNICODE8: lambda m: m.push(m.take(m.number("Q")).decode()),
    pickle.MEMOIZE: lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    pickle.BINPUT: lambda m: m.memo.__setitem__(m.number("B"), m.stack[-1]),
    pickle.LONG_BINPUT: lambda m: m.memo.__setitem__(m.number("I"), m.stack[-1]),
    pickle.BINGET: lambda m: m.push(m.memo[m.number("B")]),
    pickle.LONG_BINGET: lambda m: m.push(m.memo[m.number("I")]),
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda m: m.set_items(m.marked()),
    pickle.GLOBAL: lambda m: m.push_class((m.line(), m.line())),
    pickle.STACK_GLOBAL: _stack_global,
    pickle.NEWOBJ: lambda m: m.new(),
    pickle.BUILD: lambda m: m.build(),
}
