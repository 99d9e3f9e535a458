"""The lesson `encoder-decoder`: one sentence through a Transformer, with a trained model's real values."""

from __future__ import annotations

import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.attention_weights import AttentionKind, AttentionWeights
from bpe_transformer.inference.translator import Translator
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.lessons.lesson import Matrix, Step, Table
from bpe_transformer.inspection.lessons.models.loaded import (
    SOURCE,
    Tokens,
    shown,
    translator_for,
    weights_matrix,
    written,
)
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models import EncoderDecoder
from bpe_transformer.tokenizer import Tokenizer

_FEATURES = 6  # of a vector, as many as are shown
_CANDIDATES = 3
_KINDS: tuple[AttentionKind, ...] = ("encoder", "decoder", "cross")  # in the order of the computation


def encoder_decoder_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    translator, basis = translator_for("transformer", writer, request)
    model = translator.model
    assert isinstance(model, EncoderDecoder)
    text = SOURCE if request.text is None else request.text.strip()
    if not text:
        raise ConfigError("the text is empty; give a text with at least one word")
    weights = translator.attention(text)
    src_ids = list(weights.src_ids)
    steps = (
        _tokens_step(writer, weights, src_ids, text),
        _embedding_step(writer, model, weights, src_ids),
        *(_weights_step(writer, kind, weights, translator.tokenizer) for kind in _KINDS),
        _writing_step(writer, translator, weights),
    )
    return basis, steps


def _tokens_step(writer: Writer, weights: AttentionWeights, src_ids: list[int], text: str) -> Step:
    rows = tuple((name, str(id)) for name, id in zip(shown(weights.src_tokens), src_ids, strict=True))
    table = Table("", (writer.label("token"), "id"), rows)
    return writer.step("tokens", table, text=text, count=len(rows), end=visible(weights.end_token))


def _embedding_step(writer: Writer, model: EncoderDecoder, weights: AttentionWeights, src_ids: list[int]) -> Step:
    embedding = model.src_embedding
    ids, positions = torch.tensor([src_ids]), torch.arange(len(src_ids))
    total = embedding(ids, positions, len(src_ids))[0]
    token = embedding.tokens(ids)[0] * embedding.scale
    worked = (
        f"{float(token[0, 0]):.3f} + {float((total - token)[0, 0]):.3f} = {float(total[0, 0]):.3f}",
        f"{float(token[-1, 0]):.3f} + {float((total - token)[-1, 0]):.3f} = {float(total[-1, 0]):.3f}",
    )
    shape = (1, len(src_ids), model.config.d_model)
    matrix = Matrix.of(writer.label("vectors", count=_FEATURES), total[:, :_FEATURES], shown(weights.src_tokens))
    return writer.step(
        "embedding",
        matrix,
        worked=worked,
        shape=shape,
        scale=embedding.scale,
        positions=model.config.positions,
        token_length=float(token.norm(dim=-1).mean()),
        position_length=float((total - token).norm(dim=-1).mean()),
    )


def _weights_step(writer: Writer, kind: AttentionKind, weights: AttentionWeights, tokenizer: Tokenizer) -> Step:
    """The mean over the heads of the last layer."""
    found = getattr(weights, kind)
    layer = weights.layer(None, kind)
    rows = Tokens(weights.row_ids(kind), layer.tgt_tokens)
    columns = Tokens(weights.column_ids(kind), layer.src_tokens)
    mean = torch.from_numpy(layer.weights).mean(dim=0)
    name = writer.label("attends_to", kind=writer.label(f"{kind}_name"), layer=len(found), heads=len(layer.weights))
    matrix = weights_matrix(writer, name, mean, tokenizer, rows, columns)
    first = [value or 0.0 for value in matrix.values[0]]
    best = first.index(max(first))
    return writer.step(
        kind,
        matrix,
        rows=len(rows.tokens),
        columns=len(columns.tokens),
        first=matrix.rows[0],
        best=matrix.columns[best],
        weight=first[best],
    )


def _writing_step(writer: Writer, translator: Translator, weights: AttentionWeights) -> Step:
    """The most probable tokens of every step."""
    src_ids, tgt_ids = list(weights.src_ids), list(weights.tgt_ids)
    names_before = shown(weights.tgt_tokens)
    logits = translator.model(torch.tensor([src_ids]), torch.tensor([tgt_ids]))[0]
    found = logits.float().softmax(dim=-1).topk(_CANDIDATES)
    rows = []
    for step, (values, ids) in enumerate(zip(found.values.tolist(), found.indices.tolist(), strict=True)):
        before = names_before[step]
        named = [f"{written(translator.tokenizer, id)} {value:.2f}" for id, value in zip(ids, values, strict=True)]
        rows.append((before, *named))
    names = (writer.label("after"), *(writer.label("candidate", place=place + 1) for place in range(_CANDIDATES)))
    return writer.step(
        "writing",
        Table("", names, tuple(rows)),
        vocab=translator.tokenizer.vocab_size,
        written=translator.tokenizer.decode(tgt_ids[1:]),
    )
