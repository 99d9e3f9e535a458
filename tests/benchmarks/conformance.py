"""Encodes corpora with us and with the package that each format belongs to, and counts the documents that differ.

    python tests/benchmarks/conformance.py english.txt korean.txt --megabytes 20

Vocabularies are learned here, by us or by the package, from the first megabytes of each text; a text is cut into documents
of about 4 kB at line ends. Exits with 1 if a document differs.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

Encode = Callable[[list[str]], list[list[int]]]
SIZE = 8000


def documents(path: Path, limit: int) -> list[str]:
    text = path.read_bytes()[:limit].decode("utf-8", "ignore")
    found, start = [], 0
    size = 4000 * len(text) // max(len(text.encode()), 1)  # characters of 4 kB
    while start < len(text):
        end = text.find("\n", start + size)
        end = len(text) if end < 0 else end + 1
        found.append(text[start:end])
        start = end
    return found


def tiktoken_of(sample: list[str], work: Path, pattern: str) -> tuple[Tokenizer, Encode]:
    ours = learn_bpe(PretokenCounts.from_iterator(sample, pattern), SIZE, special_tokens=["<|endoftext|>"])
    ours.export(work / "t.tiktoken", "tiktoken")
    theirs = ours.as_tiktoken()
    read = Tokenizer.from_tiktoken(work / "t.tiktoken", pattern, ours.special_tokens)
    return read, lambda texts: theirs.encode_ordinary_batch(texts)


def tokenizers_of(sample: list[str], work: Path, kind: str) -> tuple[Tokenizer, Encode]:
    """Trained by the package, so that the merges are its own."""
    import tokenizers as package
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

    from bpe_transformer.tokenizer.splitting.patterns import expression

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind == "gpt2")
    fallback = [f"<0x{byte:02X}>" for byte in range(256)] if kind == "llama2" else []
    theirs = package.Tokenizer(models.BPE(ignore_merges=kind == "llama3", unk_token="<unk>" if fallback else None))
    alphabet = [] if fallback else pre_tokenizers.ByteLevel.alphabet()
    if kind in ("llama3", "qwen2"):
        theirs.normalizer = normalizers.NFC() if kind == "qwen2" else None
        split = pre_tokenizers.Split(Regex(expression(kind)), "isolated")
        theirs.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    elif kind == "llama2":
        theirs.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        theirs.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁]*"), "isolated")  # only to train on words
    else:
        theirs.pre_tokenizer = byte_level
    theirs.decoder = decoders.ByteLevel()
    specials = ["<unk>", *fallback] if fallback else ["<s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=specials, initial_alphabet=alphabet, limit_alphabet=1200, show_progress=False
    )
    theirs.train_from_iterator(sample, trainer)
    if fallback:
        document = json.loads(theirs.to_str())
        document["pre_tokenizer"] = None
        document["model"] |= {"byte_fallback": True, "fuse_unk": True}
        document["added_tokens"] = document["added_tokens"][:1]
        theirs = package.Tokenizer.from_str(json.dumps(document))
    theirs.save(str(work / "tokenizer.json"))
    return Tokenizer.load(work), lambda texts: [e.ids for e in theirs.encode_batch(texts, add_special_tokens=False)]


def sentencepiece_of(sample: list[str], work: Path, kind: str) -> tuple[Tokenizer, Encode]:
    import sentencepiece

    options: dict[str, Any] = {"vocab_size": SIZE}
    if kind == "llama":
        options |= {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True}
    out = io.BytesIO()
    lines: Iterator[str] = (line for text in sample for line in text.split("\n"))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=out, model_type="bpe", minloglevel=2, **options
    )
    (work / "t.model").write_bytes(out.getvalue())
    theirs = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return Tokenizer.from_sentencepiece(work / "t.model"), lambda texts: theirs.encode(texts, num_threads=1)


def subword_nmt_of(sample: list[str], work: Path, kind: str) -> tuple[Tokenizer, Encode]:
    """Texts with plain spaces only, which is what the package is for."""
    from subword_nmt.apply_bpe import BPE

    counts = PretokenCounts.from_iterator((plain(text) for text in sample), "whitespace")
    ours = learn_bpe(counts, SIZE, unit="char", end_of_word="</w>", unk_token="<unk>")
    ours.export(work / "t.codes", "subword-nmt")
    theirs = BPE(open(work / "t.codes", encoding="utf-8"), separator="")  # noqa: SIM115
    read = Tokenizer.from_subword_nmt(work / "t.codes", alphabet=(t.decode()[:1] for t in ours.model.tokens))
    ids = {surface.decode(): id for id, surface in enumerate(read.model.decoded_bytes)}
    unknown = read.special_tokens["<unk>"]

    def encode(texts: list[str]) -> list[list[int]]:
        return [
            [
                ids.get(token + " " * ends, unknown)
                for word in plain(text).split()
                for token, ends in last_marked(theirs.segment_tokens([word]))
            ]
            for text in texts
        ]

    return read, encode


def last_marked(tokens: list[str]) -> list[tuple[str, bool]]:
    return [(token, i == len(tokens) - 1) for i, token in enumerate(tokens)]


def plain(text: str) -> str:
    return " ".join(text.split())


KINDS: dict[str, tuple[Callable[[list[str], Path, str], tuple[Tokenizer, Encode]], str]] = {
    **{f"tiktoken {name}": (tiktoken_of, name) for name in ("gpt2", "cl100k", "o200k", "llama3", "qwen2")},
    **{f"tokenizers {name}": (tokenizers_of, name) for name in ("gpt2", "llama3", "qwen2", "llama2")},
    **{f"sentencepiece {name}": (sentencepiece_of, name) for name in ("llama", "defaults")},
    "subword-nmt": (subword_nmt_of, ""),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--megabytes", type=float, default=20, help="of each text (default 20)")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    arguments = parser.parse_args()
    different = 0
    for path in arguments.texts:
        texts = documents(path, int(arguments.megabytes * 1e6))
        sample = texts[: 2_000_000 // 4000]
        for kind in arguments.kinds:
            make, name = KINDS[kind]
            with tempfile.TemporaryDirectory() as work:
                ours, theirs = make(sample, Path(work), name)
                start, bad, tokens = time.perf_counter(), 0, 0
                for i in range(0, len(texts), 256):
                    batch = texts[i : i + 256]
                    # "<s>" in a text is a special token to tokenizers, and plain text to the others
                    allowed: Any = "all" if make is tokenizers_of else ()
                    mine = ours.encode_batch(batch, allowed_special=allowed, disallowed_special=()).tolist()
                    bad += sum(a != b for a, b in zip(mine, theirs(batch), strict=True))
                    tokens += sum(map(len, mine))
                seconds = time.perf_counter() - start
            different += bad
            print(
                f"{path.name:14} {kind:24} {len(texts):7,} documents {tokens:11,} ids {bad:4} differ {seconds:6.0f} s",
                flush=True,
            )
    return different > 0


if __name__ == "__main__":
    sys.exit(main())
