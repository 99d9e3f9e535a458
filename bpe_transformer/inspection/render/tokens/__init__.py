"""Tokenized texts in colour, and summaries of files."""
