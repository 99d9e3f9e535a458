"""Corpora as datasets: listed names by their recipes, and local files. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.data.corpora.load import corpus_info, load_corpus
    from bpe_transformer.data.corpora.reading import Reading
    from bpe_transformer.data.corpora.recipes import CorpusInfo, list_corpora
    from bpe_transformer.data.corpora.table_cache import read_stage
    from bpe_transformer.data.corpora.validation_rows import KnownRows, hold_out, load_with_validation

_HOME = {
    "CorpusInfo": "recipes",
    "KnownRows": "validation_rows",
    "Reading": "reading",
    "corpus_info": "load",
    "hold_out": "validation_rows",
    "list_corpora": "recipes",
    "load_corpus": "load",
    "load_with_validation": "validation_rows",
    "read_stage": "table_cache",
}

__all__ = [
    "CorpusInfo",
    "KnownRows",
    "Reading",
    "corpus_info",
    "hold_out",
    "list_corpora",
    "load_corpus",
    "load_with_validation",
    "read_stage",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
