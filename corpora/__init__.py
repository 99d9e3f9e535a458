"""Bundled corpora and generators (written by us) and the recipes of public ones; `bpe_transformer.data` reads them."""
