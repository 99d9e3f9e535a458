"""The model that a lesson looks into: the reader's run, or a small one."""

from __future__ import annotations

from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import load_mask_filler, load_text_generator, load_translator
from bpe_transformer.inference.attention_weights import token_bytes
from bpe_transformer.inference.mask_filler import MaskFiller
from bpe_transformer.inference.text_generator import TextGenerator
from bpe_transformer.inference.translator import Translator
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.lessons.models import small_models
from bpe_transformer.inspection.lessons.models.small_models import SmallFamily, SmallModel, small_model
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training import load_checkpoint_info

SOURCE = "three cats"  # what translators read unless the reader brings a text
_MOST_TOKENS = 40


def translator_for(family: SmallFamily, writer: Writer, request: Request) -> tuple[Translator, str]:
    """A translator of a family, and where it comes from. Raises `ConfigError` for a run of another family."""
    if request.run is None:
        return Translator(*_parts(small_model(family, small_models.STEPS))), basis(
            writer, request, small_model(family, small_models.STEPS).texts
        )
    check_family(request.run, (family,))
    return load_translator(request.run), basis(writer, request)


def text_generator_for(writer: Writer, request: Request) -> tuple[TextGenerator, str]:
    """A language model, and where it comes from."""
    if request.run is None:
        return TextGenerator(*_parts(small_model("gpt", small_models.STEPS))), basis(
            writer, request, small_model("gpt", small_models.STEPS).texts
        )
    return load_text_generator(request.run), basis(writer, request)


def mask_filler_for(writer: Writer, request: Request) -> tuple[MaskFiller, str]:
    """A masked language model, and where it comes from."""
    if request.run is None:
        return MaskFiller(*_parts(small_model("bert", small_models.STEPS))), basis(
            writer, request, small_model("bert", small_models.STEPS).texts
        )
    return load_mask_filler(request.run), basis(writer, request)


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


def shown(tokens: tuple[bytes, ...]) -> tuple[str, ...]:
    """Tokens as the names of rows and columns. Raises `ConfigError` for more than can be read."""
    if len(tokens) > _MOST_TOKENS:
        raise ConfigError(
            f"the text or its translation has {len(tokens)} tokens, and matrices of more than {_MOST_TOKENS} cannot be "
            "read; shorten it"
        )
    return tuple(map(visible, tokens))


def written(tokenizer: Tokenizer, id: int) -> str:
    """The token of an id, written visibly; empty for an id that no token has."""
    return visible(*token_bytes(tokenizer, [id]))


def _parts(small: SmallModel) -> tuple[Any, Any, Any]:
    return small.model, small.tokenizer, small.info
