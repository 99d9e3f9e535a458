"""The model that a lesson looks into: the reader's run, or a small one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import load_mask_filler, load_text_generator, load_translator
from bpe_transformer.inference.attention_weights import token_bytes
from bpe_transformer.inference.mask_filler import MaskFiller
from bpe_transformer.inference.text_generator import TextGenerator
from bpe_transformer.inference.translator import Translator
from bpe_transformer.inspection.attention.units import fold
from bpe_transformer.inspection.base.split_characters import named_tokens
from bpe_transformer.inspection.base.visible import readable, visible
from bpe_transformer.inspection.lessons.lesson import Matrix
from bpe_transformer.inspection.lessons.models import small_models
from bpe_transformer.inspection.lessons.models.small_models import SmallFamily, small_model
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training import CheckpointInfo, load_checkpoint_info

SOURCE = "three cats"  # what translators read unless the reader brings a text
_MOST_TOKENS = 40
Reader = TypeVar("Reader")


class Tokens(NamedTuple):
    """Ids and the bytes of their tokens."""

    ids: Sequence[int]
    tokens: Sequence[bytes]


def translator_for(family: SmallFamily, writer: Writer, request: Request) -> tuple[Translator, str]:
    """A translator of a family, and where it comes from. Raises `ConfigError` for a run of another family."""
    if request.run is not None:
        check_family(request.run, (family,))
    return _loaded(family, Translator, load_translator, writer, request)


def text_generator_for(writer: Writer, request: Request) -> tuple[TextGenerator, str]:
    """A language model, and where it comes from."""
    return _loaded("gpt", TextGenerator, load_text_generator, writer, request)


def mask_filler_for(writer: Writer, request: Request) -> tuple[MaskFiller, str]:
    """A masked language model, and where it comes from."""
    return _loaded("bert", MaskFiller, load_mask_filler, writer, request)


def _loaded(
    family: SmallFamily,
    build: Callable[[Any, Tokenizer, CheckpointInfo], Reader],
    load: Callable[[str], Reader],
    writer: Writer,
    request: Request,
) -> tuple[Reader, str]:
    """The model of the reader's run, or a small one of a family, and where it comes from."""
    if request.run is not None:
        return load(request.run), basis(writer, request)
    small = small_model(family, small_models.STEPS)
    return build(small.model, small.tokenizer, small.info), basis(writer, request, small.texts)


def basis(writer: Writer, request: Request, texts: int = 0) -> str:
    """Where the numbers come from, in words."""
    if request.run is None:
        return writer.label("basis_small", pairs=texts, steps=small_models.STEPS)
    return writer.label("basis_run", run=request.run)


def check_family(run: str, families: tuple[str, ...]) -> str:
    """The family of a run. Raises `ConfigError` unless it is one of `families`."""
    found = load_checkpoint_info(run).settings.family
    if found not in families:
        raise ConfigError(f"{run} holds a model of family {found}; this lesson reads one of {' or '.join(families)}")
    return found


def shown(tokens: Sequence[bytes]) -> tuple[str, ...]:
    """Tokens as the names of rows and columns; one that is part of a character is followed by it.

    Raises `ConfigError` for more than can be read.
    """
    _check_readable(len(tokens))
    return tuple(named_tokens(tokens))


def weights_matrix(
    writer: Writer, name: str, weights: Tensor, tokenizer: Tokenizer, rows: Tokens, columns: Tokens
) -> Matrix:
    """Attention weights (T, S) between tokens, or, where some are only parts of characters, between words.

    Columns of a word's tokens are summed, their rows averaged. Raises `ConfigError` for more than can be read.
    """
    if all(readable(token) is not None for token in (*rows.tokens, *columns.tokens)):
        return Matrix.of(name, weights, shown(rows.tokens), shown(columns.tokens))
    tgt, src = (fold(tokenizer, side.ids, side.tokens) for side in (rows, columns))
    _check_readable(max(len(tgt.names), len(src.names)))
    folded = torch.from_numpy(tgt.mean_rows(src.sum_columns(weights.detach().float().numpy())))
    names = [tuple(map(visible, side.names)) for side in (tgt, src)]
    return Matrix.of(writer.label("folded", name=name), folded, *names)


def _check_readable(count: int) -> None:
    if count > _MOST_TOKENS:
        raise ConfigError(
            f"the text or its translation has {times(count, 'token')}, and matrices of more than {_MOST_TOKENS} cannot be "
            "read; shorten it"
        )


def written(tokenizer: Tokenizer, id: int) -> str:
    """The token of an id, written visibly; empty for an id that no token has."""
    return visible(*token_bytes(tokenizer, [id]))
