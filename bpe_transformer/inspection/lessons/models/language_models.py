"""The lessons `bert` and `gpt`: one trunk with and without the mask; a hidden word, and the next word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.attention_weights import token_bytes
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.lessons.lesson import Step, Table
from bpe_transformer.inspection.lessons.models.loaded import (
    Tokens,
    mask_filler_for,
    shown,
    text_generator_for,
    weights_matrix,
    written,
)
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models import DecoderOnly, EncoderOnly
from bpe_transformer.tokenizer import Tokenizer

SENTENCE = "three cats sleep and they are old"
HIDDEN = ("<mask> cats sleep and they are old", "<mask> cat sleeps and it is old", "three cats sleep and<mask> are old")
_CANDIDATES = 4


def bert_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    filler, basis = mask_filler_for(writer, request)
    mask = str(filler.tokenizer.roles.mask)
    given = HIDDEN if request.text is None else (request.text,)
    texts = [text.replace("<mask>", mask) for text in given]
    ids = [filler.special.eos, *filler.tokenizer.encode(texts[-1], allowed_special={mask}, disallowed_special=())]
    rows = []
    for text in texts:
        for number, gap in enumerate(filler.candidates(text, limit=_CANDIDATES).masks, 1):
            named = [f"{visible(found.token)} {found.probability:.2f}" for found in gap]
            rows.append((f"{text} ({number})" if text.count(mask) > 1 else text, *named))
    names = (writer.label("text"), *(writer.label("candidate", place=place + 1) for place in range(len(rows[0]) - 1)))
    predicted = writer.step("predict", Table("", names, tuple(rows)), mask=mask)
    return basis, (*_trunk_steps(writer, filler.model.trunk, filler.tokenizer, ids), predicted)


def gpt_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    generator, basis = text_generator_for(writer, request)
    text = SENTENCE if request.text is None else request.text
    ids = [generator.special.eos, *generator.tokenizer.encode_ordinary(text)]
    found = generator.model(torch.tensor([ids]))[0].float().softmax(dim=-1)
    best = found.topk(_CANDIDATES)
    tokens = shown(token_bytes(generator.tokenizer, ids))
    rows, surprises = [], []
    for place, token in enumerate(tokens):
        pairs = zip(best.indices[place].tolist(), best.values[place].tolist(), strict=True)
        named = [f"{written(generator.tokenizer, id)} {value:.2f}" for id, value in pairs]
        rows.append((token, *named))
        if place + 1 < len(ids):
            surprises.append(-float(found[place, ids[place + 1]].log2()))
    names = (writer.label("after"), *(writer.label("candidate", place=place + 1) for place in range(_CANDIDATES)))
    bits = writer.step(
        "bits",
        Table(
            "",
            (writer.label("token"), writer.label("probability"), writer.label("bits")),
            tuple(
                (token, f"{2**-value:.3f}", f"{value:.2f}") for token, value in zip(tokens[1:], surprises, strict=True)
            ),
        ),
        total=sum(surprises),
        mean=sum(surprises) / max(len(surprises), 1),
    )
    predicted = writer.step("predict", Table("", names, tuple(rows)), text=text)
    return basis, (*_trunk_steps(writer, generator.model.trunk, generator.tokenizer, ids), predicted, bits)


def _trunk_steps(writer: Writer, trunk: nn.Module, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[Step, ...]:
    """The weights of one trunk with the mask and without it, and which states a change of the last token reaches."""
    if len(ids) < 3:
        raise ConfigError("the text is one token; give at least two words, so that there is something to look at")
    config = trunk.config
    causal, full = DecoderOnly(config).eval(), EncoderOnly(config).eval()  # type: ignore[arg-type]
    causal.load_state_dict(trunk.state_dict())
    full.load_state_dict(trunk.state_dict())
    batch = torch.tensor([ids])
    sides = Tokens(ids, token_bytes(tokenizer, ids))
    tokens = shown(sides.tokens)
    figures = []
    for name, model in (("without_mask", full), ("with_mask", causal)):
        mean = model.attention(batch)[-1, 0].mean(dim=0)
        figures.append(weights_matrix(writer, writer.label(name), mean, tokenizer, sides, sides))
    changed = batch.clone()
    changed[0, -1] = ids[1] if ids[-1] != ids[1] else ids[0]
    moved = [(model(batch) - model(changed))[0].abs().amax(dim=-1) for model in (full, causal)]
    rows = tuple((token, _size(moved[0][place]), _size(moved[1][place])) for place, token in enumerate(tokens))
    table = Table("", (writer.label("token"), writer.label("without_mask"), writer.label("with_mask")), rows)
    return (
        writer.step("trunk", *figures, count=sum(parameter.numel() for parameter in trunk.parameters())),
        writer.step("reach", table, last=tokens[-1], other=written(tokenizer, int(changed[0, -1]))),
    )


def _size(value: Tensor) -> str:
    return "0" if float(value) == 0 else f"{float(value):.2f}"
