"""Reading and writing files for all other packages: bytes, lines and rows, text checked as UTF-8, outputs whole or not at all."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# named as the module that it is in, whose import would take its place
from bpe_transformer.io.printable import printable

if TYPE_CHECKING:
    from bpe_transformer.io.atomic import (
        atomic_directory,
        atomic_file,
        atomic_files,
        bound_directory,
        recover_directory,
        sync,
        sync_tree,
    )
    from bpe_transformer.io.byte_files import (
        BLOCK_BYTES,
        COMPRESSIONS,
        FORMATS,
        TABLE_FORMATS,
        TEXT_FORMATS,
        ByteFile,
        compression,
        file_format,
        open_bytes,
    )
    from bpe_transformer.io.json_files import (
        ENTRIES,
        SETTINGS,
        JsonLimit,
        Node,
        check_is_file,
        damage_named,
        garbage_collection_paused,
        one_line,
        parse_facts,
        parse_json,
        read_facts,
        read_limited,
        read_within,
        shown,
    )
    from bpe_transformer.io.locks import lock_output
    from bpe_transformer.io.manifest import MANIFEST, check_files, check_manifest, write_manifest
    from bpe_transformer.io.printable import code_point, printable_json, printable_layout
    from bpe_transformer.io.processes import end_with_parent
    from bpe_transformer.io.reading_ahead import read_ahead
    from bpe_transformer.io.rows import column_positions, csv_rows, json_rows, row_texts
    from bpe_transformer.io.text_files import MAX_ROW_BYTES, normalize_blocks, read_lines, split_documents
    from bpe_transformer.io.utf8 import (
        DEFAULT_ERRORS,
        Errors,
        ErrorsOrKeep,
        ReadStats,
        decode_utf8,
        encode_utf8,
        invalid_utf8_message,
        other_kind,
        replace_invalid,
    )

_HOME = {
    "BLOCK_BYTES": "byte_files",
    "ByteFile": "byte_files",
    "COMPRESSIONS": "byte_files",
    "DEFAULT_ERRORS": "utf8",
    "ENTRIES": "json_files",
    "Errors": "utf8",
    "ErrorsOrKeep": "utf8",
    "FORMATS": "byte_files",
    "MANIFEST": "manifest",
    "JsonLimit": "json_files",
    "MAX_ROW_BYTES": "text_files",
    "Node": "json_files",
    "ReadStats": "utf8",
    "SETTINGS": "json_files",
    "TABLE_FORMATS": "byte_files",
    "TEXT_FORMATS": "byte_files",
    "atomic_directory": "atomic",
    "atomic_file": "atomic",
    "atomic_files": "atomic",
    "bound_directory": "atomic",
    "check_files": "manifest",
    "check_is_file": "json_files",
    "check_manifest": "manifest",
    "code_point": "printable",
    "column_positions": "rows",
    "compression": "byte_files",
    "csv_rows": "rows",
    "damage_named": "json_files",
    "decode_utf8": "utf8",
    "encode_utf8": "utf8",
    "end_with_parent": "processes",
    "file_format": "byte_files",
    "garbage_collection_paused": "json_files",
    "invalid_utf8_message": "utf8",
    "json_rows": "rows",
    "lock_output": "locks",
    "normalize_blocks": "text_files",
    "one_line": "json_files",
    "other_kind": "utf8",
    "open_bytes": "byte_files",
    "parse_facts": "json_files",
    "parse_json": "json_files",
    "printable_json": "printable",
    "printable_layout": "printable",
    "read_ahead": "reading_ahead",
    "read_facts": "json_files",
    "read_limited": "json_files",
    "read_lines": "text_files",
    "read_within": "json_files",
    "recover_directory": "atomic",
    "replace_invalid": "utf8",
    "row_texts": "rows",
    "shown": "json_files",
    "split_documents": "text_files",
    "sync": "atomic",
    "sync_tree": "atomic",
    "write_manifest": "manifest",
}

__all__ = [
    "BLOCK_BYTES",
    "COMPRESSIONS",
    "DEFAULT_ERRORS",
    "ENTRIES",
    "FORMATS",
    "MANIFEST",
    "MAX_ROW_BYTES",
    "SETTINGS",
    "TABLE_FORMATS",
    "TEXT_FORMATS",
    "ByteFile",
    "Errors",
    "ErrorsOrKeep",
    "JsonLimit",
    "Node",
    "ReadStats",
    "atomic_directory",
    "atomic_file",
    "atomic_files",
    "bound_directory",
    "check_files",
    "check_is_file",
    "check_manifest",
    "code_point",
    "column_positions",
    "compression",
    "csv_rows",
    "damage_named",
    "decode_utf8",
    "encode_utf8",
    "end_with_parent",
    "file_format",
    "garbage_collection_paused",
    "invalid_utf8_message",
    "json_rows",
    "lock_output",
    "normalize_blocks",
    "one_line",
    "open_bytes",
    "other_kind",
    "parse_facts",
    "parse_json",
    "printable",
    "printable_json",
    "printable_layout",
    "read_ahead",
    "read_facts",
    "read_limited",
    "read_lines",
    "read_within",
    "recover_directory",
    "replace_invalid",
    "row_texts",
    "shown",
    "split_documents",
    "sync",
    "sync_tree",
    "write_manifest",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'bpe_transformer.io' has no attribute {name!r}")
    value = getattr(import_module(f"bpe_transformer.io.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function the next time
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
