"""Where a recipe's files come from: the package, a local folder, upstream's web address, or the hub."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import urllib.error
import urllib.request
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.data.corpora.recipes import Recipe, RecipeFile, RecipeSplit
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.atomic import atomic_file

if TYPE_CHECKING:
    import datasets

_TIMEOUT_SECONDS = 30


def locate(recipe: Recipe, file: RecipeFile, source_dir: Path | None) -> Path:
    """The local path of `file`, downloaded if it has to be, with its checksum verified where the recipe knows one.

    Raises:
        CorpusError: it is not there, cannot be downloaded, or is another file than the recipe means.
    """
    if file.bundled:
        path = Path(str(files("bpe_transformer.corpora") / file.path))
    elif source_dir is not None:
        path = _below(recipe, file, source_dir)
    else:
        path = _download(recipe, file)
    _verify(recipe, path, file.sha256)
    return path


def _below(recipe: Recipe, file: RecipeFile, source_dir: Path) -> Path:
    """DIR/multi30k/train.en, or DIR/train.en when DIR is the corpus's own folder."""
    if not source_dir.is_dir():
        raise CorpusError(f"{source_dir} is not a folder; source_dir=… takes the one that holds {file.path}")
    for path in (source_dir / file.path, source_dir / Path(file.path).name):
        if path.is_file():
            return path
    raise CorpusError(
        f"{source_dir} has no {file.path}, which {recipe.info.name} needs; put it there (from {recipe.info.source})"
    )


def _download(recipe: Recipe, file: RecipeFile) -> Path:
    from datasets import config

    from bpe_transformer.data.corpora.table_cache import cache_folder

    if file.url is None:
        raise CorpusError(unreachable(recipe, "it has no address to load it from"))
    place = cache_folder() / "downloads" / hashlib.sha256(file.url.encode()).hexdigest()[:16] / Path(file.path).name
    if place.exists():
        return place
    if config.HF_HUB_OFFLINE:
        raise CorpusError(unreachable(recipe, "HF_HUB_OFFLINE is set"))
    try:
        with atomic_file(place) as unfinished, urllib.request.urlopen(file.url, timeout=_TIMEOUT_SECONDS) as answer:
            content = gzip.GzipFile(fileobj=answer) if file.url.endswith(".gz") else answer
            with open(unfinished, "wb") as target:
                shutil.copyfileobj(content, target)
            _verify(recipe, unfinished, file.sha256, shown=file.url)
    except (urllib.error.URLError, TimeoutError, ConnectionError, gzip.BadGzipFile, EOFError) as problem:
        raise CorpusError(unreachable(recipe, f"{file.url}: {problem}")) from problem
    return place


def _verify(recipe: Recipe, path: Path, expected: str | None, shown: str | None = None) -> None:
    """Does nothing when the recipe knows no checksum: its `checksum` says so, and `corpora --json` shows that."""
    if expected is None:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise CorpusError(
            f"{shown or path} has SHA-256 {digest.hexdigest()}, but {recipe.info.name} means the file with {expected}; "
            f"get it anew from {recipe.info.source}, or load your own file by its path"
        )


def load_from_hub(recipe: Recipe, split: RecipeSplit) -> datasets.Dataset:
    """`split` through `datasets.load_dataset`, with the recipe's columns."""
    import datasets as hf

    hub = recipe.hub
    if hub is None or split.hub is None:
        raise CorpusError(unreachable(recipe, "the recipe names no hub dataset for this split"))
    try:
        dataset = hf.load_dataset(hub.dataset, hub.config, revision=hub.revision, split=split.hub)
    except Exception as problem:  # whatever the hub client raises, the remedy is the same
        raise CorpusError(unreachable(recipe, f"hub dataset {hub.dataset}: {problem}")) from problem
    if hub.columns:
        dataset = dataset.flatten()
        dataset = dataset.rename_columns({theirs: ours for ours, theirs in hub.columns.items()})
    missing = [column for column in recipe.info.columns if column not in dataset.column_names]
    if missing:
        raise CorpusError(
            f"hub dataset {hub.dataset} has no column {', '.join(missing)}; use local files with source_dir=…"
        )
    return dataset.select_columns(list(recipe.info.columns))


def unreachable(recipe: Recipe, cause: str) -> str:
    wanted = sorted({file.path for split in recipe.splits.values() for file in split.files.values()})
    shown = ", ".join(wanted[:4]) + (", …" if len(wanted) > 4 else "")
    return (
        f"{recipe.info.name} could not be loaded ({cause}); get its files from {recipe.info.source} and pass "
        f"the folder that holds them ({shown}) with source_dir=…"
    )
