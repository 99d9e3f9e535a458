"""Checks of files by their ids on a probe text: a written file is read back, here and by the package that owns the format."""

from __future__ import annotations

import codecs
import importlib.util
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from bpe_transformer.errors import EncodingError, FormatError
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.formats.checks import MERGES_FILE, PROBE_TEXT, VOCAB_FILE, read_bytes
from bpe_transformer.tokenizer.splitting import patterns


def equal(codec: Codec, foreign: Any, encode: Callable[[str], list[int]]) -> Any:
    """`foreign`, another package's object for the same vocabulary, if it gives equal ids on the probe text.

    Raises `FormatError`.
    """
    text = probe_text(codec)
    if encode(text) != codec.encode_ordinary(text):
        raise FormatError(
            f"{type(foreign).__name__} splits differently with pattern {codec.model.pattern!r}; "
            f"use a pattern that means the same to both engines, such as {', '.join(patterns.PATTERNS)}"
        )
    return foreign


def verify_read(codec: Codec, module: ModuleType, path: str | os.PathLike[str]) -> str | None:
    """Raises `FormatError` for a file with which the package that owns the format gives other ids.

    Returns the package that gave equal ids, None if it is not installed.
    """
    return _verify_with_package(codec, module, path)


def verify(codec: Codec, module: ModuleType, path: str | os.PathLike[str]) -> str | None:
    """Raises `FormatError` for a written file that, read back, does not give equal ids on the probe texts.

    Returns the package that gave equal ids as well, None if it is not installed or the format has none.
    """
    try:
        read = Codec(module.read_back(codec.model, path))
    except FormatError as cause:
        raise FormatError(
            f"{module.NAME} does not read back ({cause}); nothing was written, please report this"
        ) from cause
    texts = _texts(codec, module)
    same = _ids(codec, module, texts) == _ids(read, module, texts)
    if not same or len(read.model.tokens) != len(codec.model.tokens):
        raise FormatError(f"{module.NAME} read back does not give equal ids; nothing was written, please report this")
    return _verify_with_package(codec, module, path)


def _verify_with_package(codec: Codec, module: ModuleType, path: str | os.PathLike[str]) -> str | None:
    package, agrees = _PACKAGES.get(module.NAME, (None, None))
    if codec.model.undone or package is None or agrees is None or importlib.util.find_spec(package) is None:
        return None
    texts = _texts(codec, module)
    agrees(codec, path, dict(zip(texts, _ids(codec, module, texts), strict=True)))
    return package


def _texts(codec: Codec, module: ModuleType) -> list[str]:
    """The probe text, and a text that begins with each token that the format's package finds in text."""
    model = codec.model
    text = probe_text(codec)
    found = {*model.added_tokens, *(model.special_tokens if module.NAME in _FINDS_SPECIAL else ())} - {model.unk_token}
    some = sorted(found)[:_MOST_TOKENS] if module.NAME in _FINDS_ADDED else []
    gap = " " if " " in text else ""  # not every alphabet has one
    return [text, *(f"{token}{text[:6]}{gap}{token}{token}{gap}{text[4:9]}{token}" for token in some)]


def _ids(codec: Codec, module: ModuleType, texts: list[str]) -> list[list[int]]:
    """The ids of texts as the format's package should give them."""
    allowed: Any = "all" if module.NAME in _FINDS_SPECIAL else ()
    return [row.tolist() for row in codec.encode_batch(texts, 1, allowed, ())]


def probe_text(codec: Codec) -> str:
    """Text in many scripts; for a vocabulary that cannot encode all of it, what it can encode."""
    model = codec.model
    if model.unk_token is not None or model.byte_fallback or (model.unit == "byte" and not model.lacks_bytes):
        return PROBE_TEXT
    if model.unit == "byte":
        return "".join(character for character in PROBE_TEXT if _is_known(codec, character))
    outside = {*model.special_tokens.values(), *model.added_tokens.values()}
    return b"".join(token for id, token in enumerate(model.decoded_bytes) if id not in outside).decode()


def _is_known(codec: Codec, text: str) -> bool:
    try:
        codec.encode_ordinary(text)
    except EncodingError:
        return False
    return True


def _by_tokenizers(codec: Codec, path: str | os.PathLike[str], expected: Mapping[str, list[int]]) -> None:
    import tokenizers

    text = next(iter(expected))
    try:
        theirs = tokenizers.Tokenizer.from_buffer(read_bytes(path))  # from_file takes no byte order mark
        theirs.no_truncation()  # settings of a call
        theirs.no_padding()
        if getattr(theirs.model, "dropout", None) is not None:
            theirs.model.dropout = None
        ids = [encoding.ids for encoding in theirs.encode_batch(list(expected), add_special_tokens=False)]
        boundaries = _boundaries_in_tokenizers(theirs, text)
    except BaseException as cause:  # the package raises plain Exception, and panics, which are not Exceptions
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise
        # the place in the document is told of what is not of the format, not of an expression
        remedy = "correct the file" if " at line " in str(cause) else "use a pattern that both engines know"
        raise FormatError(f"the tokenizers package does not read this vocabulary: {cause}; {remedy}") from cause
    # ids may be equal by chance where few merges exist, so the boundaries of pre-tokens are compared as well
    model = codec.model
    # a prefix space shifts the boundaries, byte splits may lie inside characters, and marks are not split one by one here
    # where no token has one inside
    comparable = model.prefix_space == "never" and not model.pretokenizer.byte_splits and model.space_mark is None
    if ids[0] != expected[text] or (comparable and boundaries not in (None, _boundaries(codec, text))):
        raise FormatError(
            f"the tokenizers package splits differently with pattern {codec.model.pattern!r}; "
            f"use a pattern that means the same to both engines, such as {', '.join(patterns.PATTERNS)}"
        )
    _same_with_tokens("tokenizers", ids, expected)


def _same_with_tokens(package: str, ids: list[list[int]], expected: Mapping[str, list[int]]) -> None:
    """Raises `FormatError` with the first text whose ids differ."""
    for theirs, (text, ours) in zip(ids, expected.items(), strict=True):
        if theirs != ours:
            raise FormatError(
                f"the {package} package gives other ids for {text!r}: {theirs[:12]}, here {ours[:12]}; please report this"
            )


Boundaries = list[tuple[int, int]]


def _boundaries_in_tokenizers(theirs: Any, text: str) -> Boundaries | None:
    if theirs.pre_tokenizer is None:
        return None
    normalized = text if theirs.normalizer is None else theirs.normalizer.normalize_str(text)
    return [span for _, span in theirs.pre_tokenizer.pre_tokenize_str(normalized)]


def _boundaries(codec: Codec, text: str) -> Boundaries:
    """(start, end) in characters of every pre-token that is encoded."""
    split = codec.model.pretokenizer
    spans = []
    for start, span, protected in split.placed_spans(split.normalize(text)):
        for pretoken in [span] if protected else split.split_span(span):
            word = pretoken.strip() if codec.model.end_of_word is not None else pretoken
            if word:
                offset = start + pretoken.index(word)
                spans.append((offset, offset + len(word)))
            start += len(pretoken)
    return spans


def _by_tiktoken(codec: Codec, path: str | os.PathLike[str], expected: Mapping[str, list[int]]) -> None:
    from bpe_transformer.tokenizer.formats.tiktoken import encoding

    try:
        theirs = encoding(codec.model)
        ids = [theirs.encode(text, allowed_special="all") for text in expected]
    except BaseException as cause:  # a pattern that the package cannot run panics
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise
        raise FormatError(f"the tiktoken package cannot use this vocabulary: {cause}; use another pattern") from cause
    if ids[0] != next(iter(expected.values())):
        raise FormatError(
            f"the tiktoken package splits differently with pattern {codec.model.pattern!r}; "
            f"use a pattern that means the same to both engines, such as {', '.join(patterns.PATTERNS)}"
        )
    _same_with_tokens("tiktoken", ids, expected)


def _by_sentencepiece(codec: Codec, path: str | os.PathLike[str], expected: Mapping[str, list[int]]) -> None:
    import sentencepiece

    try:
        ids = sentencepiece.SentencePieceProcessor(model_file=os.fspath(path)).encode(list(expected))
    except (RuntimeError, OSError) as cause:
        raise FormatError(
            f"the sentencepiece package does not read this vocabulary: {cause}; check the file"
        ) from cause
    _same_with_tokens("sentencepiece", ids, expected)


def _by_subword_nmt(codec: Codec, path: str | os.PathLike[str], expected: Mapping[str, list[int]]) -> None:
    from subword_nmt.apply_bpe import BPE

    (text,) = expected
    words = text.split()  # the package itself splits at spaces only
    with open(path, encoding="utf-8") as codes:
        theirs = BPE(codes, separator="").segment_tokens(words)
    ours = [codec.model.decoded_bytes[id].decode().removesuffix(" ") for id in codec.encode_ordinary(" ".join(words))]
    unknown = codec.model.unk_token
    if len(theirs) != len(ours) or any(a != b != unknown for a, b in zip(theirs, ours, strict=True)):
        raise FormatError("the subword-nmt package gives other tokens for this vocabulary; please report this")


def _by_byte_level(codec: Codec, path: str | os.PathLike[str], expected: Mapping[str, list[int]]) -> None:
    import tokenizers

    from bpe_transformer.tokenizer.formats import gpt2, tokenizer_json

    (text,) = expected
    model = codec.model
    files = [os.path.join(path, name) for name in (VOCAB_FILE, MERGES_FILE)]
    if model.end_of_word is None and not any(map(_has_mark, files)):
        theirs = tokenizers.ByteLevelBPETokenizer(*files)
    elif model.end_of_word is None:
        vocab, merges = gpt2.contents(*files)
        theirs = tokenizers.ByteLevelBPETokenizer(vocab, [(left, right) for left, right in merges])
    else:
        theirs = tokenizers.Tokenizer.from_str(tokenizer_json.dump(model))
        options = {"end_of_word_suffix": model.end_of_word, "unk_token": model.unk_token}
        vocab, merges = gpt2.contents(*files)  # XLM's merges have a column that the package does not read
        theirs.model = tokenizers.models.BPE(vocab, [(left, right) for left, right in merges], **options)
    if theirs.encode(text).ids != expected[text]:
        raise FormatError("the tokenizers package gives other ids for these files; please report this")


def _has_mark(path: str) -> bool:
    """Whether a file begins with a byte order mark, which the package does not take."""
    with open(path, "rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


_PackageCheck = Callable[[Codec, "str | os.PathLike[str]", Mapping[str, list[int]]], None]
_FINDS_SPECIAL = {"tokenizer.json", "tiktoken", "nanochat"}  # formats whose packages find special tokens in any text
_FINDS_ADDED = {*_FINDS_SPECIAL, "sentencepiece"}
_MOST_TOKENS = 2000
# by format: (the package that owns it, the check with it)
_PACKAGES: dict[str, tuple[str, _PackageCheck]] = {
    "tokenizer.json": ("tokenizers", _by_tokenizers),
    "tiktoken": ("tiktoken", _by_tiktoken),
    "gpt2": ("tokenizers", _by_byte_level),
    "sentencepiece": ("sentencepiece", _by_sentencepiece),
    "subword-nmt": ("subword_nmt", _by_subword_nmt),
    "nanochat": ("tiktoken", _by_tiktoken),
}
