"""`tokenizer.json`, the format of the `tokenizers` package, which `Tokenizer.save` writes too."""

from bpe_transformer.tokenizer.formats.tokenizer_json.file import (
    NAME,
    dump,
    from_json,
    normalizer_facts,
    read,
    read_back,
    to_json,
    token_names,
    transformers_tokenizer,
    with_facts,
    write,
)
from bpe_transformer.tokenizer.formats.tokenizer_json.vocabulary import read_vocabulary

__all__ = [
    "NAME",
    "dump",
    "from_json",
    "normalizer_facts",
    "read",
    "read_back",
    "read_vocabulary",
    "to_json",
    "token_names",
    "transformers_tokenizer",
    "with_facts",
    "write",
]
