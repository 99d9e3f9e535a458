"""The recipes of `bpe_transformer.corpora`: one TOML file a corpus, its name is the file's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from bpe_transformer.errors import CorpusError, FormatError
from bpe_transformer.io import Node, one_line, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Kind = Literal["words", "text", "parallel", "labelled"]
_ALIKE = 0.7  # of two names, by difflib, of which one may be meant by the other


@dataclass(frozen=True)
class CorpusInfo:
    """What a person wants to know of a corpus before using it.

    Attributes:
        columns: of the dataset; `text_columns` are those of them that hold its text.
        size, source, licence, checksum: in words; `checksum` says what the SHA-256 sums are of, or why none is.
        train: recommended training settings, as the recipe gives them; the training room reads them.
        roles: of a local table's columns, guessed from their values: text, label, id, number or empty.
    """

    name: str
    description: str
    kind: Kind
    columns: tuple[str, ...]
    splits: tuple[str, ...]
    licence: str
    size: str
    source: str
    train: Mapping[str, Any] = field(default_factory=dict)
    text_columns: tuple[str, ...] = ()
    checksum: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeFile:
    """path: below `--from DIR`, or in the package when bundled; url: upstream's, of a gzipped file if it ends in .gz;
    sha256: of the uncompressed file, None when unknown."""

    path: str
    url: str | None = None
    sha256: str | None = None
    bundled: bool = False


@dataclass(frozen=True)
class RecipeSplit:
    """files: one a column, or `table`; span: the part of a document that this split is; hub: its name there."""

    files: Mapping[str, RecipeFile]
    rows: int | None = None
    span: tuple[float, float] = (0.0, 1.0)
    hub: str | None = None


@dataclass(frozen=True)
class Hub:
    """A dataset of the Hugging Face hub; `columns` maps our column names to (flattened) ones of the hub."""

    dataset: str
    config: str | None = None
    revision: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    info: CorpusInfo
    reader: str
    splits: Mapping[str, RecipeSplit]
    types: Mapping[str, str]
    hub: Hub | None


@cache
def all_recipes() -> Mapping[str, Recipe]:
    """Every recipe by its corpus's name, sorted."""
    folder = files("bpe_transformer.corpora") / "recipes"
    found = {}
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            name = file.name.removesuffix(".toml")
            found[name] = parse_recipe(name, file.read_text(encoding="utf-8"))
    return MappingProxyType(dict(sorted(found.items())))


def list_corpora() -> list[CorpusInfo]:
    """The corpora that can be loaded by name, sorted by it."""
    return [recipe.info for recipe in all_recipes().values()]


def find_recipe(name: str) -> Recipe:
    """
    Raises:
        CorpusError: no corpus has this name; the message offers the closest names.
    """
    recipes = all_recipes()
    if name in recipes:
        return recipes[name]
    typed = name.lower()
    begun = [known for known in recipes if len(typed) > 2 and known.startswith(typed)]
    close = begun or get_close_matches(typed, recipes, n=3, cutoff=_ALIKE)
    hint = f"did you mean {' or '.join(close)}?" if close else f"listed are {', '.join(recipes)}"
    raise CorpusError(f"no corpus is named {name!r}, and no file or folder is; {hint}")


def parse_recipe(name: str, text: str) -> Recipe:
    """
    Raises:
        FormatError: `text` is not TOML, or lacks something a recipe needs.
    """
    try:
        data = Node(tomllib.loads(text))
        columns = data.texts("columns")
        kind = data.get("kind", str)
        if kind not in get_args(Kind):
            raise FormatError(f"kind is {shown(kind)}, not {' or '.join(get_args(Kind))}")
        tables = data.child("splits")
        splits = {name: _split(tables.child(name)) for name in tables.value}
        info = CorpusInfo(
            name=name,
            description=data.get("description", str),
            kind=cast(Kind, kind),
            columns=columns,
            splits=tuple(splits),
            licence=data.get("licence", str),
            size=data.get("size", str),
            source=data.get("source", str),
            train=data.get("train", dict, {}),
            text_columns=data.texts("text_columns") if "text_columns" in data.value else columns,
            checksum=data.get("checksum", str),
        )
        hub = data.optional("hub")
        return Recipe(
            info,
            data.get("reader", str),
            MappingProxyType(splits),
            _texts(data, "types"),
            None if hub is None else _hub(hub),
        )
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise FormatError(f"recipe {name}: not TOML ({one_line(problem)}); correct the file") from None
    except FormatError as problem:
        raise FormatError(f"recipe {name}: {problem}; compare it with corpora/recipes/multi30k.toml") from None


def _split(table: Node) -> RecipeSplit:
    span = table.get("span", list, [0.0, 1.0])
    if not (len(span) == 2 and all(isinstance(end, (int, float)) for end in span) and 0 <= span[0] < span[1] <= 1):
        raise FormatError(f"{table.place}.span is {shown(span)}, not two shares of a document from 0 to 1")
    files = table.optional("files")
    sources = {} if files is None else {column: _file(files.child(column)) for column in files.value}
    rows = table.number("rows", default=None)
    return RecipeSplit(MappingProxyType(sources), rows, (span[0], span[1]), table.get("hub", str, None))


def _file(table: Node) -> RecipeFile:
    _check_keys(table, RecipeFile)
    url, sha256 = table.get("url", str, None), table.get("sha256", str, None)
    return RecipeFile(table.get("path", str), url, sha256, table.get("bundled", bool, False))


def _hub(table: Node) -> Hub:
    _check_keys(table, Hub)
    config, revision = table.get("config", str, None), table.get("revision", str, None)
    return Hub(table.get("dataset", str), config, revision, _texts(table, "columns"))


def _texts(table: Node, key: str) -> Mapping[str, str]:
    found = table.optional(key)
    return {} if found is None else {name: found.get(name, str) for name in found.value}


def _check_keys(table: Node, kind: type[RecipeFile] | type[Hub]) -> None:
    known = [field.name for field in fields(kind)]
    if unknown := [key for key in table.value if key not in known]:
        raise FormatError(f"{table.place}.{unknown[0]} is not known; {', '.join(known)} are")
