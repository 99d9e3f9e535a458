"""Reading and writing files for all other packages: bytes, lines and rows, text checked as UTF-8, outputs whole or not at all."""

from bpe_transformer.io.atomic import (
    atomic_directory,
    atomic_file,
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
    Node,
    check_is_file,
    damage_named,
    one_line,
    parse_facts,
    parse_json,
    read_facts,
    read_limited,
    shown,
)
from bpe_transformer.io.locks import lock_output
from bpe_transformer.io.manifest import MANIFEST, check_files, check_manifest, write_manifest
from bpe_transformer.io.printable import code_point, printable, printable_json, printable_layout
from bpe_transformer.io.processes import end_with_parent
from bpe_transformer.io.read_ahead import read_ahead
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
    replace_invalid,
)

__all__ = [
    "BLOCK_BYTES",
    "COMPRESSIONS",
    "DEFAULT_ERRORS",
    "FORMATS",
    "MANIFEST",
    "MAX_ROW_BYTES",
    "TABLE_FORMATS",
    "TEXT_FORMATS",
    "ByteFile",
    "Errors",
    "ErrorsOrKeep",
    "Node",
    "ReadStats",
    "atomic_directory",
    "atomic_file",
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
    "invalid_utf8_message",
    "json_rows",
    "lock_output",
    "normalize_blocks",
    "one_line",
    "open_bytes",
    "parse_facts",
    "parse_json",
    "printable",
    "printable_json",
    "printable_layout",
    "read_ahead",
    "read_facts",
    "read_limited",
    "read_lines",
    "recover_directory",
    "replace_invalid",
    "row_texts",
    "shown",
    "split_documents",
    "sync",
    "sync_tree",
    "write_manifest",
]
