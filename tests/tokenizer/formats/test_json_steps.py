"""Steps of `tokenizer.json` files put together at random: a file is refused by name, or every id is that of the package."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.errors import FormatError

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, models, pre_tokenizers  # noqa: E402
from tokenizers import normalizers as package_normalizers  # noqa: E402

from tests.tokenizer.formats import test_public_shapes as shapes  # noqa: E402

BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
SPLITS = [
    *(shapes.GPT2, shapes.CL100K, shapes.QWEN2, r"\s", r"\w+", r"[\w-]+", "e", r"(?i:the|NEW)", r"[^\s]+$", r"^\S+"),
    *(r"\d{1,2}+", "▁", "(?=[A-Z])", r"\s+(?!\S)", r"\h+"),
]
NORMALIZERS: list[dict[str, Any] | Callable[[], dict[str, Any]]] = [
    *({"type": kind} for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")),
    {"type": "Strip", "strip_left": True, "strip_right": False},
    *(shapes.replace("e", "EE"), shapes.replace(" ", "▁"), shapes.replace("▁", "_"), shapes.PREPEND, shapes.BERT),
    *(shapes.replace(r"\s+", " ", string=False), shapes.replace(r"^x|\d$", "#", string=False)),
    *({"type": "Prepend", "prepend": " "}, shapes.precompiled),
]


def pre_tokenizer(draw: random.Random) -> dict[str, Any]:
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: shapes.byte_level(draw.random() < 0.3, draw.random() < 0.6),
        lambda: shapes.digits(draw.random() < 0.5),
        lambda: {"type": "Punctuation", "behavior": draw.choice(BEHAVIORS)},
        lambda: {"type": draw.choice(["Whitespace", "WhitespaceSplit", "BertPreTokenizer"])},
        lambda: {"type": "CharDelimiterSplit", "delimiter": draw.choice([" ", "e", "▁"])},
        lambda: {"type": "FixedLength", "length": draw.randint(1, 6)},
        lambda: {
            **shapes.METASPACE,
            "prepend_scheme": draw.choice(["first", "always", "never"]),
            "split": draw.random() < 0.5,
        },
        lambda: shapes.split(draw.choice(SPLITS), draw.choice(BEHAVIORS), draw.random() < 0.3),
    ]
    return draw.choice(makers)()


def row(draw: random.Random) -> shapes.Row:
    chosen = [draw.choice(NORMALIZERS) for _ in range(draw.choice([0, 0, 1, 2, 3]))]
    steps = [step() if callable(step) else step for step in chosen]
    splits = [pre_tokenizer(draw) for _ in range(draw.choice([0, 1, 1, 2, 3]))]
    by_byte = any(step["type"] == "ByteLevel" for step in splits)
    how = draw.choice(["bytes", "some bytes"]) if by_byte else draw.choice(["fallback", "characters"])
    model: dict[str, Any] = {} if how == "bytes" else {"unk_token": "<unk>", "fuse_unk": draw.random() < 0.5}
    if draw.random() < 0.15:
        model["ignore_merges"] = True
    if draw.random() < 0.15 and how == "characters":
        model["end_of_word_suffix"] = "</w>"
    flags = {flag: draw.random() < 0.2 for flag in ("lstrip", "rstrip", "single_word", "normalized")}
    tokens = [shapes.added("<mask>", True, **flags), shapes.added("<extra>", normalized=draw.random() < 0.5)]
    return {
        "norm": shapes.norm(*steps) if steps else None, "pre": shapes.pre(*splits) if splits else None,
        "train": how, "model": model, "tokens": tokens[: draw.randint(0, 2)], "decoder": None,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(24))
def test_ids_are_those_of_the_package_or_the_file_is_refused(seed: int, tmp_path: Path) -> None:
    theirs = shapes.trained(row(random.Random(seed)))
    theirs.save(str(tmp_path / "tokenizer.json"))
    try:
        ours = Tokenizer.from_file(tmp_path)
    except FormatError as refusal:
        assert "not supported" in str(refusal) or "only supported" in str(refusal)  # noqa: PT017
        return
    texts = [*shapes.TEXTS[:5], "a <s> b</s>  c", " ", "", *shapes.generated(f"steps {seed}", 25)]
    expected = [encoding.ids for encoding in theirs.encode_batch(texts, add_special_tokens=False)]
    assert ours.encode_batch(texts, allowed_special="all").tolist() == expected
    for text, ids in zip(texts, expected, strict=True):
        assert ours.encode_offsets(text, allowed_special="all")[0] == ids
    ours.export(tmp_path / "again.json")
    assert Tokenizer.from_file(tmp_path / "again.json").digest == ours.digest


# --- added tokens: which are bytes, which are white space, and all combinations of their flags ---------------------------------

CONTENTS = ["low", "er", "lower", "LOW", "<m>", " of", "  ", " ", "\n", "w", "!", "!!", "ﬁ", "e\u0301"]
ATOMS = [*CONTENTS, "ew", "s", "x", "_", "가", "\t", "\u3000", "é", "n"]


def with_bytes(*, prefix: bool = False, normalizer: Any = None) -> Any:
    """A tokenizer with a token for every byte and a few merges."""
    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("l", "o"), ("lo", "w"), ("e", "r"), ("Ġ", "low"), ("Ġ", "Ġ"), ("!", "!"), ("e", "w")]
    vocab = {name: id for id, name in enumerate([*names, *(left + right for left, right in merges)])}
    made = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    if normalizer is not None:
        made.normalizer = normalizer
    return made


@pytest.mark.parametrize("seed", range(40))
def test_flags_of_added_tokens_in_all_combinations(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    normalizer = draw.choice(
        [None, None, package_normalizers.Lowercase(), package_normalizers.NFC(), package_normalizers.Replace(" ", "_")]
    )
    theirs = with_bytes(prefix=draw.random() < 0.3, normalizer=normalizer)
    for content in draw.sample(CONTENTS, draw.randint(1, 4)):
        flags = {flag: draw.random() < 0.4 for flag in ("lstrip", "rstrip", "single_word", "normalized")}
        theirs.add_tokens([AddedToken(content, special=draw.random() < 0.3, **flags)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    try:
        ours = Tokenizer.from_file(tmp_path, verify=True)
    except FormatError as refusal:
        assert "strips white space with which another token begins" in str(refusal)  # noqa: PT017
        return
    texts = ["".join(draw.choices(ATOMS, k=draw.randint(0, 8))) for _ in range(40)]
    expected = [encoding.ids for encoding in theirs.encode_batch(texts, add_special_tokens=False)]
    assert ours.encode_batch(texts, allowed_special="all").tolist() == expected


def test_a_special_token_that_is_a_byte_is_one_of_the_alphabet(tmp_path: Path) -> None:
    """Such as the "!" with which Stable Diffusion's CLIP pads."""
    theirs = with_bytes()
    theirs.add_special_tokens(["!"])
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.from_file(tmp_path, verify=True)
    assert ours.encode("low!!", allowed_special="all") == theirs.encode("low!!").ids
    assert ours.encode("low!!", disallowed_special=()) == [ours.id_of("low"), ours.id_of("!!")]
    assert ours.decode(ours.encode("x!x", disallowed_special=())) == "x!x"
    ours.save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").encode("x!", disallowed_special=()) == [
        ours.id_of("x"),
        ours.special_tokens["!"],
    ]


def test_a_token_that_is_the_name_of_a_byte_is_refused(tmp_path: Path) -> None:
    theirs = with_bytes()
    theirs.add_tokens(["é"])
    assert theirs.encode("é").ids == theirs.encode("\u9e64").ids[:1], "that byte for the package"
    theirs.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(FormatError, match="added token 'é' has the id of byte E9"):
        Tokenizer.from_file(tmp_path)
