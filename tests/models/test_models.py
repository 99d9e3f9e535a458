from __future__ import annotations

from typing import Any

import pytest
import torch

VARIANTS = [{}, {"norm": "post"}, {"positions": "learned", "activation": "gelu"}, {"tie_embeddings": False}]


@pytest.mark.parametrize("changes", VARIANTS)
def test_a_later_id_never_changes_an_earlier_prediction(
    translation: Any, language: Any, changes: dict[str, Any]
) -> None:
    src = torch.randint(3, 40, (2, 7))
    tgt = torch.randint(3, 40, (2, 9))
    changed = tgt.clone()
    changed[:, 5] = (tgt[:, 5] + 1) % 37 + 3
    for model in (lambda ids: translation(**changes)(src, ids), language(**changes)):
        before, after = model(tgt), model(changed)
        torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
        assert (before[:, 5:] - after[:, 5:]).abs().amax(dim=(0, 2)).min() > 1e-4  # and the present and future do


def test_padding_changes_no_real_position(translation: Any) -> None:
    model = translation()
    src, tgt = torch.randint(3, 40, (1, 5)), torch.randint(3, 40, (1, 6))
    padded_src = torch.cat((src, torch.zeros(1, 4, dtype=torch.long)), dim=1)
    padded_tgt = torch.cat((tgt, torch.zeros(1, 3, dtype=torch.long)), dim=1)
    torch.testing.assert_close(model(padded_src, padded_tgt)[:, :6], model(src, tgt), rtol=1e-5, atol=1e-5)


def test_a_source_of_padding_alone_is_finite(translation: Any) -> None:
    src, tgt = torch.zeros(2, 4, dtype=torch.long), torch.randint(3, 40, (2, 3))
    logits = translation()(src, tgt)
    logits.sum().backward()
    assert logits.isfinite().all()


def test_left_padding_changes_no_real_position(language: Any) -> None:
    model = language()
    ids = torch.randint(3, 40, (1, 5))
    padded = torch.cat((torch.zeros(1, 3, dtype=torch.long), ids), dim=1)
    mask = torch.tensor([[False] * 3 + [True] * 5])
    torch.testing.assert_close(model(padded, key_mask=mask)[:, 3:], model(ids), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS)
def test_cached_decoding_equals_one_pass(translation: Any, language: Any, changes: dict[str, Any]) -> None:
    src, tgt = torch.randint(3, 40, (3, 7)), torch.randint(3, 40, (3, 8))
    src[1, 4:] = 0
    model = translation(**changes)
    memory, mask = model.encode(src)
    cache = model.new_cache()
    steps = [model.project(model.decode(part, memory, mask, cache=cache)) for part in tgt.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1), model(src, tgt), rtol=1e-4, atol=1e-5)
    reader = language(**changes)
    cache = reader.new_cache()
    steps = [reader(part, cache=cache) for part in tgt.split([4, 1, 3], dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1), reader(tgt), rtol=1e-4, atol=1e-5)


def test_tied_embeddings_are_one_matrix(translation: Any, language: Any) -> None:
    tied, untied = translation(), translation(tie_embeddings=False)
    assert tied.src_embedding.tokens.weight is tied.tgt_embedding.tokens.weight is tied.output_weight
    assert (
        len(
            {
                id(w)
                for w in (untied.src_embedding.tokens.weight, untied.tgt_embedding.tokens.weight, untied.output_weight)
            }
        )
        == 3
    )
    sizes = [sum(p.numel() for p in model.parameters()) for model in (tied, untied)]
    assert sizes[1] - sizes[0] == 2 * 40 * 32
    assert (
        language().output_weight is language().embedding.tokens.weight or language(tie_embeddings=True).output is None
    )


def test_attention_is_that_of_the_forward_pass(translation: Any, language: Any) -> None:
    src, tgt = torch.randint(3, 40, (2, 7)), torch.randint(3, 40, (2, 5))
    weights = translation().attention(src, tgt)
    assert weights.encoder.shape == (2, 2, 4, 7, 7)
    assert weights.decoder.shape == (2, 2, 4, 5, 5)
    assert weights.memory.shape == (2, 2, 4, 5, 7)
    for part in (*weights, language().attention(tgt)):
        torch.testing.assert_close(part.sum(-1), torch.ones(part.shape[:-1]))
