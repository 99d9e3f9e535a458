"""File formats of tokenizers, one module each: finding the format of a file, reading it, and writing it with a check.

A format is a module with `NAME`, `read(path, …)`, `write(model, path)` and `read_back(model, path)`, which reads a file
that was written for `model` and takes from `model` what the format does not hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from bpe_transformer.errors import BpeTransformerError, FormatError
from bpe_transformer.io import garbage_collection_paused, parse_json, shown
from bpe_transformer.io.manifest import check_files, listed_files
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.formats import recognition
from bpe_transformer.tokenizer.formats.checks import MERGES_FILE, VOCAB_FILE, accept, as_text, read_bytes
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary import role_files
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

__all__ = ["DIRECTORIES", "FORMATS", "OPTIONAL_FILES", "SAVED_FILES", "TRACE_FILE", "export", "load", "locate", "save"]

# the modules of the formats that are written too, by their names; a module is imported when its format is met
FORMATS = {
    "tokenizer.json": "tokenizer_json",
    "tiktoken": "tiktoken",
    "gpt2": "gpt2",
    "sentencepiece": "sentencepiece",
    "subword-nmt": "subword_nmt",
    "nanochat": "nanochat",
}
DIRECTORIES = {"gpt2"}  # formats of more than one file: written into a directory
TOKENIZER_FILE, TRACE_FILE = "tokenizer.json", "trace.parquet"
MODEL_FILE = "tokenizer.model"  # SentencePiece's, for what tokenizer.json cannot hold
# what may be saved with a tokenizer: from an older one, these go; tokenizer.json would win over a new tokenizer.model
OPTIONAL_FILES = (TOKENIZER_FILE, TRACE_FILE, role_files.CONFIG_FILE, role_files.MAP_FILE)
# what a directory may hold, in the order of preference
_IN_DIRECTORY = ("tokenizer.json", "vocab.json", "tokenizer.model", "tokenizer.pkl", "tekken.json")
SAVED_FILES = (TOKENIZER_FILE, MODEL_FILE)  # names under which `save` writes
_BY_HEAD: dict[str, Callable[[bytes], bool]] = {  # modules of what a file can only be by its first bytes
    "clip": recognition.is_clip,
    "nanochat": recognition.is_pickle,
    "sentencepiece": recognition.is_sentencepiece,
    "subword_nmt": recognition.is_subword_nmt,
}
# files beside a vocabulary, which are read with it
_BESIDE = {
    *(role_files.CONFIG_FILE, role_files.MAP_FILE, role_files.ADDED_FILE, role_files.GENERATION_FILE),
    *("config.json", "preprocessor_config.json", "processor_config.json"),
}
_BY_SUFFIX = ("*.model", "*.tiktoken", "*.codes")


def save(codec: Codec, trace: MergeTrace | None, directory: str | os.PathLike[str]) -> None:
    """See `Tokenizer.save`."""
    from bpe_transformer.io.atomic import bound_directory
    from bpe_transformer.tokenizer.formats import probe, tokenizer_json

    model = codec.model
    module, name = _saved_as(model)
    with bound_directory(directory, drop=OPTIONAL_FILES) as folder:
        module.write(model, folder / name)
        probe.verify(codec, module, folder / name)
        tokens = {**model.added_tokens, **model.special_tokens}
        others = {**model.config_fields, **tokenizer_json.normalizer_facts(model)}
        role_files.write(model.named_roles, folder, others, tokens)
        if trace is not None:
            trace.save(folder / TRACE_FILE, digest=codec.model.digest)


def _saved_as(model: BpeModel) -> tuple[ModuleType, str]:
    """The format of a saved tokenizer, and the name of its file: tokenizer.json wherever that holds it exactly."""
    from bpe_transformer.tokenizer.formats import sentencepiece, tokenizer_json
    from bpe_transformer.tokenizer.formats.tokenizer_json import normalizers, with_undone_merges

    if model.undone:
        return with_undone_merges, TOKENIZER_FILE
    split = model.pretokenizer
    squeezes_around_tokens = bool(model.added_tokens) and (split.squeeze_spaces or split.charsmap is not None)
    joins = normalizers.joins_line_ends(split)
    if model.prefix_space == "first" or split.unchanged or squeezes_around_tokens or joins:
        return sentencepiece, MODEL_FILE
    return tokenizer_json, TOKENIZER_FILE


def export(codec: Codec, path: str | os.PathLike[str], form: str) -> str | None:
    """See `Tokenizer.export`. Returns the package that gave equal ids, None if it is not installed."""
    if form not in FORMATS:
        raise FormatError(f"format={form!r} is unknown; choose one of {', '.join(FORMATS)}")
    from bpe_transformer.io.atomic import atomic_file, bound_directory
    from bpe_transformer.tokenizer.formats import probe

    module = import_module(f"{__name__}.{FORMATS[form]}")
    with (bound_directory if form in DIRECTORIES else atomic_file)(path) as new:
        module.write(codec.model, new)
        return probe.verify(codec, module, new)


def load(
    path: str | os.PathLike[str],
    pattern: str | Pretokenizer | None = None,
    special_tokens: Mapping[str, int] | None = None,
    verify: bool = False,
) -> tuple[Codec, MergeTrace | Callable[[], MergeTrace] | None]:
    """A codec for the vocabulary, and the trace that lies beside it. See `Tokenizer.from_file`.

    A trace that the folder's manifest lists, whose sums were compared, is only parsed when it is needed.
    """
    file = locate(Path(path))
    beside = {file.name}
    if file.name in (VOCAB_FILE, MERGES_FILE):
        beside = {VOCAB_FILE, MERGES_FILE}
    elif file.name in SAVED_FILES and file.with_name(TRACE_FILE).is_file():
        beside.add(TRACE_FILE)  # not the roles' files, which transformers rewrites
    has_manifest = check_files(file.parent, beside)
    try:
        with garbage_collection_paused():
            module, model = _read(file, pattern, special_tokens)
            of_file = model
            if file.name in SAVED_FILES or module.NAME == TOKENIZER_FILE:
                neighbours = role_files.read(file.parent)
                if neighbours.fields:
                    from bpe_transformer.tokenizer.formats import tokenizer_json

                    model = tokenizer_json.with_facts(model, neighbours.fields)
                model = neighbours.over(model)
        codec = accept(model)
        if verify:
            from bpe_transformer.tokenizer.formats import probe

            # the tokenizers package reads no neighbours
            alone = accept(of_file) if module.NAME == TOKENIZER_FILE and of_file is not model else codec
            probe.verify_read(alone, module, file.parent if module.NAME in DIRECTORIES else file)
    except FormatError as cause:
        said = str(cause) if str(file) in str(cause) else f"{file}: {cause}"
        raise FormatError(said if ";" in said else f"{said}; get the file anew, or name another") from cause
    except BpeTransformerError as cause:  # such as a pattern that does not compile
        raise FormatError(f"{file}: {cause}") from cause
    trace = file.with_name(TRACE_FILE)
    if file.name not in SAVED_FILES or not trace.is_file():
        return codec, None
    if has_manifest and {file.name, TRACE_FILE} <= listed_files(file.parent).keys():
        return codec, partial(_trace, model, trace, trace.read_bytes())
    return codec, _trace(model, trace)


def _trace(model: BpeModel, path: Path, content: bytes | None = None) -> MergeTrace:
    """The trace in a file, or in its content if that was read; it has to be that of the model. Raises `FormatError`."""
    from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

    trace = MergeTrace.load(path, digest=model.digest, content=content)
    if problem := trace.problem_with(model.left, model.right, model.merged_ids, len(model.tokens)):
        raise FormatError(f"{path} is damaged: {problem}; delete it, or learn the tokenizer again")
    return trace


def locate(path: Path) -> Path:
    """The file of a tokenizer: the path itself, or the file that is found in a directory. Raises `FormatError`."""
    if not path.is_dir():
        return path
    found_names = [name for name in _IN_DIRECTORY if (path / name).is_file()]
    lone = VOCAB_FILE in found_names and not (path / MERGES_FILE).is_file()  # of another kind, or incomplete
    if first := next((name for name in found_names if name != VOCAB_FILE or not lone), None):
        return path / first
    for suffix in _BY_SUFFIX:
        found = sorted(path.glob(suffix))
        if len(found) > 1:
            raise FormatError(f"{path} holds {found[0].name} and {found[1].name}; name the file that is meant")
        if found:
            return found[0]
    if lone or (path / MERGES_FILE).is_file():
        return path / (VOCAB_FILE if lone else MERGES_FILE)
    names = ", ".join((*_IN_DIRECTORY, *_BY_SUFFIX))
    raise FormatError(f"{path} holds no tokenizer that is known by name ({names}); name its file, or another folder")


def _read(
    file: Path, pattern: str | Pretokenizer | None, special_tokens: Mapping[str, int] | None
) -> tuple[ModuleType, BpeModel]:
    """The format of a file and its model. The content decides the format; the name does only where the content does not."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(4096)
    except OSError as cause:
        raise FormatError(
            f"{file} cannot be read: {cause.strerror}; give a tokenizer.json, a file of another known format, "
            "or the directory it is in"
        ) from cause
    recognition.refuse(head, file)
    given: dict[str, Any] = {"pattern": pattern, "special_tokens": special_tokens}
    given = {name: value for name, value in given.items() if value is not None}
    if recognition.is_ranks(head, file.name):
        from bpe_transformer.tokenizer.formats import tiktoken

        return tiktoken, tiktoken.read(file, pattern, special_tokens)
    if file.name in (VOCAB_FILE, MERGES_FILE):
        from bpe_transformer.tokenizer.formats import gpt2

        other = VOCAB_FILE if file.name == MERGES_FILE else MERGES_FILE
        if not file.with_name(other).is_file():
            raise FormatError(
                f"{other} is not beside it, and ids and merges are both needed; put it there, or name another"
            )

        return gpt2, gpt2.read(file.with_name(VOCAB_FILE), file.with_name(MERGES_FILE), **given)
    if given:
        raise FormatError(f"this format holds {' and '.join(given)} already; leave the argument out")
    for name, is_one in _BY_HEAD.items():
        if is_one(head):
            module = import_module(f"{__name__}.{name}")
            return module, module.read(file)
    if file.suffix == ".model" and recognition.is_binary(head):
        from bpe_transformer.tokenizer.formats import sentencepiece

        return sentencepiece, sentencepiece.read(file)  # which says what is wrong
    return _read_json(file)


def _other_value(text: str) -> NoReturn:
    """Raises `FormatError` for text that is JSON but neither an object nor a list, or that is none."""
    remedy = "name a tokenizer's file or folder"
    try:
        parse_json(text)
    except FormatError:
        raise FormatError(f"not JSON, nor another format of tokenizers; {remedy}") from None
    raise FormatError(f"the JSON document is {text.strip()[:60]}, not an object; {remedy}")


def _read_json(file: Path) -> tuple[ModuleType, BpeModel]:
    """The format and the model of a JSON document."""
    from bpe_transformer.tokenizer.formats import tokenizer_json

    data = read_bytes(file)
    if (vocabulary := tokenizer_json.read_vocabulary(data)) is not None:
        return tokenizer_json, tokenizer_json.from_json(parse_json(vocabulary.rest), vocabulary)
    from bpe_transformer.tokenizer.formats import ranks_json, tekken

    if (found := tekken.read_tokens(data)) is not None:
        document = parse_json(found[0])
        if tekken.recognises_document(document):
            return tekken, tekken.from_json(document, found[1])
    text = as_text(data, file)
    document = parse_json(text) if text.lstrip().startswith(("{", "[")) else _other_value(text)
    for module in (tekken, ranks_json):
        if module.recognises_document(document):
            return module, module.from_json(document)
    if not isinstance(document, dict) or "model" not in document:
        _refuse_document(document, file)
    return tokenizer_json, tokenizer_json.from_json(document)


def _refuse_document(document: Any, file: Path) -> None:
    """Raises `FormatError` for JSON that is known and is no vocabulary."""
    if file.name in _BESIDE:
        there = [name for name in _IN_DIRECTORY if file.with_name(name).is_file()]
        remedy = (
            f"give {file.with_name(there[0])}"
            if there
            else f"give a folder that holds {VOCAB_FILE} or {TOKENIZER_FILE} too"
        )
        raise FormatError(f"it only says more about a vocabulary, which is in another file; {remedy}")
    if isinstance(document, dict) and isinstance(said := document.get("error"), str):
        raise FormatError(
            f"this is the error of a download ({shown(said)}), not the file; check the address and your access, then download "
            "it again"
        )
