"""Several sources as one: interleaved by their weights, or one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import numpy as np

from bpe_transformer.data.batches.batch import AnyBatch
from bpe_transformer.data.batches.source import BatchSource, Numbers, Padding
from bpe_transformer.errors import ConfigError
from bpe_transformer.tokenizer.counting.weights import temperature_weights

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.store import TokenStore


@dataclass(frozen=True)
class MixedStores:
    """Prepared rows of several corpora, of one task and one tokenizer, and how they are mixed.

    weights: the share of batches of each; None takes them from the sizes, of which `temperature` above 1 evens out the
    differences (q_i proportional to p_i^(1/T): Arivazhagan et al. 2019, section 4.2).

    Raises:
        ConfigError: the corpora are prepared for different tasks, by different tokenizers, or with other labels.
    """

    stores: tuple[TokenStore, ...]
    weights: tuple[float, ...] | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for what in ("task", "digest", "labels"):
            if len(found := {getattr(store, what) for store in self.stores}) > 1:
                shown = " and ".join(sorted(map(str, found)))
                raise ConfigError(f"the corpora to mix have different {what}: {shown}; prepare them alike")

    @property
    def task(self) -> str:
        """What the rows are for."""
        return self.stores[0].task

    @property
    def digest(self) -> str:
        """The digest of the tokenizer."""
        return self.stores[0].digest

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, for classification."""
        return self.stores[0].labels

    def weights_for(self, sizes: Sequence[int]) -> list[float]:
        """The share of each corpus, given the batches of each."""
        if self.weights is not None:
            return list(self.weights)
        factors = temperature_weights(sizes, self.temperature)
        return [float(factor * size) for factor, size in zip(factors, sizes, strict=True)]


class Portion(NamedTuple):
    """What a source gives to every epoch of a mixture: a number of batches, and how often it is gone through for them."""

    batches: int
    epochs: float


class MixedBatches(Generic[AnyBatch]):
    """Batches of several sources, interleaved evenly in a fixed order; each goes through its epochs at its own pace.

    An epoch has as many batches as the sources' first epochs together; source i gives a share of them proportional to
    its weight. Which batch of which source comes at a place follows from the epoch and the place alone, so a run is
    resumed by these two integers.

    Raises:
        ConfigError: the weights are not one positive number a source, or too small a one to give a batch.
    """

    def __init__(self, sources: Sequence[BatchSource[AnyBatch]], weights: Sequence[float | Fraction]) -> None:
        if len(sources) != len(weights) or not sources or not all(weight > 0 for weight in weights):
            shown = ", ".join(map(str, weights))
            raise ConfigError(f"{len(sources)} corpora have the weights {shown}; give each one that is above 0")
        self._sources = tuple(sources)
        self._weights = [float(weight) / float(sum(weights)) for weight in weights]
        self._ends: list[list[int]] = [[0] for _ in sources]  # batches of each source up to each of its epochs
        total = sum(source.num_batches(0) for source in sources)
        shares = np.array(self._weights) * total
        counts = np.floor(shares).astype(np.int64)
        for source in np.argsort(counts - shares, kind="stable")[: total - int(counts.sum())]:  # largest remainders
            counts[source] += 1
        if not counts.all():
            raise ConfigError(
                f"a corpus with the weight {min(self._weights):.2g} gives none of the {total:,} batches of an epoch; "
                "raise its weight or lower max_tokens"
            )
        self._counts: list[int] = counts.tolist()
        # the middles of equal stretches of an epoch, one a batch; all in order are the interleaving
        places = np.concatenate([(np.arange(count) + 0.5) / count for count in self._counts])
        order = np.argsort(places, kind="stable")
        self._order: Numbers = np.repeat(np.arange(len(sources)), self._counts)[order]
        self._numbers: Numbers = np.concatenate([np.arange(count) for count in self._counts])[order]

    @property
    def portions(self) -> list[Portion]:
        """What each source gives to an epoch."""
        pairs = zip(self._sources, self._counts, strict=True)
        return [Portion(count, count / source.num_batches(0)) for source, count in pairs]

    def num_batches(self, epoch: int) -> int:
        """Batches in an epoch: always as many."""
        return len(self._order)

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[AnyBatch]:
        """The batches from number `start` on, or the share of process `rank` in them."""
        opened: dict[int, Iterator[AnyBatch]] = {}
        for place in range(start, len(self._order)):
            source = int(self._order[place])
            if source not in opened:
                first = epoch * self._counts[source] + int(self._numbers[place])
                opened[source] = self._from(source, first, rank, world_size)
            yield next(opened[source])

    def _from(self, source: int, number: int, rank: int, world_size: int) -> Iterator[AnyBatch]:
        """The batches of a source from `number` on, counted over all its epochs, without end."""
        ends = self._ends[source]
        while ends[-1] <= number:
            ends.append(ends[-1] + self._sources[source].num_batches(len(ends) - 1))
        epoch = next(epoch for epoch, end in enumerate(ends[1:]) if end > number)
        start = number - ends[epoch]
        while True:
            yield from self._sources[source].batches(epoch, start, rank=rank, world_size=world_size)
            epoch, start = epoch + 1, 0

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return {"kind": "mixture", "weights": self._weights, "sources": [source.facts() for source in self._sources]}

    def padding(self, epoch: int) -> Padding:
        """How much of the sources' batches is padding, in their proportions."""
        found = [
            (source.padding(0), portion.epochs) for source, portion in zip(self._sources, self.portions, strict=True)
        ]
        return Padding(*(round(sum(pad[part] * epochs for pad, epochs in found)) for part in (0, 1)))


class ChainedBatches(Generic[AnyBatch]):
    """The batches of several sources, one source after another."""

    def __init__(self, sources: Sequence[BatchSource[AnyBatch]]) -> None:
        self._sources = tuple(sources)

    def num_batches(self, epoch: int) -> int:
        """Batches of all sources in an epoch."""
        return sum(source.num_batches(epoch) for source in self._sources)

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[AnyBatch]:
        """The batches from number `start` on, or the share of process `rank` in them."""
        for source in self._sources:
            here = source.num_batches(epoch)
            if start < here:
                yield from source.batches(epoch, start, rank=rank, world_size=world_size)
            start = max(0, start - here)

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return {"kind": "chain", "sources": [source.facts() for source in self._sources]}

    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's batches is padding."""
        found = [source.padding(epoch) for source in self._sources]
        return Padding(sum(pad.ids for pad in found), sum(pad.positions for pad in found))
