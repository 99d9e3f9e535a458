"""Translation of the library's messages: the names of Python parameters become options of the command line."""

from __future__ import annotations

import re
import shlex

# The option for a parameter; most are spelled alike, `vocab_size` and `--vocab-size`.
_OTHER_OPTIONS = {
    "source_dir": "--from",
    "group": "--only",
    "tokenize": "--bleu-tokenizer",
    "references": "--reference",
    "num_threads": "--threads",
    "special_tokens": "--special",
    "transition": "--superwords",
    "add_bos": "--bos",
    "add_eos": "--eos",
    "text": "--text",
    "threshold": "--vocabulary-threshold",
}
_SAME_OPTIONS = """
alphabet_order axis byte_fallback character_coverage documents end_of_word errors format kind max_len max_memory max_new min_count
max_row_bytes max_word_bytes
min_frequency max_token_bytes normalization overwrite pattern preset protected_tokens required_characters split temperature unit
sizes unk_token vocab_size weight src tgt column label task layer metric validation resume columns dedup recursive
cluster limit sort long run text target q k v n_best no_repeat_ngram repetition_penalty unknowns num_samples min_p
"""
OPTIONS = {**{name: "--" + name.replace("_", "-") for name in _SAME_OPTIONS.split()}, **_OTHER_OPTIONS}

# Facts of a vocabulary or a batch that no option sets; they are written as words.
_FACTS = frozenset(
    [
        "block_len",
        "bos_token",
        "cache_bytes",
        "eos_token",
        "fuse_unk",
        "max_tokens",
        "prefix_space",
        "space_mark",
        "token_flags",
    ]
)

# Remedies that differ on the command line: (pattern of the message, replacement).
_PHRASES = (
    (r"pass disallowed_special=\(\) or a set without it", "pass --special-as-text"),
    (
        r"leave it out of disallowed_special to encode it as plain text",
        "pass --special-as-text to take it as plain text",
    ),
    (r"corpora=…|corpus=\[ChunkedText\.file\(path\)\]", "--file FILE"),
    (r"allowed_special=\{('[^']*'|\"[^\"]*\")\}", r"--allow-special \1"),
    (r"go on learning with learn_bpe\([^)]*\)", "go on learning with learn --base"),
    (r", as pattern=…", ", as FILE:PATTERN"),
    (r"\bsource_dir=… takes", "--from takes"),
    (r"(?<!\()\bsource_dir=…", "--from DIR"),
    (r"\bcolumns=…", "--columns NAME,NAME"),
    (r"\b(minutes|steps|target|text)=…", r"--\1"),
    (r"\bprepare_corpus or encode_files\b", "prepare or encode --file"),
    (r"\bwrite it again with encode_files\b", "write it again with encode --file"),
    (r"\bwrite it again with prepare_corpus\b", "write it again with prepare"),
    (r"FIELDS of bpe_transformer\.training\.config lists the settings", "train --help lists the settings"),
    (r", or take (the )?bytes with decode_bytes", ""),
    (r"read it with PretokenCounts.load or add_counts", "name it as a corpus of learn or count"),
    (r"\bfail_above\b", "--fail-above"),
    (r"header=False", "--no-header"),
    (r"read the codes without threshold", "import the codes without --vocabulary-threshold"),
    (r"name a folder for its ids with out=…", "name a folder for its ids with -o"),
    (r"use to_dataset\(\), or save it first", "save it first"),
    (r"convert it with save_pretrained\([^)]*\), where you trust it", "convert it to safetensors where you trust it"),
    (r"split='([^']*)'", r"--split '\1'"),
    (r"learn it with roles=\{'(\w+)': '([^']*)'\}", r"learn it with --\1 '\2'"),
)
_VALUE = r"\"[^\"]*\"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|\([^)]*\)|\d+(?:,\d{3})*(?:\.\d+)?|[^\s,;:)]+"


def with_options(message: str) -> str:
    """`message` with options of the command line instead of Python parameters.

    >>> with_options("vocab_size=100 is too small")
    '--vocab-size 100 is too small'
    >>> with_options('convert the file, or go on with errors="replace"')
    'convert the file, or go on with --errors replace'
    """
    for pattern, written in _PHRASES:
        message = re.sub(pattern, written, message)
    message = re.sub(
        rf"\b[a-z_]+=(?:{_VALUE}) \((--[^()]+)\)", r"\1", message
    )  # both are named: errors="…" (--errors …)
    message = re.sub(r"(--[a-z-]+(?: [A-Z]+)?) \([a-z_]+=(?:[^()]|\([^()]*\))*\)", r"\1", message)
    message = re.sub(rf"(?<![\w./=-])([a-z]+(?:_[a-z0-9]+)*)=({_VALUE})", _assignment, message)
    # what stands directly after the name of a JSON file, or has an index, is a field of the file
    return re.sub(r"(?<![\w./'\"-])(?<!\.json: )([a-z]+(?:_[a-z0-9]+)+)(?![\w./'\"(=\[-])", _bare, message)


def _assignment(found: re.Match[str]) -> str:
    name, value = found.groups()
    option = _option(name)
    if option is None:
        return f"{name.replace('_', ' ')} {value}" if name in _FACTS else found[0]
    if value == "True":
        return option
    if value in ("False", "None", "[]", "()"):
        return f"no {option}"
    return f"{option} {_as_typed(value)}"


def _bare(found: re.Match[str]) -> str:
    return _option(found[1]) or found[0]


def _option(name: str) -> str | None:
    if name in OPTIONS:
        return OPTIONS[name]
    from bpe_transformer.training.config import FIELDS

    return "--" + name.replace("_", "-") if name in FIELDS else None


def _as_typed(value: str) -> str:
    """A Python value as it is typed in a shell."""
    if value.startswith("["):
        return " ".join(_as_typed(item.strip()) for item in value[1:-1].split(","))
    return shlex.quote(value[1:-1]) if value[0] in "'\"" else value
