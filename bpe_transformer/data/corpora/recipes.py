"""The recipes of `bpe_transformer.corpora`: one TOML file a corpus, its name is the file's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from bpe_transformer.errors import CorpusError, FormatError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Kind = Literal["words", "text", "parallel", "labelled"]


@dataclass(frozen=True)
class CorpusInfo:
    """What a person wants to know of a corpus before using it.

    Attributes:
        columns: of the dataset; `text_columns` are those of them that hold its text.
        size, source, licence, checksum: in words; `checksum` says what the SHA-256 sums are of, or why none is.
        train: recommended training settings, as the recipe gives them; the training room reads them.
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
    close = get_close_matches(name.lower(), recipes, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"listed are {', '.join(recipes)}"
    raise CorpusError(f"no corpus is named {name!r}, and no file or folder is; {hint}")


def parse_recipe(name: str, text: str) -> Recipe:
    """
    Raises:
        FormatError: `text` is not TOML, or lacks something a recipe needs.
    """
    try:
        data = tomllib.loads(text)
        columns = tuple(data["columns"])
        splits = {split: _split(table) for split, table in data["splits"].items()}
        info = CorpusInfo(
            name=name,
            description=data["description"],
            kind=data["kind"],
            columns=columns,
            splits=tuple(splits),
            licence=data["licence"],
            size=data["size"],
            source=data["source"],
            train=data.get("train", {}),
            text_columns=tuple(data.get("text_columns", columns)),
            checksum=data["checksum"],
        )
        hub = Hub(**data["hub"]) if "hub" in data else None
        return Recipe(info, data["reader"], MappingProxyType(splits), data.get("types", {}), hub)
    except tomllib.TOMLDecodeError as problem:
        raise FormatError(f"recipe {name}: not TOML ({problem}); correct the file") from None
    except (KeyError, TypeError) as problem:
        raise FormatError(
            f"recipe {name}: {problem} is missing or wrong; compare it with corpora/recipes/multi30k.toml"
        ) from None


def _split(table: Mapping[str, Any]) -> RecipeSplit:
    low, high = table.get("span", (0.0, 1.0))
    sources = {column: RecipeFile(**file) for column, file in table.get("files", {}).items()}
    return RecipeSplit(MappingProxyType(sources), table.get("rows"), (low, high), table.get("hub"))
