"""What holds for every family and every option."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bpe_transformer.models.decoder_only import DecoderOnly
from bpe_transformer.models.encoder_only import EncoderOnly
from bpe_transformer.models.heads import Classifier
from bpe_transformer.models.registry import FAMILIES

VOCAB, PAD = 40, 0
TRANSFORMER: dict[str, dict[str, Any]] = {
    "plain": {},
    "post-norm": {"norm_place": "post"},
    "learned": {"positions": "learned"},
    "rope": {"positions": "rope"},
    "no positions": {"positions": "none"},
    "rmsnorm": {"norm": "rmsnorm"},
    "grouped": {"n_kv_heads": 2},
    "no bias": {"bias": False},
    "qk-norm": {"qk_norm": True, "positions": "rope"},
    "swiglu": {"activation": "swiglu"},
    "relu2": {"activation": "relu2"},
    "gelu": {"activation": "gelu"},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "untied": {"tie_embeddings": False},
    "embedding norm": {"embedding_norm": True, "scale_embeddings": False, "n_segments": 2},
    "gpt2 init": {"init": "gpt2"},
    "bert init": {"init": "bert"},
}
RECURRENT: dict[str, dict[str, Any]] = {
    "plain": {},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn"},
    "lstm": {"cell": "lstm"},
    "one way": {"bidirectional": False},
    "one layer": {"n_layers": 1},
    "narrow embedding": {"d_embedding": 20},
    "untied": {"tie_embeddings": False, "d_embedding": 24},
}
LUONG: dict[str, dict[str, Any]] = {f"luong {score}": {"score": score} for score in ("general", "concat")} | {
    "luong dot": {"score": "dot", "bidirectional": False}
}
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "transformer": TRANSFORMER,
    "gpt": TRANSFORMER,
    "bert": TRANSFORMER,
    "lstm": RECURRENT,
    "bahdanau": {**RECURRENT, **LUONG},
}
ALL = [(family, name) for family, options in OPTIONS.items() for name in options]
SEQ2SEQ = [(family, name) for family, name in ALL if FAMILIES[family].task == "translation"]


def build(family: str, name: str = "plain") -> Any:
    torch.manual_seed(3)
    shape: dict[str, Any] = {"d_model": 32, "n_layers": 2, "max_len": 24, "dropout": 0.0}
    if family in ("transformer", "gpt", "bert"):
        shape |= {"n_heads": 4, "d_ff": 48}
    found = FAMILIES[family]
    options = found.options(**{**shape, **OPTIONS[family][name]})  # type: ignore[arg-type]
    model = found.build(found.configure(options, vocab_size=VOCAB, pad_id=PAD)).eval()
    with torch.no_grad():  # so that options that begin as the identity matter
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(3, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def logits_of(model: Any, family: str, x: Tensor) -> Tensor:
    return model(x, ids(x.size(0), 6, seed=9)) if FAMILIES[family].task == "translation" else model(x)


@pytest.mark.parametrize(("family", "name"), SEQ2SEQ)
@torch.no_grad()
def test_cached_decoding_equals_one_pass(family: str, name: str) -> None:
    model = build(family, name)
    src, tgt = ids(3, 7), ids(3, 6, seed=1)
    src[1, 4:] = PAD
    memory = model.encode(src)
    whole = model.decode(tgt, memory)
    for sizes in ([1] * 6, [2, 1, 3]):
        cache = model.new_cache(capacity=2)
        parts = [model.decode(part, memory, cache=cache) for part in tgt.split(sizes, dim=1)]
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(src, tgt), model.head(whole))


@pytest.mark.parametrize(("family", "name"), SEQ2SEQ)
@torch.no_grad()
def test_beams_of_a_source_share_its_memory(family: str, name: str) -> None:
    model = build(family, name)
    src, tgt = ids(2, 7), ids(6, 3, seed=1)
    src[1, 4:] = PAD
    copied = model.decode(tgt, model.encode(src.repeat_interleave(3, dim=0)))
    cache, memory = model.new_cache(), model.encode(src)
    shared = [model.decode(part, memory, cache=cache) for part in tgt.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(shared, dim=1), copied, atol=1e-5, rtol=0)
    # and when the second source and some beams are given up, the rest goes on as before
    rows, sources = torch.tensor([4, 3, 5]), torch.tensor([1])
    cache.reorder(rows, sources)
    after = model.decode(ids(3, 1, seed=2), memory.select(sources), cache=cache)
    expected = model.decode(torch.cat((tgt[rows], ids(3, 1, seed=2)), dim=1), model.encode(src[[1, 1, 1]]))
    torch.testing.assert_close(after[:, 0], expected[:, -1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", TRANSFORMER)
@torch.no_grad()
def test_a_language_models_cached_steps_equal_one_pass(name: str) -> None:
    model = build("gpt", name)
    x = ids(3, 8)
    whole = model(x)
    cache = model.new_cache(capacity=2)
    parts = [model(part, cache=cache) for part in x.split([3, 1, 1, 3], dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", TRANSFORMER)
@torch.no_grad()
def test_prompts_of_several_lengths_go_on_as_if_alone(name: str) -> None:
    model = build("gpt", name)
    x, lengths = ids(3, 8), torch.tensor([4, 1, 3])
    prompts = x[:, :4].clone()
    for row, length in enumerate(lengths.tolist()):
        prompts[row, length:] = PAD
    cache = model.new_cache(capacity=2)
    first = model(prompts, cache=cache)
    cache.trim(lengths)
    rows = torch.arange(3)
    torch.testing.assert_close(first[rows, lengths - 1], model(x)[rows, lengths - 1], atol=1e-5, rtol=0)
    for step in range(3):
        got = model(x[rows, lengths + step][:, None], cache=cache)
        torch.testing.assert_close(got[:, 0], model(x)[rows, lengths + step], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("family", "name"), ALL)
@torch.no_grad()
def test_a_rows_result_does_not_depend_on_its_batch(family: str, name: str) -> None:
    model = build(family, name)
    x = ids(3, 8)
    x[0, 5:] = PAD
    x[2, 3:] = PAD
    together = logits_of(model, family, x)
    alone = model(x[:1, :5], ids(3, 6, seed=9)[:1]) if FAMILIES[family].task == "translation" else model(x[:1, :5])
    torch.testing.assert_close(together[:1, : alone.size(1)], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["transformer", "gpt", "lstm", "bahdanau"])
@torch.no_grad()
def test_no_position_sees_the_future(family: str) -> None:
    model = build(family)
    tgt, changed = ids(2, 6), ids(2, 6)
    changed[:, 4:] = ids(2, 2, seed=5)
    if family == "gpt":
        one, other = model(tgt), model(changed)
    else:
        one, other = model(ids(2, 5, seed=1), tgt), model(ids(2, 5, seed=1), changed)
    torch.testing.assert_close(one[:, :4], other[:, :4], atol=1e-5, rtol=0)
    assert (one[:, 4:] - other[:, 4:]).abs().max() > 1e-3


@torch.no_grad()
def test_an_encoder_sees_both_sides() -> None:
    model = build("bert")
    x, changed = ids(2, 6), ids(2, 6)
    changed[:, 5] = (x[:, 5] + 1).clamp(3, VOCAB - 1)
    assert (model(x)[:, 0] - model(changed)[:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize(("family", "name"), ALL)
@torch.no_grad()
def test_attention_weights_sum_to_one_and_have_their_shapes(family: str, name: str) -> None:
    model = build(family, name)
    src, tgt = ids(2, 5), ids(2, 4, seed=1)
    src[1, 3:] = PAD
    got = model.attention(src, tgt) if FAMILIES[family].task == "translation" else model.attention(src)
    assert {kind for kind in ("encoder", "decoder", "cross") if getattr(got, kind) is not None} == set(
        FAMILIES[family].attention
    )
    for weights in got:
        if weights is not None:
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), atol=1e-5, rtol=0)
    if got.cross is not None:
        assert got.cross.shape[-2:] == (4, 5)
        assert got.cross[:, 1, :, :, 3:].abs().max() == 0


@pytest.mark.parametrize(("family", "name"), ALL)
def test_every_parameter_learns(family: str, name: str) -> None:
    model = build(family, name).train()
    logits_of(model, family, ids(3, 8)).logsumexp(-1).sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not silent


@pytest.mark.parametrize("family", ["transformer", "lstm", "bahdanau", "gpt", "bert"])
@torch.no_grad()
def test_tied_embeddings_are_one_matrix(family: str) -> None:
    tied, untied = build(family), build(family, "untied")
    inputs = {
        "transformer": "tgt_embedding.tokens",
        "lstm": "tgt_embedding.tokens",
        "bahdanau": "tgt_embedding.tokens",
        "gpt": "trunk.embedding.tokens",
        "bert": "trunk.embedding.tokens",
    }
    for model, shared in ((tied, True), (untied, False)):
        embedding = model.get_submodule(inputs[family]).weight
        before = logits_of(model, family, ids(2, 5))
        assert (model.head.weight is embedding) == shared
        # moving the output matrix moves the inputs when tied, and the logits of a row of the matrix in any case
        kept = embedding.clone()
        model.head.weight.add_(1.0)
        assert torch.equal(embedding, kept) != shared
        assert not torch.allclose(logits_of(model, family, ids(2, 5)), before)


@pytest.mark.parametrize("pool", ["first", "mean", "last"])
@pytest.mark.parametrize("trunk", [DecoderOnly, EncoderOnly])
@torch.no_grad()
def test_a_classifier_stands_on_any_trunk(trunk: Any, pool: Any) -> None:
    config = build("bert").config
    torch.manual_seed(0)
    model = Classifier(trunk(config), n_classes=3, pool=pool).eval()
    x = ids(3, 8)
    x[0, 5:] = PAD
    logits = model(x)
    assert logits.shape == (3, 3)
    torch.testing.assert_close(logits[:1], model(x[:1, :5]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_classifier_takes_the_trunk_of_a_pretrained_model() -> None:
    for family in ("bert", "gpt"):
        pretrained = build(family)
        model = Classifier(type(pretrained.trunk)(pretrained.config), n_classes=2)
        model.trunk.load_state_dict(pretrained.trunk.state_dict())
        x = ids(2, 5)
        torch.testing.assert_close(model.eval().trunk(x), pretrained.states(x))


@torch.no_grad()
def test_a_bidirectional_encoder_equals_torchs_on_packed_rows() -> None:
    from torch.nn.utils.rnn import pack_sequence

    model = build("lstm")
    x, lengths = torch.randn(3, 6, 32), torch.tensor([6, 2, 4])
    states, final = model.encoder(x, lengths)
    packed = pack_sequence([row[:n] for row, n in zip(x, lengths.tolist(), strict=True)], enforce_sorted=False)
    theirs = torch.nn.LSTM(32, 32, model.config.n_layers, bidirectional=True)
    theirs.load_state_dict(model.encoder.rnn.state_dict())
    _, (h, c) = theirs(packed)
    torch.testing.assert_close(final[0].flatten(0, 1), h, atol=1e-5, rtol=0)
    torch.testing.assert_close(final[1].flatten(0, 1), c, atol=1e-5, rtol=0)
    assert states[1, 2:].abs().max() == 0
