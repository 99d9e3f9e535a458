"""Models in CTranslate2: equal scores of given texts and equal greedy outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bpe_transformer.errors import ConversionError
from bpe_transformer.models import FAMILIES
from bpe_transformer.models.convert.ctranslate2 import Vocabulary, to_ctranslate2
from tests.models.convert.test_converters import MODERN, PAD, VOCAB, build

ctranslate2: Any = pytest.importorskip("ctranslate2")

TOKENS = ["<pad>", "<s>", "</s>", *(f"t{id}" for id in range(3, VOCAB))]
VOCABULARY = Vocabulary(TOKENS, bos="<s>", eos="</s>", unk="<pad>", start="<s>")

TRANSLATORS: list[dict[str, Any]] = [
    {"norm_place": "post", "tie_embeddings": False, "output_bias": True},
    {"norm_place": "pre", "activation": "gelu_tanh", "bias": False, "norm_eps": 1e-3},
    {"positions": "learned", "activation": "swiglu", "norm": "rmsnorm", "scale_embeddings": False},
]
DECODERS: list[dict[str, Any]] = [
    {},
    {"positions": "learned", "activation": "gelu", "n_segments": 2, "tie_embeddings": False, "norm_place": "post"},
    {**MODERN, "activation": "swiglu", "n_kv_heads": 2, "bias": False},
    {**MODERN, "activation": "swiglu", "qk_norm": True, "bias": False, "rope_base": 500.0},
]


def saved(family: str, options: dict[str, Any], folder: Path) -> Any:
    model, config, _ = build(family, options)
    spec = to_ctranslate2(FAMILIES[family], config, dict(model.named_parameters()), VOCABULARY, positions=64)
    folder.mkdir()
    spec.save(str(folder))
    return model


@pytest.mark.parametrize("options", TRANSLATORS)
@torch.no_grad()
def test_translators_score_alike(options: dict[str, Any], tmp_path: Path) -> None:
    model = saved("transformer", options, tmp_path / "model")
    engine = ctranslate2.Translator(str(tmp_path / "model"), inter_threads=1, intra_threads=1)
    src, tgt = [[5, 9, 2], [7, 8, 9, 10, 11, 2]], [[4, 6, 30], [20, 3]]
    scored = engine.score_batch(
        [[TOKENS[id] for id in row] for row in src], [[TOKENS[id] for id in row] for row in tgt]
    )
    for source, target, found in zip(src, tgt, scored, strict=True):
        logits = model(torch.tensor([source]), torch.tensor([[1, *target]]))[0].log_softmax(-1)
        wanted = logits.gather(1, torch.tensor([*target, 2])[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(found.log_probs), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", DECODERS)
@torch.no_grad()
def test_language_models_score_alike(options: dict[str, Any], tmp_path: Path) -> None:
    model = saved("gpt", options, tmp_path / "model")
    engine = ctranslate2.Generator(str(tmp_path / "model"), inter_threads=1, intra_threads=1)
    rows = [[2, 5, 9, 30, 4], [2, 7, 8]]
    for row, found in zip(rows, engine.score_batch([[TOKENS[id] for id in row] for row in rows]), strict=True):
        wanted = model(torch.tensor([row]))[0, :-1].log_softmax(-1).gather(1, torch.tensor(row[1:])[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(found.log_probs), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        ("bahdanau", {}, "has no recurrent encoder-decoder"),
        ("bert", {}, "family='bert' does neither"),
        ("transformer", {"activation": "relu2"}, "activation='relu2', where CTranslate2 has"),
        ("transformer", {"positions": "rope", "qk_norm": True, "bias": False}, "positions='rope'.*; qk_norm=True"),
        ("gpt", {"qk_norm": True, "bias": False}, "qk_norm=True without rotary positions"),
    ],
)
def test_what_it_cannot_hold_is_refused_by_name(family: str, options: dict[str, Any], reason: str) -> None:
    found = FAMILIES[family]
    config = found.configure(found.options(**options), vocab_size=VOCAB, pad_id=PAD)
    with pytest.raises(ConversionError, match=reason):
        to_ctranslate2(found, config, {}, VOCABULARY, positions=64)
