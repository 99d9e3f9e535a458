"""What the figures of the study `explain` are computed from, for one model: its steps over pairs with a gold alignment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bpe_transformer.corpora.word_links import WordLinks
from bpe_transformer.data.batches import pad
from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import Translator
from bpe_transformer.inference.attention_weights import token_bytes
from bpe_transformer.inspection.attention.units import Units, fold
from bpe_transformer.studies.base.attention_probe import AttentionProbe, jensen_shannon, total_variation
from bpe_transformer.studies.base.statistics import kendall_tau

MEASURES = ("gradient × input", "leave-one-out", "value zeroing")  # beside attention
ATTENTION, PERMUTED, ADVERSARIAL, UNIFORM = "attention", "permuted", "adversarial", "uniform"
MOST_CHANGE = 0.01  # of an output that counts as equal, total variation; Jain and Wallace's ε for classifiers
_PERMUTATIONS = 20
_PAIRS = 16  # in a batch

Gold = tuple[str, str, WordLinks]  # source, target, and which of their words say the same
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExplainedSteps:
    """The figures of one model, over all steps that write a target token, or over all target words that have a gold link.

    taus: by measure, Kendall's τ with attention at each step. hits: by kind of weights or measure, the share of words whose
    largest source word is one that the gold alignment links; "uniform" is what chance gives. changes: by kind of other
    weights, the total variation of the output at each step. divergences: by kind of other weights, Jensen and Shannon's
    from the model's at each step. right: the share of steps whose most probable id is the written one, by kind of weights.
    words: of every pair, the weights of target words over source words, rows that sum to 1.
    adversarial_words: the divergence of the adversarial weights from them, of every target word.
    """

    taus: Mapping[str, Array]
    hits: Mapping[str, float]
    changes: Mapping[str, Array]
    divergences: Mapping[str, Array]
    right: Mapping[str, float]
    words: tuple[Array, ...]
    adversarial_words: Array

    @property
    def found(self) -> float:
        """The share of steps for which adversarial weights were found that are not the model's."""
        return float((self.divergences[ADVERSARIAL] > 0).mean())


class _Collected:
    """Lists of figures that grow from batch to batch."""

    def __init__(self) -> None:
        self.taus: dict[str, list[float]] = {name: [] for name in MEASURES}
        self.hits: dict[str, list[float]] = {}
        self.changes: dict[str, list[float]] = {}
        self.divergences: dict[str, list[float]] = {}
        self.right: dict[str, list[float]] = {}
        self.words: list[Array] = []
        self.adversarial_words: list[float] = []


def explained_steps(
    translator: Translator, pairs: Sequence[Gold], *, seed: int, steps: int, restarts: int
) -> Iterator[ExplainedSteps | float]:
    """Yields the share of the work that is done, and at last the figures.

    steps, restarts: of the search for adversarial weights.
    """
    collected = _Collected()
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, len(pairs), _PAIRS):
        some = pairs[first : first + _PAIRS]
        batch = _batch(translator, some)
        probe = AttentionProbe(translator.model, batch)
        weights = {
            ATTENTION: probe.weights,
            ADVERSARIAL: probe.adversarial(most=MOST_CHANGE, steps=steps, restarts=restarts, generator=generator),
            UNIFORM: probe.uniform(),
        }
        measures = dict(
            zip(MEASURES, (probe.gradient_times_input(), probe.leave_one_out(), probe.value_zeroing()), strict=True)
        )
        _add_steps(collected, probe, weights, measures, generator)
        _add_words(collected, translator, batch, some, weights, measures)
        yield min(1.0, (first + _PAIRS) / len(pairs))
    if not collected.hits[ATTENTION]:
        raise ConfigError("the gold alignment has a link in none of these pairs; ask for more pairs")
    yield ExplainedSteps(
        {name: np.array(values) for name, values in collected.taus.items()},
        {name: float(np.mean(values)) for name, values in collected.hits.items()},
        {name: np.array(values) for name, values in collected.changes.items()},
        {name: np.array(values) for name, values in collected.divergences.items()},
        {name: float(np.mean(values)) for name, values in collected.right.items()},
        tuple(collected.words),
        np.array(collected.adversarial_words),
    )


@torch.no_grad()
def _add_steps(
    collected: _Collected,
    probe: AttentionProbe,
    weights: Mapping[str, Tensor],
    measures: Mapping[str, Tensor],
    generator: torch.Generator,
) -> None:
    """The figures of every step that writes a token; the end of a target is none."""
    batch, config = probe.batch, probe.model.config
    after = batch.tgt[:, 2:] != config.pad_id  # a step writes a token where something follows it
    written = torch.cat((after, torch.zeros_like(after[:, :1])), dim=1)
    for name, measure in measures.items():
        for row, step in written.nonzero().tolist():
            real = probe.mask[row]
            tau = kendall_tau(probe.weights[row, step, real].numpy(), measure[row, step, real].numpy())
            collected.taus[name].append(tau)
    permutations = [probe.permuted(generator) for _ in range(_PERMUTATIONS)]
    changes = [total_variation(probe.outputs(other), probe.probabilities) for other in permutations]
    distances = [jensen_shannon(other, probe.weights) for other in permutations]
    _extend(collected.changes, PERMUTED, torch.stack(changes).median(dim=0).values[written])
    _extend(collected.divergences, PERMUTED, torch.stack(distances).median(dim=0).values[written])
    for name, other in weights.items():
        outputs = probe.outputs(other)
        right = outputs.argmax(dim=-1) == batch.tgt[:, 1:]
        _extend(collected.right, name, right[written].float())
        if name != ATTENTION:
            _extend(collected.changes, name, total_variation(outputs, probe.probabilities)[written])
            _extend(collected.divergences, name, jensen_shannon(other, probe.weights)[written])


def _add_words(
    collected: _Collected,
    translator: Translator,
    batch: TranslationBatch,
    pairs: Sequence[Gold],
    weights: Mapping[str, Tensor],
    measures: Mapping[str, Tensor],
) -> None:
    """The figures of every target word: tokens are folded to words as the views of attention fold them."""
    for row, (_, _, links) in enumerate(pairs):
        src, tgt = _units(translator, batch.src[row]), _units(translator, batch.tgt[row])
        linked: dict[int, set[int]] = {}
        for source, target in links.possible:
            linked.setdefault(target, set()).add(source)
        folded = {
            name: _folded(values[row].numpy(), src, tgt)
            for name, values in {**weights, **measures}.items()
            if name != UNIFORM
        }
        for target, sources in sorted(linked.items()):
            for name, values in folded.items():
                collected.hits.setdefault(name, []).append(float(int(values[target].argmax()) in sources))
            chance = len(sources) / folded[ATTENTION].shape[1]
            collected.hits.setdefault(UNIFORM, []).append(chance)
        own, other = (_normalised(folded[name]) for name in (ATTENTION, ADVERSARIAL))
        collected.words.append(own)
        collected.adversarial_words += jensen_shannon(torch.from_numpy(other), torch.from_numpy(own)).tolist()


def _batch(translator: Translator, pairs: Sequence[Gold]) -> TranslationBatch:
    special, encode = translator.special, translator.tokenizer.encode_ordinary
    return TranslationBatch(
        pad([[*encode(src), special.eos] for src, _, _ in pairs], special.pad),
        pad([[special.bos, *encode(tgt), special.eos] for _, tgt, _ in pairs], special.pad),
    )


def _units(translator: Translator, row: Tensor) -> Units:
    """The words of a row of ids, without what frames it; `shares` has a row for each of the text's tokens."""
    special = translator.special
    ids = [id for id in row.tolist() if id not in (special.pad, special.bos, special.eos)]
    return fold(translator.tokenizer, ids, token_bytes(translator.tokenizer, ids))


def _folded(values: NDArray[np.floating], src: Units, tgt: Units) -> Array:
    """(T, S) of a row of a batch -> (target words, source words); the row of step t is that of the token written there."""
    inner = values[: len(tgt.shares), : len(src.shares)]
    return tgt.mean_rows(src.sum_columns(inner))


def _normalised(values: Array) -> Array:
    """Rows that sum to 1: what went to the end of the source is left out."""
    total = values.sum(axis=1, keepdims=True)
    even = np.full_like(values, 1 / values.shape[1])
    return np.where(total > 1e-9, values / np.maximum(total, 1e-9), even)


def _extend(lists: dict[str, list[float]], name: str, values: Tensor) -> None:
    lists.setdefault(name, []).extend(values.tolist())
