"""Protection of existing outputs: none is replaced by something else unless `--overwrite` is given.

Made again from the same input, an output has the same bytes (a vocabulary: the same digest). That changes nothing, so it
is no reason to refuse; a command can be typed twice.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.io.atomic import atomic_directory, atomic_file
from bpe_transformer.io.locks import lock_output
from bpe_transformer.io.printable import times
from bpe_transformer.io.workspaces import workspace

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


def claim_output(output: str | os.PathLike[str]) -> None:
    """Takes an output for this command until it ends, before any work is done.

    Raises `OSError` if nothing can be written there, `OutputLockedError` while another command writes it.
    """
    output = Path(output)
    place = next(parent for parent in output.absolute().parents if parent.exists())
    if not place.is_dir():
        raise NotADirectoryError(f"{output} cannot be written: {place} is not a folder; choose another place with -o")
    if not os.access(place, os.W_OK) and not (output.is_dir() and os.access(output, os.W_OK)):
        raise PermissionError(f"{output} cannot be written: {place} is read-only; choose another place with -o")
    if output.is_file() or output.is_dir() or not os.path.lexists(output):  # a device or a pipe is nobody's
        click.get_current_context().with_resource(lock_output(output))


def refuse_existing(output: str | os.PathLike[str], *, overwrite: bool, holds: str = "") -> None:
    """Raises `FileExistsError` if there is something at `output`: a file, or a folder with anything in it.

    For commands that cannot tell whether they would write the same again. `holds` says what is there.
    """
    output = Path(output)
    if not overwrite and (output.is_file() or (output.is_dir() and any(output.iterdir()))):
        raise _refusal(output, holds)


@contextmanager
def replacing(output: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yields the path to write `output` to, a file or a folder of files, and moves it into place when the block ends.

    Raises `FileExistsError`, and leaves everything as it was, if a file there would become another one.
    """
    output = Path(output)
    if overwrite or not (output.is_file() or output.is_dir()):  # a device is written to as it is
        yield output
        return
    with workspace(Path(os.path.realpath(output))) as folder:
        written = folder / output.name
        yield written
        files = [written] if written.is_file() else sorted(file for file in written.rglob("*") if file.is_file())
        for file in files:
            old = output / file.relative_to(written)
            if old.exists() and not filecmp.cmp(file, old, shallow=False):
                raise _refusal(old, "something else")
        if not all((output / file.relative_to(written)).exists() for file in files):
            with atomic_directory(output) as new:
                shutil.copytree(written, new, dirs_exist_ok=True)


def _holds_tokenizer(output: str | os.PathLike[str]) -> bool:
    from bpe_transformer.tokenizer.formats import SAVED_FILES

    return any(Path(output, name).exists() for name in SAVED_FILES)


def write_picture(output: str | os.PathLike[str], picture: str, *, overwrite: bool) -> None:
    """Writes a text as a file, whole or not at all. Raises `FileExistsError` as `replacing`."""
    with replacing(output, overwrite=overwrite) as path, atomic_file(path) as new:
        new.write_text(picture, encoding="utf-8")


def check_vocab_size(output: str | os.PathLike[str], vocab_size: int, *, overwrite: bool) -> None:
    """Raises `FileExistsError`, before anything is learned, if `output` holds a larger vocabulary than this."""
    from bpe_transformer.errors import BpeTransformerError

    if overwrite or not _holds_tokenizer(output):
        return
    try:
        size = _load(output).vocab_size
    except BpeTransformerError:
        return refuse_existing(output, overwrite=False, holds="a tokenizer.json that cannot be read")
    if size > vocab_size:
        raise _refusal(Path(output), f"a vocabulary of {size:,}")


def save_tokenizer(tokenizer: Tokenizer, output: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Saves a tokenizer in the folder `output`. Raises `FileExistsError` if that holds a tokenizer with another digest."""
    from bpe_transformer.errors import BpeTransformerError

    if not overwrite and _holds_tokenizer(output):
        try:
            old = _load(output)
        except BpeTransformerError:
            raise _refusal(Path(output), "a tokenizer.json that cannot be read") from None
        if old.digest != tokenizer.digest:
            raise _refusal(
                Path(output), f"another vocabulary ({times(old.vocab_size, 'id')}, digest {old.digest[:12]})"
            )
    tokenizer.save(output)


def _load(output: str | os.PathLike[str]) -> Tokenizer:
    from bpe_transformer import Tokenizer

    return Tokenizer.load(output)


def _refusal(output: Path, holds: str = "") -> FileExistsError:
    what = f"holds {holds}" if holds else "exists"
    return FileExistsError(
        f"{output} {what} already, and nothing was written; replace it with --overwrite, or choose another -o"
    )
