"""The core's stages, put together at random, give the ids and offsets of the same stages in plain Python."""

from __future__ import annotations

import base64
import io
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.encoding import reference
from bpe_transformer.tokenizer.encoding.special_tokens import FLAGS
from bpe_transformer.tokenizer.formats.sentencepiece import parse
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

WORDS = ["low lower newest widest", "Low ÉTÉ été 한국어 ﬁne", "▁low▁lower x<a>y  \t\n İ Å e\u0301 ½"]
SNIPPETS = [
    *("low", "lower", "er", " ", "  ", "\n", "\t ", "▁", "▁▁", "x", "X", "É", "e\u0301", "\u0301", "ﬁ", "한", "국", "½", "İ"),
    *("<a>", "<b> ", "<s>", "</s>", "b", "ab", "abab", "1", "12345", "!", "'s", "ΑΣ", "\u00a0", "👩‍👧", "\r\n", "न्दी", "\u0600a"),
]  # fmt: skip
TOKENS = ["<a>", "<b> ", "low", "er", "ab", " x", "▁low", "É", "lo", "1", "e\u0301", "<s>x"]
STEPS: list[tuple[str, ...]] = [
    ("NFC",), ("NFD",), ("NFKC",), ("NFKD",), ("lowercase",), ("nmt",), ("prepend", "▁"), ("prepend", "x"),
    ("replace", " ", "▁"), ("replace", r"\s+", " "), ("replace", r"\A\s+|\s+\z", ""), ("replace", r"\p{Mn}", ""),
    ("replace", "e", "EE"), ("replace", r"(a)b\1b", "#"), ("replace", "(?=l)", "_"), ("replace", "b?", "-"),
    ("bert", "clean_text handle_chinese_chars strip_accents lowercase"),
]  # fmt: skip
PATTERNS = [
    *("gpt2", "cl100k", "o200k", "whitespace", "metaspace", "none", "superword"),
    *(r"\w+|\s|[^\w\s]+", r"(?:(\w)\1|.)", patterns.keeping(r"\S+"), patterns.dropping(r"\s")),
]
BEFORE = [r"\d", "[가-힣]+", patterns.dropping(" "), r"(\w)\1", patterns.keeping(r"[^\n]+")]


@pytest.fixture(scope="module")
def models() -> list[BpeModel]:
    """Vocabularies of bytes, and of characters with an unknown token, also with marks of spaces or of the ends of words."""
    options: list[dict[str, Any]] = [
        {"unit": "byte"},
        {"unit": "byte", "ignore_merges": True},
        {"unit": "char", "unk_token": "<unk>"},
        {"unit": "char", "unk_token": "<unk>", "fuse_unk": True, "space_mark": "▁"},
        {"unit": "char", "unk_token": "<unk>", "end_of_word": "</w>"},
        {"unit": "char", "byte_fallback": True},
        {"unit": "char", "byte_fallback": True, "space_mark": "▁"},
    ]
    found = []
    for option in options:
        facts = {name: option.pop(name) for name in ("ignore_merges", "fuse_unk", "space_mark") if name in option}
        names = ["<s>", "</s>", *(["<unk>"] if "unk_token" in option else [])]
        counts = PretokenCounts.from_iterator(WORDS, "whitespace")
        model = learn_bpe(counts, 400, special_tokens=names, **option).model
        found.append(replace(model, bos_token="<s>", eos_token="</s>", **facts))
    return found


@pytest.fixture(scope="module")
def charsmap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A map of SentencePiece's, with strings that begin others, become nothing, a space or several characters."""
    spm = pytest.importorskip("sentencepiece")
    rules = {"low": "x x", "lo": "L", "ab": " ", "\u0301": "", "e\u0301": "é", "ﬁ": "fi", "\t": " ", "국": "e\u0301"}
    lines = [" ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in rules[key]) for key in rules]
    file, model = tmp_path_factory.mktemp("rules") / "rules.tsv", io.BytesIO()
    file.write_text("\n".join(lines) + "\n")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["low lower newest"]), model_writer=model, vocab_size=16, model_type="bpe",
        normalization_rule_tsv=str(file), minloglevel=2,
    )  # fmt: skip
    return base64.b64encode(parse(model.getvalue()).charsmap).decode()


def some_model(draw: random.Random, models: list[BpeModel], charsmap: str) -> BpeModel:
    """A vocabulary with stages before its merges that are drawn at random."""
    model = draw.choice(models)
    facts: dict[str, Any] = {"pattern": draw.choice(PATTERNS)}
    match draw.randrange(5):
        case 0:
            facts["normalization"] = draw.choice(["NFC", "NFD", "NFKC", "NFKD"])
        case 1:
            steps = [*STEPS, *[("precompiled", charsmap)] * 4]
            facts["rewriting"] = tuple(draw.choice(steps) for _ in range(draw.randint(1, 3)))
        case 2 | 3 if draw.random() < 0.6:
            facts |= {"squeeze_spaces": True, "unchanged": tuple(draw.sample(["▁▁", "ab"], draw.randint(0, 2)))}
            facts |= draw.choice([{}, {"charsmap": charsmap}, {"charsmap": charsmap, "squeeze_spaces": False}])
    if draw.random() < 0.3:
        facts["before"] = tuple(draw.choice(BEFORE) for _ in range(draw.randint(1, 2)))
    if draw.random() < 0.2:
        facts["protected"] = tuple(draw.sample(["low", r"\d+", r"(b)a\1"], draw.randint(1, 2)))
    added = draw.sample(TOKENS, draw.choice([0, 1, 2, 4]))
    if "unchanged" in facts and " x" in added:
        facts["unchanged"] += (" x",)
    first = len(model.tokens)
    flags = {
        name: tuple(flag for flag in FLAGS if draw.random() < 0.3)
        for name in (*added, *model.special_tokens)
        if name != "<unk>"
    }
    return replace(
        model,
        pretokenizer=Pretokenizer(**facts),
        tokens=(*model.tokens, *map(str.encode, added)),
        added_tokens={name: first + number for number, name in enumerate(added)},
        token_flags={name: set_flags for name, set_flags in flags.items() if set_flags},
        prefix_space=draw.choice(["never", "never", "first", "always", "first_if_none", "always_if_none"]),
    )


def some_text(draw: random.Random) -> str:
    return "".join(draw.choice(SNIPPETS) for _ in range(draw.randrange(9)))


@pytest.mark.parametrize("seed", range(60))
def test_ids_and_offsets_are_those_of_the_reference(seed: int, models: list[BpeModel], charsmap: str) -> None:
    draw = random.Random(seed)
    model = some_model(draw, models, charsmap)
    tok = Tokenizer(model)
    texts = [some_text(draw) for _ in range(12)]
    allowed = draw.sample(["<s>", "</s>"], draw.randint(0, 2))
    disallowed: Any = {"allowed_special": set(allowed), "disallowed_special": ()}
    expected = [reference.encode(model, text, allowed) for text in texts]
    ids = [[id for id, _, _ in row] for row in expected]
    spans = [[[start, end] for _, start, end in row] for row in expected]
    about = (model.pretokenizer, model.prefix_space, model.token_flags, model.added_tokens)
    for text, right, places in zip(texts, ids, spans, strict=True):
        assert tok.encode(text, **disallowed) == right, (text, about)
        found, offsets = tok.encode_offsets(text, **disallowed)
        assert (found, offsets.tolist()) == (right, places), (text, about)
        pretokens = [p if id is None else id for p, id in tok.codec.pretokens(text, allowed, ())]
        again = [[p] if isinstance(p, int) else tok.codec.encode_pretokens([p]) for p in pretokens]
        assert [id for row in again for id in row] == right, (text, about)
        framed = [id for id, _, _ in reference.encode(model, text, allowed, add_bos=True, add_eos=True)]
        assert tok.encode(text, add_bos=True, add_eos=True, **disallowed) == framed
    if draw.random() < 0.5:
        pieces = [("token", "<s>", 0), ("text", "A", 0), ("token", "</s>", 1), ("text", "B", 1)]
        tok = Tokenizer(model := replace(model, pair_template=tuple(draw.sample(pieces, 4))))
    for one, other in zip(texts, texts[1:], strict=False):
        assert tok.encode_pair(one, other, **disallowed) == reference.encode_pair(model, one, other, allowed)
    assert tok.encode_batch(texts, 2, **disallowed).tolist() == ids
    encodings, offsets = tok.encode_offsets_batch(texts, num_threads=2, **disallowed)
    assert (encodings.tolist(), offsets.tolist()) == (ids, [place for row in spans for place in row])
    assert tok.count_batch(texts, **disallowed).tolist() == list(map(len, ids))
    changed = [reference.normalized(model, reference.Sourced.of(text)).text for text in texts]
    words = Counter(text.encode()[i:j] for text in changed for i, j, _ in model.pretokenizer.byte_spans(text))
    counts = PretokenCounts.from_iterator(texts, model.pretokenizer, num_threads=3)
    assert (dict(counts.items()), counts.num_bytes) == (words, sum(len(text.encode()) for text in changed)), about
    unmerged = replace(
        model, left=model.left[:0], right=model.right[:0], merged_ids=model.merged_ids[:0], ignore_merges=False
    )
    if not model.pretokenizer.protected:
        rows = [[id for id, _, _ in reference.encode(_as_base(model, unmerged), text, allowed)] for text in texts]
        assert tok.encode_batch(texts, 2, dropout=1.0, seed=seed, **disallowed).tolist() == rows
        assert [tok.encode(text, dropout=1.0, seed=seed, **disallowed) for text in texts] == rows


def _as_base(model: BpeModel, unmerged: BpeModel) -> BpeModel:
    """The model without merges, in which tokens that merges made are not base tokens."""
    kept = {*model.base_ids, *model.special_tokens.values(), *model.added_tokens.values()}
    return replace(unmerged, tokens=tuple(t if id in kept else b"" for id, t in enumerate(model.tokens)))
