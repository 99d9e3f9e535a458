"""Files that are not on this machine: URLs and the fsspec file systems behind them."""

from __future__ import annotations

import os
from typing import Any

from bpe_transformer.errors import CorpusError


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL, such as s3://bucket/key.

    >>> is_url("memory://corpus/a.txt"), is_url("corpus/a.txt")
    (True, False)
    """
    return "://" in os.fspath(path)


def filesystem_of(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises `CorpusError` where there is none."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except (ValueError, ImportError) as cause:
        raise CorpusError(
            f"{url} cannot be opened: {cause}; install what fsspec needs for it, or check the URL"
        ) from None
