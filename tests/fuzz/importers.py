"""Hands any bytes to the reader of a format: what comes out is a tokenizer that works, or a FormatError.

    python tests/fuzz/importers.py tokenizer.json -max_total_time=60        # options of libFuzzer; see `make fuzz`

The tests import `attempt` and `seeds` from here and mutate the seeds themselves.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import BpeTransformerError, FormatError
from bpe_transformer.tokenizer.formats.protobuf import blob, single, varint
from bpe_transformer.tokenizer.formats.tokenizer_json import dump

TEXT = "the lower the newest, low-lower 다람쥐 헌 123 abc\n"
NAMES = {  # by format: the file that is read
    "tokenizer.json": "tokenizer.json",
    "metaspace": "tokenizer.json",
    "clip": "tokenizer.json",
    "tiktoken": "cl100k_base.tiktoken",
    "vocab.json": "vocab.json",
    "merges.txt": "merges.txt",
    "sentencepiece": "tokenizer.model",
    "subword-nmt": "my.codes",
    "nanochat": "tokenizer.pkl",
}


def attempt(directory: Path, form: str, data: bytes) -> bool:
    """Whether `data` is read as a tokenizer. Anything but a FormatError, or a tokenizer that fails, is raised."""
    path = directory / NAMES[form]
    path.write_bytes(data)
    try:
        tok = Tokenizer.from_subword_nmt(path) if form == "subword-nmt" else Tokenizer.from_file(path)
    except FormatError:
        return False
    try:
        ids = tok.encode(TEXT, allowed_special="all")
        tok.encode_batch([TEXT, "x"], disallowed_special=())
        assert all(0 <= id < tok.vocab_size for id in ids)
        tok.decode(range(tok.vocab_size))
        tok.decode(ids)
    except BpeTransformerError:
        pass  # a character outside the alphabet
    return True


def seeds() -> dict[str, bytes]:
    """A small valid file of every format."""
    byte = learn_bpe(PretokenCounts.from_iterator([TEXT], "gpt2"), 275, special_tokens=["<s>"])
    ranks = {byte.token_bytes(id): id for id in range(byte.vocab_size) if id != byte.special_tokens["<s>"]}
    document = json.loads(dump(byte.model))
    merges = [" ".join(merge) for merge in document["model"]["merges"]]
    pieces = [
        ("<unk>", 0.0, 2),
        ("<s>", 0.0, 3),
        ("▁", -9.0, 1),
        ("t", -9.0, 1),
        ("h", -9.0, 1),
        ("th", -1.0, 1),
        ("▁th", -2.0, 1),
    ]
    state = {"name": "x", "pat_str": r" ?\S+|\s", "mergeable_ranks": ranks, "special_tokens": {"<s>": 300}}
    return {
        "tokenizer.json": json.dumps(document).encode(),
        "metaspace": json.dumps(_metaspace()).encode(),
        "clip": json.dumps(_clip(document)).encode(),
        "tiktoken": b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()),
        "vocab.json": json.dumps(document["model"]["vocab"]).encode(),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]).encode(),
        "sentencepiece": b"".join(
            blob(1, blob(1, text.encode()) + single(2, score) + varint(3, kind)) for text, score, kind in pieces
        )
        + blob(2, varint(3, 2) + varint(41, 1))
        + blob(3, blob(1, b"identity") + varint(3, 1) + varint(4, 1)),
        "subword-nmt": b"#version: 0.2\nl o\nlo w</w>\nt h\nth e</w>\n",
        "nanochat": _pickled(state),
    }


def _metaspace() -> dict[str, object]:
    names = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁thelowr", "th", "the", "▁the", "lo"]
    added = [{"id": 0, "content": "<unk>", "special": True}, {"id": len(names), "content": "<x>", "normalized": True}]
    return {
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<unk>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "byte_fallback": True,
            "fuse_unk": True,
            "vocab": {name: id for id, name in enumerate(names)},
            "merges": [["t", "h"], ["th", "e"], ["▁", "the"], ["l", "o"]],
        },
    }


def _clip(byte_level: dict[str, Any]) -> dict[str, object]:
    """Many steps of all kinds over bytes, of which the last of a word are marked."""
    names = list(byte_level["model"]["vocab"])
    marked = [name + "</w>" for name in names if len(name) == 1] + ["th", "the</w>"]
    special = [{"SpecialToken": {"id": name}} for name in ("<s>", "<x>")]
    return {
        "added_tokens": [
            {"id": names.index("<s>"), "content": "<s>", "special": True, "lstrip": True},
            {"id": len(names) + len(marked), "content": "<x>", "normalized": True},
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "BertNormalizer", "strip_accents": True, "lowercase": False},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
                {"type": "Strip", "strip_left": True, "strip_right": False},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"}, "behavior": "Removed", "invert": True},
                {"type": "Punctuation", "behavior": "MergedWithPrevious"},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
                {"type": "Digits", "individual_digits": True},
            ],
        },
        "post_processor": {"type": "TemplateProcessing", "single": [*special, {"Sequence": {"id": "A"}}, special[0]]},
        "model": {
            "type": "BPE",
            "end_of_word_suffix": "</w>",
            "vocab": {name: id for id, name in enumerate([*names, *marked])},
            "merges": [["t", "h"], ["th", "e</w>"]],
        },
    }  # fmt: skip


class _Encoding:
    """Pickles as a tiktoken.Encoding does."""


def _pickled(state: dict[str, Any]) -> bytes:
    _Encoding.__module__, _Encoding.__qualname__, _Encoding.__name__ = "tiktoken.core", "Encoding", "Encoding"
    made = _Encoding()
    made.__dict__.update(state)
    module = type(sys)("tiktoken.core")
    module.Encoding = _Encoding  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in ("tiktoken", "tiktoken.core")}
    sys.modules.update({"tiktoken": type(sys)("tiktoken"), "tiktoken.core": module})
    try:
        return pickle.dumps(made, 4)
    finally:
        for name, kept in before.items():
            if kept is None:
                del sys.modules[name]
            else:
                sys.modules[name] = kept


ODD: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    10**30,
    "",
    "\ud800",
    "a" * 5000,
    [],
    {},
    [[]],
    {"type": "Sequence"},
    float("nan"),
)


def changed(document: Any, draw: Random) -> Any:
    """A JSON document with something in it lost, doubled, moved, or made something else."""
    inside = [document]
    places = []
    while inside:
        one = inside.pop()
        if isinstance(one, (dict, list)):
            keys = list(one) if isinstance(one, dict) else list(range(len(one)))
            keys = keys if len(keys) < 30 else draw.sample(keys, 30)
            places += [(one, key) for key in keys]
            inside += [one[key] for key in keys]
    if not places:
        return document
    parent, key = draw.choice(places)
    other, from_there = draw.choice(places)
    what = draw.randrange(4)
    if what == 0:
        del parent[key]
    elif what == 1:
        parent[key] = deepcopy(draw.choice(ODD))
    elif what == 2 and isinstance(parent, list):
        parent.insert(key, parent[key])
    else:
        parent[key] = deepcopy(other[from_there])
    return document


def main() -> None:
    import atheris

    form = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if form not in NAMES:
        sys.exit(f"name a format: {', '.join(NAMES)}")
    seed = seeds()[form]
    work = Path(tempfile.mkdtemp())
    for other in ("vocab.json", "merges.txt"):
        if form in ("vocab.json", "merges.txt"):
            (work / other).write_bytes(seeds()[other])
    if not attempt(work, form, seed):
        sys.exit(f"the seed of {form} is refused")
    corpus = work / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(seed)

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        """Half of the time a document that is still one: bytes alone seldom are."""
        draw = Random(number)
        if draw.random() < 0.5:
            try:
                document = json.loads(data)
                for _ in range(draw.randint(1, 3)):
                    document = changed(document, draw)
                made = json.dumps(document).encode()
                return made if len(made) <= max_size else data
            except (ValueError, RecursionError):
                pass
        mutated: bytes = atheris.Mutate(data, max_size)
        return mutated

    atheris.instrument_all()
    is_json = seed.startswith(b"{")
    found = f"{tempfile.gettempdir()}/{form}-"  # where inputs that fail are kept
    options = ["-len_control=0", f"-max_len={4 * len(seed)}", f"-artifact_prefix={found}", *sys.argv[1:]]
    run = [sys.argv[0], *options, str(corpus)]
    if is_json:
        atheris.Setup(run, lambda data: attempt(work, form, data), custom_mutator=mutate)
    else:
        atheris.Setup(run, lambda data: attempt(work, form, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
