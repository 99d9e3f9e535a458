"""The vocabulary in a `tokenizer.json`, which the core takes out of it: names, ids and merges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bpe_transformer import _core
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.formats.merges import Columns, without_repeats
from bpe_transformer.tokenizer.vocabulary.model import Column


@dataclass(frozen=True)
class Vocabulary:
    """The names, their ids and the columns of merges of a file, taken out of it; `rest` is the file with none of them."""

    rest: bytes
    all_names: _core.Names
    id_of_each: memoryview
    columns: tuple[Column, Column, Column]

    @cached_property
    def merges(self) -> Columns:
        """The merges, (3, N)."""
        return np.stack(self.columns)

    @cached_property
    def names(self) -> list[str]:
        """The names in the order of the file."""
        return self.all_names.as_list()

    @cached_property
    def ids(self) -> dict[str, int]:
        """The ids by name."""
        return dict(zip(self.names, self.id_of_each.tolist(), strict=True))

    def in_order(self, added: Mapping[str, int]) -> bool:
        """Whether the names stand in the order of their ids, and the added tokens are among them."""
        names, size = self.all_names, len(self.all_names)
        if any(not 0 <= id < size or names[id] != text for text, id in added.items()):
            return False
        return size > 0 and self.id_of_each[0] == 0 and _core.counts_up(self.id_of_each)

    def pairs(self) -> list[list[str]]:
        """The merges as pairs of names."""
        name_of = {id: name for name, id in self.ids.items()}
        return [[name_of[left], name_of[right]] for left, right in self.merges[:2].T.tolist()]


def read_vocabulary(data: bytes) -> Vocabulary | None:
    """The vocabulary of a file in its usual form; None for any other, which `from_json` reads more slowly."""
    found = _core.read_json_vocabulary(data) if b'"merges"' in data else None
    if found is None:
        return None
    rest, names, ids, left, right, merged_ids, makes_twice = found
    columns: tuple[Column, Column, Column] = left, right, merged_ids
    if makes_twice:
        first, second, both = without_repeats(np.stack(columns), last_wins=True)
        columns = first, second, both
    return Vocabulary(rest, names, ids, columns)
