"""The lesson `seq2seq`: everything through one vector, what that loses, and Bahdanau's attention step by step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bpe_transformer.inference.translator import Translator
from bpe_transformer.inspection.lessons.lesson import Matrix, Step, Table
from bpe_transformer.inspection.lessons.models.loaded import (
    SOURCE,
    Tokens,
    check_family,
    shown,
    translator_for,
    weights_matrix,
)
from bpe_transformer.inspection.lessons.numbers.given import short
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.recurrent import BahdanauDecoder, LuongDecoder, RecurrentSeq2Seq

_DRAWS = 10_000
_KEPT = 5
_WIDTHS = (10, 100)
_FEATURES = 6
_LONG = 8  # times the text is repeated, for a long source


def seq2seq_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    small = Request()
    family = None if request.run is None else check_family(request.run, ("lstm", "bahdanau"))
    through_one, basis = translator_for("lstm", writer, request if family == "lstm" else small)
    attending, other = translator_for("bahdanau", writer, request if family == "bahdanau" else small)
    text = SOURCE if request.text is None else request.text
    steps = (_vector_step(writer, through_one, text), _loss_step(writer), *_attention_steps(writer, attending, text))
    return (other if family == "bahdanau" else basis), steps


def _vector_step(writer: Writer, translator: Translator, text: str) -> Step:
    """The numbers in all source tokens beside those in the one state that the decoder begins with."""
    model = translator.model
    rows = []
    for source in (text, " ".join([text] * _LONG)):
        ids = [*translator.tokenizer.encode_ordinary(source), translator.special.eos]
        memory = model.encode(torch.tensor([ids]))
        width = model.config.embedding_dim  # type: ignore[union-attr]
        state = sum(part.numel() for part in memory.hidden)
        rows.append((str(len(ids)), f"{len(ids)} × {width} = {len(ids) * width:,}", f"{state:,}"))
    names = (writer.label("source_tokens"), writer.label("numbers_read"), writer.label("numbers_kept"))
    return writer.step("vector", Table("", names, tuple(rows)), kept=rows[0][-1], text=text)


def _loss_step(writer: Writer) -> Step:
    """What of independent numbers is lost when a linear map keeps five: the share of their variance."""
    rows = []
    generator = torch.Generator().manual_seed(0)
    for width in _WIDTHS:
        x = torch.randn(_DRAWS, width, generator=generator)
        directions, _ = torch.linalg.qr(torch.randn(width, _KEPT, generator=generator))
        restored = x @ directions @ directions.T  # the best that a linear map makes of the five numbers
        lost = float((x - restored).square().sum() / x.square().sum())
        rows.append((str(width), str(_KEPT), f"{100 * (1 - _KEPT / width):.0f} %", f"{100 * lost:.1f} %"))
    names = tuple(writer.label(name) for name in ("numbers", "kept", "lost", "lost_drawn"))
    worked = tuple(f"1 − {_KEPT} / {width} = {short(1 - _KEPT / width)}" for width in _WIDTHS)
    return writer.step("loss", Table("", names, tuple(rows)), worked=worked, draws=_DRAWS)


def _attention_steps(writer: Writer, translator: Translator, text: str) -> tuple[Step, ...]:
    """Scores, weights and context of every step, as the decoder computes them."""
    model = translator.model
    assert isinstance(model, RecurrentSeq2Seq)
    decoder = model.decoder
    assert isinstance(decoder, (BahdanauDecoder, LuongDecoder))
    seen: list[tuple[Any, Any]] = []
    handle = decoder.attention.register_forward_hook(lambda _, inputs, outputs: seen.append((inputs, outputs)))
    try:
        found = translator.attention(text)
        seen.clear()  # of the search; what follows is one pass over what it wrote
        src, tgt = torch.tensor([found.src_ids]), torch.tensor([found.tgt_ids])
        model.attention(src, tgt)
    finally:
        handle.remove()
    scores = torch.cat([decoder.attention.scores(query, keys)[0] for (query, keys, _, _), _ in seen])
    contexts = torch.cat([context[0] for _, (context, _) in seen])
    weights = torch.cat([weight[0] for _, (_, weight) in seen])
    states: Tensor = seen[0][0][2][0]  # (S, M)
    layer = found.layer(None, "cross")
    rows, columns = shown(layer.tgt_tokens), shown(layer.src_tokens)
    read, wrote = Tokens(found.src_ids, layer.src_tokens), Tokens(found.row_ids("cross"), layer.tgt_tokens)
    shares = weights_matrix(writer, "softmax", weights, translator.tokenizer, wrote, read)
    largest = [value or 0.0 for value in shares.values[0]]
    first = weights[0].tolist()
    terms = " + ".join(f"{weight:.2f}×{float(state):.2f}" for weight, state in zip(first, states[:, 0], strict=True))
    return (
        writer.step(
            "scores",
            Matrix.of(writer.label("scores_name"), scores, rows, columns),
            shape=(len(rows), len(columns)),
            formula=writer.label("additive" if isinstance(decoder, BahdanauDecoder) else "other_score"),
        ),
        writer.step(
            "weights",
            shares,
            first=shares.rows[0],
            best=shares.columns[largest.index(max(largest))],
        ),
        writer.step(
            "context",
            Matrix.of(writer.label("contexts", count=_FEATURES), contexts[:, :_FEATURES], rows),
            worked=(f"{terms} = {float(contexts[0, 0]):.2f}",),
            first=rows[0],
            written=translator.tokenizer.decode(tgt[0, 1:].tolist()),
        ),
    )
