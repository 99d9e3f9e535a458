"""Files at URLs that fsspec knows (s3://, gs://, hdfs://, memory://, file://), copied into the cache to be read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from bpe_transformer.data.corpora.table_cache import cache_folder
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import atomic_directory
from bpe_transformer.tokenizer.store.remote_files import filesystem_of


def local_copy(url: str) -> Path:
    """The file or folder at a URL, as a path on this machine; copied again only when it has changed there.

    Raises `CorpusError` where there is nothing.
    """
    system, root = filesystem_of(url)
    root = root.rstrip("/")
    if system.isfile(root):
        names, above = [root], root.rpartition("/")[0]
    elif system.isdir(root):
        names, above = sorted(name for name in system.find(root) if not _is_hidden(name, root)), root
    else:
        raise CorpusError(f"{url} is neither a file nor a folder; check the URL")
    states = [[name, int(system.size(name)), _changed(system, name)] for name in names]
    key = hashlib.sha256(json.dumps([url, states]).encode()).hexdigest()[:32]
    place = cache_folder() / "remote" / key
    if not place.is_dir():
        with atomic_directory(place) as folder:
            for name in names:
                target = folder / name[len(above) :].lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(name, str(target))
    return place / os.path.basename(root) if system.isfile(root) else place


def _is_hidden(name: str, root: str) -> bool:
    return any(part.startswith(".") for part in name[len(root) :].split("/"))


def _changed(system: Any, name: str) -> str:
    """What the file system says of the file's state."""
    try:
        return str(system.ukey(name))
    except (NotImplementedError, AttributeError):
        return str(system.modified(name))
