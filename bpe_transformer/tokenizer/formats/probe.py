"""The check of what was written: read back, and read by the package the format belongs to, it has to give equal ids."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from bpe_transformer.errors import EncodingError, FormatError
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.formats import gpt2, tokenizer_json
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

TEXT = (
    "The quick brown fox's 12345 jumps;  it'll\tcost $3.50!\r\n\n  다람쥐 헌 쳇바퀴에 타고파 3마리, naïve Ünïcödé — "
    "日本語 русский العربية 👩‍👩‍👧 ½ \u3000x_y(z)\n"
)

_SECONDS = 2  # for an expression of a file, which may be made to take for ever


def accept(model: BpeModel) -> Codec:
    """A codec for a vocabulary that was read, once the probe text came back from its ids, if it has to. Raises `FormatError`."""
    codec = Codec(model)
    for expression in model.pretokenizer.expressions:
        try:
            for _ in patterns.compiled_expression(expression).finditer(TEXT, timeout=_SECONDS):
                pass
        except TimeoutError:
            raise FormatError(
                f"the expression {expression!r} takes more than {_SECONDS} s for {len(TEXT)} characters; write it otherwise"
            ) from None
    split = model.pretokenizer
    lossless = (model.unit == "byte" and not model.lacks_bytes and model.end_of_word is None) or (
        model.byte_fallback and model.space_mark is not None
    )
    if not lossless or not split.keeps_all or model.token_flags or model.added_tokens:
        return codec
    text = split.normalize(TEXT)
    if model.space_mark is not None:
        text = text.replace(model.space_mark, " ")
    if codec.decoder.decode(codec.encode_ordinary(TEXT)) != text:
        raise FormatError("the vocabulary does not give back the text that it encodes; check the file")
    return codec


def equal(codec: Codec, foreign: Any, encode: Callable[[str], list[int]]) -> Any:
    """Another package's object for the same vocabulary, once it gave equal ids on the probe text. Raises `FormatError`."""
    text = probe_text(codec)
    if encode(text) != codec.encode_ordinary(text):
        raise FormatError(
            f"{type(foreign).__name__} splits otherwise with pattern {codec.model.pattern!r}; "
            f"use a pattern that both engines read alike, such as {', '.join(patterns.PATTERNS)}"
        )
    return foreign


def verify_read(codec: Codec, module: ModuleType, path: str | os.PathLike[str]) -> str | None:
    """Refuses a file of which the package that it belongs to makes other ids. Raises `FormatError`.

    Returns the package that has agreed, None if it is not installed.
    """
    text = probe_text(codec)
    return _ask_package(codec, module, path, text, codec.encode_ordinary(text))


def verify(codec: Codec, module: ModuleType, path: str | os.PathLike[str]) -> str | None:
    """Refuses a file that, read back, does not give equal ids on a probe text. Raises `FormatError`.

    Returns the package that has agreed as well, None if it is not installed or the format has none.
    """
    text = probe_text(codec)
    expected = codec.encode_ordinary(text)
    try:
        read = Codec(module.read_back(codec.model, path))
    except FormatError as cause:
        raise FormatError(
            f"{module.NAME} does not read back ({cause}); nothing was written, please report this"
        ) from cause
    if read.encode_ordinary(text) != expected or len(read.model.tokens) != len(codec.model.tokens):
        raise FormatError(f"{module.NAME} read back does not give equal ids; nothing was written, please report this")
    return _ask_package(codec, module, path, text, expected)


def _ask_package(
    codec: Codec, module: ModuleType, path: str | os.PathLike[str], text: str, expected: list[int]
) -> str | None:
    package, agrees = _ORACLES.get(module.NAME, (None, None))
    if package is None or agrees is None or importlib.util.find_spec(package) is None:
        return None
    agrees(codec, path, text, expected)
    return package


def probe_text(codec: Codec) -> str:
    """Text of many kinds; of a vocabulary that has no token for what it does not know, its own tokens."""
    model = codec.model
    if model.unk_token is not None or model.byte_fallback or (model.unit == "byte" and not model.lacks_bytes):
        return TEXT
    if model.unit == "byte":
        return "".join(character for character in TEXT if _is_known(codec, character))
    outside = {*model.special_tokens.values(), *model.added_tokens.values()}
    return b"".join(token for id, token in enumerate(model.decoded_bytes) if id not in outside).decode()


def _is_known(codec: Codec, text: str) -> bool:
    try:
        codec.encode_ordinary(text)
    except EncodingError:
        return False
    return True


def _by_tokenizers(codec: Codec, path: str | os.PathLike[str], text: str, expected: list[int]) -> None:
    import tokenizers

    try:
        theirs = tokenizers.Tokenizer.from_file(os.fspath(path))
        ids = theirs.encode(text, add_special_tokens=False).ids
        borders = _borders_of(theirs, text)
    except BaseException as cause:  # the package raises plain Exception, and panics, which are none
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise
        raise FormatError(
            f"the tokenizers package does not read this vocabulary: {cause}; use a pattern that both engines know"
        ) from cause
    # equal ids could be luck where few merges exist, so the borders of pre-tokens are compared as well
    model = codec.model
    moved = model.prefix_space != "never" or model.pretokenizer.byte_splits  # or cut characters
    if ids != expected or not (borders is None or moved or borders == _borders(codec, text)):
        raise FormatError(
            f"the tokenizers package splits otherwise with pattern {codec.model.pattern!r}; "
            f"use a pattern that both engines read alike, such as {', '.join(patterns.PATTERNS)}"
        )


Borders = list[tuple[int, int]]


def _borders_of(theirs: Any, text: str) -> Borders | None:
    if theirs.pre_tokenizer is None:
        return None
    normalized = text if theirs.normalizer is None else theirs.normalizer.normalize_str(text)
    return [span for _, span in theirs.pre_tokenizer.pre_tokenize_str(normalized)]


def _borders(codec: Codec, text: str) -> Borders:
    """(start, end) in characters of every pre-token that is encoded."""
    split = codec.model.pretokenizer
    spans = []
    for start, part, protected in split.placed_spans(split.normalize(text)):
        for piece in [part] if protected else split.split_span(part):
            word = piece.strip() if codec.model.end_of_word is not None else piece
            if word:
                offset = start + piece.index(word)
                spans.append((offset, offset + len(word)))
            start += len(piece)
    return spans


def _by_tiktoken(codec: Codec, path: str | os.PathLike[str], text: str, expected: list[int]) -> None:
    from bpe_transformer.tokenizer.formats.tiktoken import encoding

    try:
        ids = encoding(codec.model).encode_ordinary(text)
    except BaseException as cause:  # a pattern that the package cannot run panics
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise
        raise FormatError(f"the tiktoken package cannot use this vocabulary: {cause}; use another pattern") from cause
    if ids != expected:
        raise FormatError(
            f"the tiktoken package splits otherwise with pattern {codec.model.pattern!r}; "
            f"use a pattern that both engines read alike, such as {', '.join(patterns.PATTERNS)}"
        )


def _by_sentencepiece(codec: Codec, path: str | os.PathLike[str], text: str, expected: list[int]) -> None:
    import sentencepiece

    try:
        ids = sentencepiece.SentencePieceProcessor(model_file=os.fspath(path)).encode(text)
    except (RuntimeError, OSError) as cause:
        raise FormatError(
            f"the sentencepiece package does not read this vocabulary: {cause}; check the file"
        ) from cause
    if ids != expected:
        raise FormatError("the sentencepiece package gives other ids for this vocabulary; please report this")


def _by_subword_nmt(codec: Codec, path: str | os.PathLike[str], text: str, expected: list[int]) -> None:
    from subword_nmt.apply_bpe import BPE

    words = text.split()  # at spaces alone it splits itself
    with open(path, encoding="utf-8") as codes:
        theirs = BPE(codes, separator="").segment_tokens(words)
    ours = [codec.model.decoded_bytes[id].decode().removesuffix(" ") for id in codec.encode_ordinary(" ".join(words))]
    unknown = codec.model.unk_token
    if len(theirs) != len(ours) or any(a != b != unknown for a, b in zip(theirs, ours, strict=True)):
        raise FormatError("the subword-nmt package gives other tokens for this vocabulary; please report this")


def _by_byte_level(codec: Codec, path: str | os.PathLike[str], text: str, expected: list[int]) -> None:
    import tokenizers

    model = codec.model
    files = [os.path.join(path, name) for name in (gpt2.VOCAB_FILE, gpt2.MERGES_FILE)]
    if model.end_of_word is None:
        theirs = tokenizers.ByteLevelBPETokenizer(*files)
    else:
        theirs = tokenizers.Tokenizer.from_str(tokenizer_json.dump(model))
        options = {"end_of_word_suffix": model.end_of_word, "unk_token": model.unk_token}
        vocab, merges = gpt2.contents(*files)  # XLM's merges have a column that the package does not read
        theirs.model = tokenizers.models.BPE(vocab, [(left, right) for left, right in merges], **options)
    if theirs.encode(text).ids != expected:
        raise FormatError("the tokenizers package gives other ids for these files; please report this")


_Oracle = Callable[[Codec, "str | os.PathLike[str]", str, list[int]], None]
# by format: the package that reads it, and the check by it
_ORACLES: dict[str, tuple[str, _Oracle]] = {
    "tokenizer.json": ("tokenizers", _by_tokenizers),
    "tiktoken": ("tiktoken", _by_tiktoken),
    "gpt2": ("tokenizers", _by_byte_level),
    "sentencepiece": ("sentencepiece", _by_sentencepiece),
    "subword-nmt": ("subword_nmt", _by_subword_nmt),
    "nanochat": ("tiktoken", _by_tiktoken),
}
