"""What a token store says of itself, in `store.json`: its tokenizer, columns, shards, ledger and source."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import ENTRIES, Node, damage_named, read_facts, shown
from bpe_transformer.ledger import Ledger
from bpe_transformer.tokenizer.store.shards import ANEW, LAYOUTS, Layout, ShardFacts, shard_files

VERSION = 1
STORE = "store.json"
# files that said the same in the formats before this one
_BEFORE = {"encoded.json": "encode_files", "prepared.json": "prepare_corpus"}


@dataclass(frozen=True)
class StoreFacts:
    """The facts of a store.

    columns: of id rows, "ids", or "src_ids" and "tgt_ids". values: names of columns with one whole number a row.
    labels: the names of the numbers in the values "label".
    ends: for each column the ids that were put before and after every row, such as bos and eos.
    source: what was encoded and how, as plain JSON; a store of the same source and settings has the same facts.
    """

    digest: str
    vocab_size: int
    columns: tuple[str, ...]
    shards: tuple[ShardFacts, ...]
    ledger: Ledger
    ends: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    values: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    layout: Layout = "npy"
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of all shards."""
        return tuple(
            name for shard in self.shards for name in shard_files(shard.name, self.columns, self.values, self.layout)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "digest": self.digest,
            "vocab_size": self.vocab_size,
            "columns": list(self.columns),
            "values": list(self.values),
            "labels": list(self.labels),
            "ends": {column: [list(prefix), list(suffix)] for column, (prefix, suffix) in self.ends.items()},
            "layout": self.layout,
            "shards": [shard.to_dict() for shard in self.shards],
            "ledger": self.ledger.to_dict(),
            "source": dict(self.source),
        }

    def write(self, folder: str | os.PathLike[str]) -> None:
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n"
        (Path(folder) / STORE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> StoreFacts:
        """The facts in a folder. Raises `FormatError` where there are none, or they are damaged or of a later version."""
        path = Path(folder) / STORE
        try:
            with damage_named(path, ANEW):
                data = read_facts(path, ENTRIES)
                version = data.number("version")
        except FileNotFoundError:
            raise FormatError(missing_message(folder)) from None
        if version > VERSION:
            raise FormatError(
                f"{path} is of version {version} of the store format, and this bpe-transformer reads up to version {VERSION}; "
                f"use the version that wrote it, or {ANEW}"
            )
        with damage_named(path, ANEW):
            return cls._from_node(data)

    @classmethod
    def _from_node(cls, data: Node) -> StoreFacts:
        columns, layout = data.texts("columns"), data.get("layout", str)
        if layout not in LAYOUTS or not columns:
            raise FormatError(f"layout is {shown(layout)} with columns {shown(columns)}")
        shards = tuple(ShardFacts.from_node(shard) for shard in data.children("shards"))
        for shard in shards:
            if set(shard.ids) != set(columns):
                raise FormatError(f"shard {shard.name} has the columns {', '.join(shard.ids)}")
        ends = data.child("ends")
        return cls(
            data.get("digest", str),
            data.number("vocab_size", low=1, high=1 << 32),
            columns,
            shards,
            Ledger.from_node(data.child("ledger")),
            {column: _ends(ends, column) for column in columns},
            data.texts("values"),
            data.texts("labels"),
            layout,
            data.child("source").value,
        )


def _ends(data: Node, column: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sides: Sequence[Any] = data.get(column, list)
    if len(sides) != 2:
        raise FormatError(f"ends.{column} is {shown(sides)}, not two lists of ids")
    pair = Node({"before": sides[0], "after": sides[1]}, f"ends.{column}")
    return pair.numbers("before", high=1 << 32), pair.numbers("after", high=1 << 32)


def is_store(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a token store, damaged or not, of this version or an earlier one."""
    return any((Path(folder) / name).is_file() for name in (STORE, *_BEFORE))


def missing_message(folder: str | os.PathLike[str]) -> str:
    """What to say of a folder without `store.json`."""
    for name, command in _BEFORE.items():
        if (Path(folder) / name).is_file():
            return (
                f"{folder} was written by an earlier version, whose format is not read any more; "
                f"write it again with {command}"
            )
    return f"{folder} holds no token store ({STORE} is missing); write one with prepare_corpus or encode_files"
