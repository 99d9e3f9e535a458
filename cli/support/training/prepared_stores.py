"""Prepared rows that a command line names: a folder or URL that prepare has written, or flat files of ids."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import say
from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer.store.flat_formats import FlatFormat, flat_format, read_flat, write_flat
from bpe_transformer.tokenizer.store.remote_files import filesystem_of, is_url
from bpe_transformer.tokenizer.store.store_facts import STORE, is_store

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer, TokenStore


def is_flat(name: str) -> bool:
    """Whether a name is that of a flat file of ids, which exists."""
    return flat_format(name) is not None and Path(name).is_file()


def is_remote_store(name: str) -> bool:
    """Whether a token store lies at a URL."""
    if not is_url(name):
        return False
    system, root = filesystem_of(name)
    return bool(system.exists(f"{root.rstrip('/')}/{STORE}"))


def is_prepared(name: str) -> bool:
    """Whether a name stands for prepared rows, and not for a corpus of text."""
    return is_store(name) or is_flat(name) or is_remote_store(name)


def prepared_folder(name: str, tokenizer: str | None) -> str:
    """The folder with the rows that `name` stands for, which `is_prepared`, or `name` itself.

    Flat files are read into the cache, with the tokenizer named by --tokenizer; a store at a URL is copied there.
    """
    if is_store(name):
        return name
    if is_remote_store(name):
        from bpe_transformer.data.corpora.remote_copies import local_copy

        return str(local_copy(name))
    if not is_flat(name):
        return name
    if tokenizer is None:
        raise CorpusError(f"{name} holds ids without their tokenizer; name it with --tokenizer")
    from bpe_transformer import Tokenizer

    return str(flat_store(name, Tokenizer.load(tokenizer)).path)


def flat_store(name: str, tokenizer: Tokenizer, out: str | None = None, *, overwrite: bool = False) -> TokenStore:
    """The rows of flat files in the folder `out`, or in the cache; documents end with the end-of-sequence id."""
    from bpe_transformer.data import SpecialIds
    from bpe_transformer.data.corpora.table_cache import cache_folder

    if out is None:
        state = [str(Path(name).resolve()), Path(name).stat().st_mtime_ns, tokenizer.digest]
        out = str(cache_folder() / f"flat-{hashlib.sha256(repr(state).encode()).hexdigest()[:32]}")
    eos = SpecialIds.of(tokenizer).eos
    store = read_flat(name, tokenizer, out, end_id=eos, add_end=True, keep_tokenizer=True, overwrite=overwrite)
    for note in store.ledger.notes:
        say(note)
    return store


def save_flat(store: TokenStore, output: str, format: FlatFormat, *, overwrite: bool) -> None:
    """Writes the rows of a language model as flat files named after `output`, and says so."""
    if store.task != "language-model":
        raise ConfigError(f"flat files hold one text a row, and these rows are for {store.task}; leave --format out")
    there = [path for path in Path(output).parent.glob(f"{Path(output).stem}.*") if flat_format(path) == format]
    if there and not overwrite:
        raise click.ClickException(f"{there[0]} exists; replace it with --overwrite, or name another file")
    files = write_flat(store, output, format)
    say(f"{times(len(store), 'document')}, {times(store.num_ids, 'id')} written to {' and '.join(map(str, files))}")
