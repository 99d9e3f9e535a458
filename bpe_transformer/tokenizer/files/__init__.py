"""Ids of files: encoding files and folders to ids on disk, and streams of ids in and out."""

from bpe_transformer.tokenizer.files.encode_files import EncodedFiles, Totals, encode_files
from bpe_transformer.tokenizer.files.file_texts import FileTexts

__all__ = ["EncodedFiles", "FileTexts", "Totals", "encode_files"]
