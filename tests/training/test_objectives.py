from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bpe_transformer import PretokenCounts, learn_bpe
from bpe_transformer.data import LabelledBatch, MaskedBatch, PackedBatch, TranslationBatch
from bpe_transformer.data.batches import IGNORED
from bpe_transformer.errors import ConfigError
from bpe_transformer.models import FAMILIES, Classifier
from bpe_transformer.models.layers import document_mask
from bpe_transformer.training import CausalLM, Classification, MaskedLM, Seq2Seq
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.random_draws import counter_uniform

VOCAB, PAD, MASK = 40, 0, 3
MASKING = Masking(mask_id=MASK, special_ids=(0, 1, 2, 3))


def build(family: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    found = FAMILIES[family]
    shape = {"d_model": 32, "n_layers": 2, "max_len": 24, "dropout": 0.0, **changes}
    return found.build(found.configure(found.options(**shape), vocab_size=VOCAB, pad_id=PAD))


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(4, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def windows(x: Tensor) -> PackedBatch:
    """(B, T + 1) -> a batch in which every id but the first of a row is predicted."""
    return PackedBatch(x[:, :-1], x[:, 1:])


def batches(family: str) -> tuple[Any, Any]:
    """An objective and a batch for it."""
    model = build(family)
    if FAMILIES[family].task == "translation":
        src, tgt = ids(3, 7), ids(3, 6, seed=1)
        src[1, 4:] = tgt[1, 3:] = PAD
        return Seq2Seq(model, label_smoothing=0.1), TranslationBatch(src, tgt)
    if family == "gpt":
        return CausalLM(model, label_smoothing=0.1), windows(ids(3, 9))
    batch = MaskedBatch(ids(8, 20), torch.arange(8), torch.tensor(2))
    return MaskedLM(model, masking=MASKING, seed=1, label_smoothing=0.1), batch


@pytest.mark.parametrize("family", ["transformer", "lstm", "bahdanau"])
def test_the_translation_loss_is_torchs_over_the_ids_after_bos(family: str) -> None:
    objective, batch = batches(family)
    logits = objective.model(batch.src, batch.tgt[:, :-1]).transpose(1, 2)
    for training, smoothing in ((True, 0.1), (False, 0.0)):
        loss = objective.train(training)(batch)
        wanted = functional.cross_entropy(
            logits, batch.tgt[:, 1:], ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
        )
        torch.testing.assert_close(loss.total, wanted, rtol=1e-4, atol=1e-4)
        assert int(loss.count) == int((batch.tgt[:, 1:] != PAD).sum()) == 12


def test_the_causal_loss_is_torchs_over_the_next_ids() -> None:
    objective, batch = batches("gpt")
    logits = objective.model(batch.ids).flatten(0, 1)
    loss = objective.eval()(batch)
    wanted = functional.cross_entropy(logits, batch.targets.flatten(), reduction="sum")
    torch.testing.assert_close(loss.total, wanted, rtol=1e-4, atol=1e-4)
    assert int(loss.count) == 24


def test_the_masked_loss_is_torchs_over_the_hidden_ids() -> None:
    objective, batch = batches("bert")
    objective.eval()
    hidden, targets = objective.masked(batch)
    logits = objective.model(hidden).flatten(0, 1)
    wanted = functional.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")
    loss = objective(batch)
    torch.testing.assert_close(loss.total, wanted, rtol=1e-4, atol=1e-4)
    assert int(loss.count) == int((targets != IGNORED).sum()) > 0


def test_classification_is_torchs_cross_entropy() -> None:
    model = Classifier(build("bert").trunk, n_classes=3, dropout=0.0)
    batch = LabelledBatch(ids(4, 6), torch.tensor([0, 2, 1, 2]))
    loss = Classification(model)(batch)
    torch.testing.assert_close(loss.total, functional.cross_entropy(model(batch.ids), batch.labels, reduction="sum"))
    assert int(loss.count) == 4


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rope"])
def test_a_packed_document_is_read_as_if_it_stood_alone(positions: str) -> None:
    first, second = ids(1, 5), ids(1, 9, seed=1)
    documents = torch.tensor([[0] * 5 + [1] * 9 + [-1] * 2])
    numbers = torch.tensor([[*range(5), *range(9), 0, 0]])
    together = torch.cat((first, second, torch.zeros(1, 2, dtype=torch.int64)), dim=1)
    causal = CausalLM(build("gpt", positions=positions)).eval()
    targets = together.masked_fill(documents < 0, IGNORED)
    packed = causal(PackedBatch(together, targets, documents, numbers))
    alone = [causal(PackedBatch(x, x)) for x in (first, second)]
    torch.testing.assert_close(packed.total, alone[0].total + alone[1].total, rtol=1e-5, atol=1e-4)
    assert int(packed.count) == 14
    crossing = causal(PackedBatch(together, targets))
    assert abs(crossing.total.item() - packed.total.item()) > 1e-2
    reader = build("bert", positions=positions).eval()
    states = reader.states(together, mask=document_mask(documents), positions=numbers)
    torch.testing.assert_close(states[:, 5:14], reader.states(second), rtol=1e-4, atol=1e-4)
    explicit = reader.trunk.layers[0](  # the weights written out obey the same mask
        reader.trunk.embedding(together, numbers, 16), mask=document_mask(documents), need_weights=True, end=16
    )[1]
    assert explicit[0, :, :5, 5:].abs().max().item() == 0.0


def masked(seed: int = 1, epoch: int = 0, rows: Tensor | None = None, **changes: Any) -> tuple[Tensor, Tensor, Tensor]:
    objective = MaskedLM(build("bert"), masking=changes.pop("masking", MASKING), seed=seed, **changes).train()
    x = ids(400, 50)
    x[:, 7] = 1  # a special token
    batch = MaskedBatch(x, torch.arange(400) if rows is None else rows, torch.tensor(epoch))
    return (x, *objective.masked(batch))


def test_masks_are_drawn_80_10_10() -> None:
    x, hidden, targets = masked()
    chosen = targets != IGNORED
    assert chosen.float().mean().item() == pytest.approx(0.15 * 49 / 50, abs=0.01)
    assert not chosen[:, 7].any()  # special tokens are left alone
    assert torch.equal(hidden[~chosen], x[~chosen])
    assert torch.equal(targets[chosen], x[chosen])
    became_mask = (hidden == MASK)[chosen].float().mean().item()
    stayed = (hidden == x)[chosen].float().mean().item()
    assert became_mask == pytest.approx(0.8, abs=0.02)
    assert stayed == pytest.approx(0.1 + 0.1 / 36, abs=0.02)  # a drawn id may be the same one
    drawn = hidden[chosen & (hidden != MASK) & (hidden != x)]
    assert drawn.min() >= 4
    assert len(drawn.unique()) > 30
    assert (masked(share=0.5)[2] != IGNORED).float().mean().item() == pytest.approx(0.49, abs=0.01)


def test_masks_are_a_function_of_seed_epoch_and_row() -> None:
    _, hidden, targets = masked(epoch=3)
    assert torch.equal(masked(epoch=3)[1], hidden)
    torch.manual_seed(7)  # no global generator is asked
    assert torch.equal(masked(epoch=3)[1], hidden)
    for other in (masked(epoch=4), masked(seed=2, epoch=3)):
        assert not torch.equal(other[2], targets)
    # a row keeps its masks wherever it stands in a batch
    x = ids(400, 50)
    x[:, 7] = 1
    objective = MaskedLM(build("bert"), masking=MASKING, seed=1).train()
    some = torch.tensor([250, 3])
    one, wanted = objective.masked(MaskedBatch(x[some], some, torch.tensor(3)))
    assert torch.equal(one, hidden[some])
    assert torch.equal(wanted, targets[some])
    # and in evaluation the epoch does not matter
    first, second = (objective.eval().masked(MaskedBatch(x, torch.arange(400), torch.tensor(e)))[1] for e in (3, 9))
    assert torch.equal(first, second)


def test_whole_words_are_hidden_together() -> None:
    starts = torch.arange(VOCAB) % 3 == 0  # every third id begins a word
    x, _, targets = masked(masking=Masking(MASK, (0, 1, 2, 3), starts))
    chosen = (targets != IGNORED).tolist()
    words = starts[x].cumsum(dim=1).tolist()
    special = (x < 4).tolist()
    seen: dict[tuple[int, int], set[bool]] = {}
    for row in range(400):
        for place in range(50):
            if not special[row][place]:
                seen.setdefault((row, words[row][place]), set()).add(chosen[row][place])
    assert all(len(states) == 1 for states in seen.values())
    assert sum(states == {True} for states in seen.values()) / len(seen) == pytest.approx(0.15, abs=0.02)


def test_words_begin_after_spaces_and_marks() -> None:
    texts = ['the "lower" (newest) widest', "low-lower 새글자 x1"] * 3
    counts = PretokenCounts.from_iterator(texts)
    tokenizer = learn_bpe(counts, 300, roles={"pad": "<pad>", "mask": "<mask>"})
    model: Any = FAMILIES["bert"]
    options = model.options(d_model=8, n_layers=1, n_heads=2, d_ff=8, max_len=64)
    built = model.build(model.configure(options, vocab_size=tokenizer.vocab_size, pad_id=0))
    objective = MaskedLM(built, masking=Masking.of(tokenizer, whole_words=True), seed=1)
    for text in texts[:2]:
        ids = tokenizer.encode(text)
        words: dict[int, bytes] = {}
        for id, word in zip(ids, objective._words(torch.tensor([ids]))[0].tolist(), strict=True):
            words[word] = words.get(word, b"") + tokenizer.token_bytes(id)
        # a word has its letters in one piece, and no two of them
        assert all(len(re.findall(r"\w+", word.decode())) <= 1 for word in words.values())
        whole = [found for word in words.values() for found in re.findall(r"\w+", word.decode())]
        assert whole == re.findall(r"\w+", text)


def test_counter_draws_are_uniform_and_known() -> None:
    draws = counter_uniform(5, torch.arange(200)[:, None], torch.arange(300)[None])
    assert draws.shape == (200, 300)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert draws.mean().item() == pytest.approx(0.5, abs=0.01)
    assert torch.histc(draws, 10, 0, 1).tolist() == pytest.approx([6000] * 10, rel=0.05)
    assert torch.corrcoef(torch.stack((draws[:-1].flatten(), draws[1:].flatten())))[0, 1].abs() < 0.02
    assert counter_uniform(1, torch.tensor(2), torch.tensor(3)).item() == counter_uniform(1, 2, 3).item()


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="share of masked ids is 0"):
        MaskedLM(build("bert"), masking=MASKING, seed=1, share=0.0)
