"""Ids on disk: the token store, one format for whatever encodes text, and the flat formats that others hold."""

from bpe_transformer.tokenizer.store.flat_formats import FLAT_FORMATS, FlatFormat, flat_format, read_flat, write_flat
from bpe_transformer.tokenizer.store.shard_writer import ShardWriter
from bpe_transformer.tokenizer.store.shards import Layout, ShardFacts, id_dtype
from bpe_transformer.tokenizer.store.store_facts import StoreFacts
from bpe_transformer.tokenizer.store.token_store import StoreColumn, TokenStore

__all__ = [
    "FLAT_FORMATS",
    "FlatFormat",
    "Layout",
    "ShardFacts",
    "ShardWriter",
    "StoreColumn",
    "StoreFacts",
    "TokenStore",
    "flat_format",
    "id_dtype",
    "read_flat",
    "write_flat",
]
