"""Every family against its classes of `transformers`, both ways: equal logits, padding included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from bpe_transformer.errors import ConversionError
from bpe_transformer.models import FAMILIES
from bpe_transformer.models.convert import SpecialTokens, converter_of, native_from
from bpe_transformer.models.convert.converter import Head

VOCAB, PAD = 40, 0
SPECIAL = SpecialTokens(pad=PAD, bos=1, eos=2)
LABELS = ("a", "b", "c")
MODERN = {"positions": "rope", "norm": "rmsnorm", "scale_embeddings": False}

# (family, options, class)
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("transformer", {"norm_place": "post"}, "MarianMTModel"),
    ("transformer", {"norm_place": "post", "tie_embeddings": False, "output_bias": True, "bias": False}, "MarianMTModel"),
    ("transformer", {"norm_place": "pre", "activation": "gelu"}, "PegasusForConditionalGeneration"),
    ("transformer", {"scale_embeddings": False, "output_bias": True}, "PegasusForConditionalGeneration"),
    ("gpt", {"positions": "learned", "activation": "gelu_tanh", "scale_embeddings": False}, "GPT2LMHeadModel"),
    ("gpt", {"positions": "learned", "scale_embeddings": False, "tie_embeddings": False}, "GPT2LMHeadModel"),
    ("gpt", {}, "GPT2LMHeadModel"),  # sinusoids and a factor
    ("gpt", {"positions": "none", "n_segments": 2, "bias": False, "activation": "relu2"}, "GPT2LMHeadModel"),
    ("gpt", {**MODERN, "activation": "swiglu", "n_kv_heads": 2}, "LlamaForCausalLM"),
    ("gpt", {**MODERN, "activation": "swiglu", "qk_norm": True, "bias": False}, "Qwen3ForCausalLM"),
    ("gpt", {**MODERN, "activation": "relu2", "tie_embeddings": False, "rope_base": 5000.0}, "ArceeForCausalLM"),
    ("gpt", {**MODERN, "activation": "relu2", "qk_norm": True, "bias": False, "n_kv_heads": 1}, "ApertusForCausalLM"),
    ("gpt", {**MODERN, "activation": "relu2", "scale_embeddings": True}, "ArceeForCausalLM"),
    ("bert", {"norm_place": "post", "embedding_norm": True, "positions": "learned", "n_segments": 2, "scale_embeddings": False}, "BertForMaskedLM"),
    ("bert", {"norm_place": "post", "embedding_norm": True, "tie_embeddings": False, "activation": "gelu"}, "BertForMaskedLM"),
    ("bert", {"positions": "learned", "activation": "gelu"}, "MegatronBertForMaskedLM"),
    ("bert", {"norm_place": "post", "embedding_norm": True, "classes": LABELS}, "BertForSequenceClassification"),
    ("bert", {"tie_embeddings": False, "classes": LABELS}, "MegatronBertForSequenceClassification"),
]  # fmt: skip


def build(family: str, options: dict[str, Any]) -> tuple[Any, Any, Head]:
    """(model, config, head) with random weights everywhere, norms and biases too."""
    torch.manual_seed(3)
    labels = options.get("classes", ())
    shape: dict[str, Any] = {"d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 48, "max_len": 24, "dropout": 0.0}
    found = FAMILIES[family]
    chosen = {name: value for name, value in options.items() if name != "classes"}
    config: Any = found.configure(found.options(**{**shape, **chosen}), vocab_size=VOCAB, pad_id=PAD)  # type: ignore[arg-type]
    model = found.build_classifier(config, n_classes=len(labels)) if labels else found.build(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval(), config, Head(labels, "first")


def batch() -> tuple[Tensor, Tensor]:
    """ids (3, 8), padded at the end, and target ids (3, 6)."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(3, VOCAB, (3, 8), generator=draw)
    x[0, 5:] = PAD
    x[2, 3:] = PAD
    return x, torch.cat((torch.ones(3, 1, dtype=torch.long), torch.randint(3, VOCAB, (3, 5), generator=draw)), dim=1)


def theirs(class_name: str, config: dict[str, Any], weights: dict[str, Tensor]) -> Any:
    """A model of `transformers` with these fields and weights, every one of them used and none missing but tables."""
    cls = getattr(transformers, class_name)
    kept = {name: value for name, value in config.items() if name not in ("architectures", "model_type")}
    model = cls(cls.config_class(**kept))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected
    tied = set(model.all_tied_weights_keys) if hasattr(model, "all_tied_weights_keys") else set()
    assert all("embed_positions" in name or name in tied for name in missing), missing
    model.tie_weights()
    return model.eval()


def equal_logits(family: str, ours: Any, other: Any, labels: tuple[str, ...]) -> None:
    x, y = batch()
    real = x != PAD
    if family == "transformer":
        mine, foreign = ours(x, y), other(input_ids=x, attention_mask=real.long(), decoder_input_ids=y).logits
    else:
        mine, foreign = ours(x), other(input_ids=x, attention_mask=real.long()).logits
        if not labels:
            mine, foreign = mine[real], foreign[real]
    torch.testing.assert_close(foreign, mine, atol=1e-4 * max(1.0, float(mine.abs().max())), rtol=0)


@pytest.mark.parametrize(("family", "options", "class_name"), CASES)
@torch.no_grad()
def test_both_directions_give_equal_logits(family: str, options: dict[str, Any], class_name: str) -> None:
    model, config, head = build(family, options)
    weights = dict(model.named_parameters())
    foreign = converter_of(FAMILIES[family], config, head).to_transformers(config, weights, SPECIAL, head)
    assert foreign.class_name == class_name
    other = theirs(class_name, foreign.config, foreign.weights)
    equal_logits(family, model, other, head.labels)

    written = other.config.to_diff_dict()
    native = native_from(class_name, written, other.state_dict())
    assert (native.family, native.vocab_size, native.pad, native.eos) == (family, VOCAB, PAD, SPECIAL.eos)
    assert native.labels == head.labels
    found = FAMILIES[native.family]
    again_config: Any = found.configure(found.options(**native.options), vocab_size=VOCAB, pad_id=PAD)  # type: ignore[arg-type]
    again = found.build_classifier(again_config, n_classes=3) if head.labels else found.build(again_config)
    names = dict(again.named_parameters())
    assert set(native.weights) == set(names)
    again.load_state_dict(native.weights, strict=False)
    equal_logits(family, again.eval(), other, head.labels)
    # and what was read is written again as it was
    twice = converter_of(found, again_config, head).to_transformers(again_config, native.weights, SPECIAL, head)
    assert twice.class_name == class_name
    for name, value in twice.weights.items():
        torch.testing.assert_close(value, foreign.weights[name], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        ("lstm", {}, "no class for family='lstm', a recurrent encoder-decoder"),
        ("bahdanau", {}, "no class for family='bahdanau'"),
        ("transformer", {"positions": "rope"}, "positions='rope', where .* has 'sinusoidal'"),
        ("transformer", {"activation": "swiglu"}, "activation='swiglu'"),
        ("transformer", {"n_kv_heads": 2}, "n_kv_heads=2, where .* has as many as n_heads=4"),
        ("transformer", {"norm_eps": 1e-6, "norm_place": "post"}, "norm_eps=1e-06, where MarianMTModel has 1e-05"),
        ("transformer", {"tie_embeddings": False}, "tie_embeddings=False, where PegasusForConditionalGeneration has True"),
        ("gpt", {"norm_place": "post"}, "norm_place='post'"),
        ("gpt", {"norm": "rmsnorm"}, "positions='sinusoidal', where ArceeForCausalLM has 'rope'|norm='rmsnorm'"),
        ("gpt", {**MODERN, "qk_norm": True, "activation": "swiglu"}, "bias=True, where Qwen3ForCausalLM has False"),
        ("gpt", {"classes": LABELS}, "a classifier"),
        ("bert", {"embedding_norm": True}, "embedding_norm=True, where MegatronBert"),
    ],
)  # fmt: skip
def test_what_no_class_holds_is_refused_by_name(family: str, options: dict[str, Any], reason: str) -> None:
    found = FAMILIES[family]
    chosen = {name: value for name, value in options.items() if name != "classes"}
    config = found.configure(found.options(**chosen), vocab_size=VOCAB, pad_id=PAD)
    with pytest.raises(ConversionError, match=reason):
        converter_of(found, config, Head(options.get("classes", ())))


@pytest.mark.parametrize(
    ("class_name", "fields", "reason"),
    [
        ("MambaForCausalLM", {}, "MambaForCausalLM is not read; MarianMTModel, "),
        ("GPT2LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
        ("GPT2LMHeadModel", {"activation_function": "mish"}, "'mish' is none of"),
        ("LlamaForCausalLM", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "llama3"),
        ("LlamaForCausalLM", {"mlp_bias": False}, "biases in its attention or its feed-forward alone"),
        ("Qwen3ForCausalLM", {"head_dim": 16}, "head_dim=16"),
        ("ApertusForCausalLM", {"hidden_act": "xielu"}, "'xielu' is none of"),
        ("MarianMTModel", {"decoder_layers": 1}, "encoder_layers=2 and decoder_layers=1"),
        ("BertForMaskedLM", {"is_decoder": True}, "is_decoder=True"),
    ],
)
def test_foreign_fields_that_compute_something_else_are_refused(
    class_name: str, fields: dict[str, Any], reason: str
) -> None:
    case = next((case for case in CASES if case[2] == class_name), CASES[0])
    model, config, head = build(*case[:2])
    foreign = converter_of(FAMILIES[case[0]], config, head).to_transformers(
        config,
        dict(model.named_parameters()),
        SPECIAL,
        head,
    )
    with pytest.raises(ConversionError, match=reason):
        native_from(class_name, {**foreign.config, **fields}, foreign.weights)
