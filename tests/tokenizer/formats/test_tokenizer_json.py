"""`tokenizer.json` files with the structure of public vocabularies, trained here by `tokenizers`, against that package."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import regex as re
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.splitting.patterns import _ALIASES, expression
from bpe_transformer.tokenizer.splitting.patterns import split as patterns_split
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

TEXTS = [
    "The lower the newest, the widest: it's 1,234 low-lower prices!\n\n  And so on, until the end of the line.\n",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 문장 세 마리와 다섯 권, 그리고 스무 살.\n",
    "def newest(low, lower):\n    return [low, lower, 'widest']  # 3 of them\n\n\n    x = 12345678 - 0.5\n",
    "naïve café Ünïcödé, ½ ﬁne … «quoted» — 日本語のテキスト、カタカナ・テスト русский العربية 👩‍👩‍👧 e\u0301\u0323 A\u030a\n",
    "a  b   c    d \t tabs\u00a0nbsp\u3000wide ▁ mark HTML <b>bold</b> <s> [INST] </s> it'S WE'LL don't\r\n",
] * 2
SNIPPETS = [
    "the ",
    " low",
    "newest",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\t",
    " ",
    "▁",
    "다람쥐 ",
    "한국",
    "'s",
    "'LL",
    "12345",
    "½",
    "é",
    "e\u0301",
    "ﬁ",
    "日本語",
    "カタカナ・",
    "<s>",
    "</s>",
    " <mask>",
    "<mask> ",
    "<extra>",
    "x<extra>y",
    "[INST]",
    "👩‍👩‍👧",
    "!",
    "...",
    "\u00a0",
    "Ａ",
]
# characters that every release of Unicode in use has: the engines' tables differ in what is newer
OLD = st.characters(exclude_categories=("Cs", "Cn")).filter(lambda c: unicodedata.ucd_3_2_0.category(c) != "Cn")
TEXT = st.lists(st.sampled_from(SNIPPETS) | st.text(OLD, max_size=4), max_size=12).map("".join)
CL100K, O200K, LLAMA3, QWEN2 = (expression(name) for name in ("cl100k", "o200k", "llama3", "qwen2"))
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]


def split(expression: str, behavior: str = "isolated", invert: bool = False) -> Any:
    return pre_tokenizers.Split(Regex(expression), behavior, invert)


def byte_level(*splits: Any, normalizer: Any = None, prefix: bool = False, regex: bool = False, **options: Any) -> Any:
    tok = tokenizers.Tokenizer(models.BPE(**options))
    tok.normalizer = normalizer
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [*splits, pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)]
    )
    tok.decoder = decoders.ByteLevel()
    return trained(tok, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def trained(tok: Any, specials: tuple[str, ...] = ("<s>", "</s>"), size: int = 500, **options: Any) -> Any:
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), show_progress=False, **options)
    tok.train_from_iterator(TEXTS, trainer)
    return tok


def characters(normalizer: Any, pre_tokenizer: Any, fallback: bool = True, **options: Any) -> Any:
    """SentencePiece-like: "<unk>", the special tokens, 256 bytes, the rest; a part of the alphabet only."""
    tok = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=fallback, fuse_unk=True, **options))
    tok.normalizer, tok.pre_tokenizer = normalizer, pre_tokenizer
    bytes_tokens = tuple(f"<0x{byte:02X}>" for byte in range(256)) if fallback else ()
    trained(tok, ("<unk>", "<s>", "</s>"), 300 + len(bytes_tokens), limit_alphabet=60)
    document = json.loads(tok.to_str())
    vocab = document["model"]["vocab"]
    shift = len(bytes_tokens)
    document["model"]["vocab"] = {name: id if id < 3 else id + shift for name, id in vocab.items()}
    document["model"]["vocab"].update({name: 3 + i for i, name in enumerate(bytes_tokens)})
    return tokenizers.Tokenizer.from_str(json.dumps(document))


def with_added(tok: Any, *tokens: Any) -> Any:
    for token in tokens:
        (tok.add_special_tokens if token.special else tok.add_tokens)([token])
    return tok


def with_template(tok: Any, single: str = "<s> $A </s>") -> Any:
    used = [(name, tok.token_to_id(name)) for name in ("<s>", "</s>") if name in single]
    tok.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single=single, special_tokens=used)]
    )
    return tok


def roberta() -> Any:
    tok = with_added(byte_level(regex=True), AddedToken("<mask>", lstrip=True, special=True, normalized=False))
    tok.post_processor = processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return tok


PREPEND = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
SPACES = [AddedToken(" " * n, normalized=True) for n in (3, 2)]
EXTRA = AddedToken("<extra>", normalized=False)

KINDS: dict[str, Any] = {
    "gpt2": lambda: byte_level(regex=True),
    "gpt2 prefixed": lambda: byte_level(regex=True, prefix=True),
    "gpt2 prefixed, added": lambda: with_added(byte_level(regex=True, prefix=True), EXTRA),
    "roberta": roberta,
    "gpt-neox": lambda: with_added(byte_level(regex=True, normalizer=normalizers.NFC()), *SPACES),
    "llama3": lambda: with_template(byte_level(split(LLAMA3), ignore_merges=True), "<s> $A"),
    "qwen2": lambda: byte_level(split(QWEN2), normalizer=normalizers.NFC()),
    "gpt-4o": lambda: byte_level(split(O200K, "removed", True)),
    "cl100k removed": lambda: byte_level(split(CL100K, "removed", True)),
    "bloom": lambda: byte_level(split(BLOOM)),
    "starcoder": lambda: byte_level(pre_tokenizers.Digits(individual_digits=True), regex=True),
    "digits together": lambda: byte_level(pre_tokenizers.Digits(individual_digits=False), regex=True),
    "punctuation": lambda: byte_level(pre_tokenizers.Punctuation("contiguous"), regex=True),
    "punctuation apart": lambda: byte_level(pre_tokenizers.Punctuation("isolated"), regex=True),
    "merged with previous": lambda: byte_level(split(r"\s|é", "merged_with_previous")),
    "merged with next": lambda: byte_level(split(r"\s", "merged_with_next"), regex=True),
    "contiguous": lambda: byte_level(split(r"\p{N}|\p{P}", "contiguous")),
    "isolated, inverted": lambda: byte_level(split(r"\p{L}+", "isolated", True)),
    "deepseek": lambda: with_added(
        byte_level(*map(split, DEEPSEEK), normalizer=normalizers.Sequence([])), AddedToken("[INST]", normalized=True)
    ),
    "phi-3 strips": lambda: with_added(
        byte_level(split(LLAMA3)),
        AddedToken("<extra>", rstrip=True, normalized=False),
        AddedToken("[INST]", single_word=True, normalized=False),
    ),
    "nfkc": lambda: byte_level(split(LLAMA3), normalizer=normalizers.NFKC()),
    "nfd": lambda: byte_level(split(LLAMA3), normalizer=normalizers.NFD()),
    "no split": lambda: byte_level(),
    "llama2, mistral": lambda: with_template(characters(PREPEND, None), "<s> $A"),
    "llama2 added": lambda: with_added(characters(PREPEND, None), EXTRA, AddedToken("[INST]", normalized=True)),
    "gemma": lambda: with_added(
        characters(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")),
        EXTRA,
        AddedToken("\n\n", normalized=False),
    ),
    "metaspace always": lambda: characters(None, pre_tokenizers.Metaspace(prepend_scheme="always")),
    "metaspace first": lambda: with_added(
        characters(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)), EXTRA
    ),
    "metaspace first, split": lambda: with_added(
        characters(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=True)), EXTRA
    ),
    "metaspace always, added": lambda: with_added(
        characters(None, pre_tokenizers.Metaspace(prepend_scheme="always", split=False)), EXTRA
    ),
    "metaspace never": lambda: characters(None, pre_tokenizers.Metaspace(prepend_scheme="never")),
    "metaspace nfkc": lambda: characters(normalizers.NFKC(), pre_tokenizers.Metaspace(prepend_scheme="always")),
    "unknown characters": lambda: characters(PREPEND, None, fallback=False),
    "unknown characters, split": lambda: characters(None, pre_tokenizers.Metaspace(), fallback=False),
}


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tokenizer, Path]:
    theirs = KINDS[request.param]()
    file = tmp_path_factory.mktemp("kind") / "tokenizer.json"
    theirs.save(str(file))
    return theirs, Tokenizer.from_file(file, verify=True), file


def test_texts_have_the_ids_of_the_package(pair: tuple[Any, Tokenizer, Path]) -> None:
    theirs, ours, _ = pair
    for text in [*TEXTS, "", " ", "  a", "a <s> b</s>  c"]:
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, add_special_tokens=False).ids
        ids = ours.encode(
            text,
            allowed_special="all",
            add_bos=ours.model.bos_token is not None,
            add_eos=ours.model.eos_token is not None,
        )
        assert ids == theirs.encode(text).ids
    batch = ours.encode_batch(TEXTS, allowed_special="all").tolist()
    assert batch == [encoding.ids for encoding in theirs.encode_batch(TEXTS, add_special_tokens=False)]


@given(text=TEXT)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_has_the_ids_of_the_package(pair: tuple[Any, Tokenizer, Path], text: str) -> None:
    theirs, ours, _ = pair
    assert ours.encode(text, allowed_special="all") == theirs.encode(text, add_special_tokens=False).ids


def test_what_is_written_again_is_the_same(pair: tuple[Any, Tokenizer, Path], tmp_path: Path) -> None:
    theirs, ours, _ = pair
    ours.save(tmp_path)
    assert Tokenizer.load(tmp_path).digest == ours.digest
    again = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*TEXTS, "a <s> b</s>  c"]:
        assert again.encode(text).ids == theirs.encode(text).ids


def test_decoding_gives_back_what_was_encoded(pair: tuple[Any, Tokenizer, Path]) -> None:
    _, ours, _ = pair
    if ours.model.unk_token is not None and not ours.model.byte_fallback:
        return
    if ours.model.prefix_space == "always" and ours.model.token_flags:
        return  # a token that is sought together with the space put before it swallows one of the text, there as here
    form = ours.model.pretokenizer
    for text in TEXTS:
        text = form.normalize(text)
        expected = text.replace("▁", " ") if ours.model.space_mark else text
        assert ours.decode(ours.encode_ordinary(text)) == expected


def test_as_transformers(mixed: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = mixed.as_transformers()
    assert isinstance(theirs, transformers.PreTrainedTokenizerFast)
    for text in TEXTS:
        assert theirs.encode(text, add_special_tokens=False) == mixed.encode(text, allowed_special="all")
        assert theirs.decode(mixed.encode_ordinary(text)) == text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "ByteLevel"}]}}, r"normalizer.normalizers\[1\] is ByteLevel"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "claims a trie"),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""}}, r"normalizer.pattern.Regex '\(' does not compile"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}}, r"pre_tokenizer.pattern.Regex '\(' does not compile: .*; correct it in the file"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": None}}, "pre_tokenizer.pretokenizers is null, where a list"),
        ({"normalizer": {"type": "Sequence"}}, "normalizer.normalizers is missing, where a list"),
        ({"truncation": {"direction": "Up", "max_length": 5, "strategy": "LongestFirst", "stride": 0}}, "truncation.direction is 'Up', not Left or Right; correct"),
        ({"truncation": {"max_length": -5, "strategy": "LongestFirst", "stride": 0}}, "truncation.max_length is -5, not a whole number from 0"),
        ({"truncation": {"max_length": 5}}, "truncation.strategy is missing, which is LongestFirst"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}}}, "model.type is 'WordPiece'; only BPE .*; use the tokenizers package"),
        ({"truncation": 5}, "truncation is 5, not an object; set it to null"),
        ({"padding": {"strategy": {"Fixed": "x"}}}, "padding.strategy is {'Fixed': 'x'}, not \"BatchLongest\""),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "(?m:.)"}, "content": ""}}, "changes what a dot matches"),
        ({"pre_tokenizer": {"type": "UnicodeScripts"}}, "UnicodeScripts"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Metaspace"}]}}, "Metaspace after ByteLevel"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": False}, {"type": "Punctuation", "behavior": "Removed"}]}}, "drops bytes"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel", "add_prefix_space": True}]}}, "add_prefix_space is set after a split"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"String": "x"}, "behavior": "Removes", "invert": False}}, "Removes"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": r"\d{2,3}+"}, "behavior": "Isolated", "invert": False}}, "different things to different engines"),
        ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "length is 0"),
        ({"post_processor": {"type": "Sequence", "processors": [{"type": "Unknown"}]}}, r"processors\[0\] is 'Unknown'"),
    ],
)  # fmt: skip
def test_what_would_encode_otherwise_is_refused_by_name(
    tmp_path: Path, mixed: Tokenizer, change: dict[str, Any], named: str
) -> None:
    mixed.save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    document = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps({**document, **change}), encoding="utf-8")
    with pytest.raises(FormatError, match=named):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "llama3"])
@given(text=TEXT)
@settings(max_examples=40, deadline=None)
def test_other_expressions_of_a_pattern_split_alike(name: str, text: str) -> None:
    for alias, named in _ALIASES.items():
        if named == name:
            pieces = [piece for piece in re.compile(alias).findall(text) if piece]
            assert pieces == list(patterns_split(name, text))


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "none", "whitespace"])
@pytest.mark.parametrize("protected_tokens", [False, True])
def test_protected_spans_are_saved_as_splits_that_tokenizers_reads_alike(
    pattern: str, protected_tokens: bool, tmp_path: Path
) -> None:
    split = Pretokenizer(pattern, protected=(r"C\+\+", r"\d+-\d+", r"[(|\])]x\|(?:y|z)"))
    text = "aC++b aC++b 10-20 10-20ab -- C+ (]x|y "
    tok = learn_bpe(PretokenCounts.from_iterator([text] * 5, split), 300, protected_tokens=protected_tokens)
    tok.save(tmp_path)
    assert Tokenizer.load(tmp_path).model.pretokenizer == split
    assert Tokenizer.load(tmp_path).digest == tok.digest
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode(text).ids == tok.encode(text)


def test_a_later_version_is_refused_by_name(low_lower: Tokenizer, tmp_path: Path) -> None:
    low_lower.save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    file = tmp_path / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"version": "1.0"', '"version": "2.0"'), encoding="utf-8")
    with pytest.raises(FormatError, match=r"version is '2.0', this program knows '1.0'"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("first", [{}, {"single_word": True}, {"normalized": True}])
@pytest.mark.parametrize("second", [{}, {"normalized": True}, {"normalized": True, "single_word": True}])
def test_flags_of_two_tokens_in_one_text(first: dict[str, bool], second: dict[str, bool], tmp_path: Path) -> None:
    """A token that is found first ends the word of the next one: `lower` is `low` and `er`, though `er` is a single word."""
    tokenizers = pytest.importorskip("tokenizers")
    learn_bpe(PretokenCounts.from_words({"x": 1}), 256, alphabet_order="gpt2").export(tmp_path / "tokenizer.json")
    document = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    no_flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    document["added_tokens"] = [
        {"id": id, "content": text, **no_flags, **flags}
        for id, text, flags in ((256, "low", first), (257, "er", second))
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    theirs, ours = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")), Tokenizer.load(tmp_path)
    for text in ("lower", "low er", "lower low", "erlow", "er low", "lower er"):
        assert ours.encode(text) == theirs.encode(text).ids, text


@pytest.mark.parametrize("ignore_merges", [False, True])
@pytest.mark.parametrize("tokens", [" |▁| a|▁a|a b", "▁| |▁a| a|a b", " | a|a b", "▁|a b"])
def test_a_token_with_a_space_is_never_found_where_spaces_are_replaced(
    tokens: str, ignore_merges: bool, tmp_path: Path
) -> None:
    vocab = {token: id for id, token in enumerate(("<unk>", "a", "b", *tokens.split("|")))}
    tok = tokenizers.Tokenizer(
        models.BPE(vocab, [("▁", "a")] if "▁a" in vocab else [], unk_token="<unk>", ignore_merges=ignore_merges)
    )
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.load(tmp_path / "tokenizer.json")
    for text in (" ", "▁", " a", "▁a", "a b", " b", "a  b"):
        assert ours.encode(text) == tok.encode(text).ids, text
