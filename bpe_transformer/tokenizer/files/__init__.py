"""Ids of files: encoding files and folders to token stores, and streams of ids in and out."""

from bpe_transformer.tokenizer.files.encode_files import FileOptions, FileUnits, encode_files
from bpe_transformer.tokenizer.files.file_texts import FileTexts

__all__ = ["FileOptions", "FileTexts", "FileUnits", "encode_files"]
