"""What training made of each token: the norm of its vector, how often the model saw it, its loss, and whether it pays.

    rich.print(trained_tokens("runs/numbers", texts, seen_in=training_texts))

A token that the training text hardly holds keeps the vector it began with, or is only pushed away by the others; when a text
then has it, the model does not know what it means. Source: Land and Bartolo (2024), "Fishing for Magikarp: Automatically
Detecting Under-trained Tokens in Large Language Models", https://arxiv.org/abs/2405.05417, section 2.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.tokenizer.resizing.prune import never_pruned, with_constituents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

State = Literal["trained", "under-trained", "never seen"]
TokenSort = Literal["undertrained", "loss", "pays", "costs", "seen", "id"]
TOKEN_SORTS: tuple[TokenSort, ...] = get_args(TokenSort)
_LEAST_REFERENCE = 5  # never-seen ids that say what an untrained vector looks like
_QUANTILE = 0.95  # of these, nearer than which to their mean a vector counts as untrained
_BATCH = 1024  # rows encoded at a time
_FEW = 0.02  # of all ids that are called under-trained where too few were never seen


@dataclass(frozen=True, slots=True)
class TrainedToken(View):
    """One id of a trained model.

    seen: times in the training texts. norm: of its embedding. distance: of its vector in the output matrix to the mean of
    never-seen ids, as a cosine distance (0: points where they do, up to 2); None: too few ids were never seen. predicted:
    times it was to be predicted in the texts that were measured. loss: nats each; None: never predicted there. bits_per_byte: of
    its text. gain: bits that its occurrences cost less than their bytes would at the mean rate of these texts.
    """

    id: int
    token: bytes
    seen: int
    norm: float
    distance: float | None
    state: State
    predicted: int
    loss: float | None
    bits_per_byte: float | None
    gain: float | None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "token": token_dict(self.token)}


@dataclass(frozen=True, slots=True)
class TrainedTokens(View):
    """All ids of a trained model, or those chosen.

    bits_per_byte: of the texts measured, ids of no text left out. prunable: ids that pruning for the training texts would drop.
    row_parameters: parameters that a dropped id frees.
    """

    run: str
    digest: str
    vocab_size: int
    states: dict[str, int]
    bits_per_byte: float | None
    prunable: int
    row_parameters: int
    sort: TokenSort
    tokens: tuple[TrainedToken, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "tokens": [token.as_dict() for token in self.tokens]}


def trained_tokens(
    run: str | os.PathLike[str],
    rows: Iterable[Sequence[str]],
    *,
    seen_in: Iterable[Sequence[str]],
    sort: TokenSort = "undertrained",
    limit: int | None = 20,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedTokens:
    """The tokens of the model in `run`.

    rows: texts on which the loss is measured, best not trained on; a row holds the columns of the run. seen_in: those that
    it was trained on. sort: "undertrained" (never seen and nearest to untrained first), "loss" (costliest in all first), "pays"
    and "costs" (largest and smallest gain first), "seen" (rarest first) or "id".

    Raises:
        CheckpointError: there is no trained model.
        ConfigError: an unknown sort, or one by losses for a classifier, which predicts no tokens.
    """
    from bpe_transformer.inspection.vocabulary.token_losses import TokenLosses, token_losses
    from bpe_transformer.training import load_checkpoint

    if sort not in TOKEN_SORTS:
        raise ConfigError(f"sort={sort!r} is unknown; choose one of {', '.join(TOKEN_SORTS)}")
    model, info, tokenizer = load_checkpoint(run)
    if info.task == "classification":
        if sort in ("loss", "pays", "costs"):
            raise ConfigError(
                f"{run} holds a {info.kind}, which predicts labels, not tokens, so sort={sort!r} has nothing to go by; "
                "choose sort='undertrained' or sort='seen'"
            )
        losses = TokenLosses(np.zeros(info.vocab_size, np.int64), np.zeros(info.vocab_size))
    else:
        losses = token_losses(model, tokenizer, info, rows, progress=progress)
    seen = _seen(tokenizer, seen_in)
    inputs, outputs = _vectors(model, info.vocab_size)
    norms = np.linalg.norm(inputs, axis=1)
    distances = _distances(outputs, seen)
    states = _states(seen, norms, distances, tokenizer)
    sizes = np.array([len(token) for token in tokenizer.model.decoded_bytes], np.int64)
    named = {*tokenizer.special_tokens.values()}
    sizes[[id for id in named if id < len(sizes)]] = 0
    rate = _rate(losses.totals, losses.counts, sizes)
    tokens = [
        _token(id, tokenizer, seen, norms, distances, states, losses.counts, losses.totals, sizes, rate)
        for id in range(info.vocab_size)
        if tokenizer.model.tokens[id]
    ]
    tokens.sort(key=_key(sort))
    return TrainedTokens(
        run=os.fspath(run),
        digest=info.digest,
        vocab_size=info.vocab_size,
        states={state: sum(token.state == state for token in tokens) for state in get_args(State)},
        bits_per_byte=rate,
        prunable=_prunable(tokenizer, seen),
        row_parameters=inputs.shape[1] * (1 if inputs is outputs else 2),
        sort=sort,
        tokens=tuple(tokens[:limit]),
    )


def _seen(tokenizer: Tokenizer, rows: Iterable[Sequence[str]]) -> NDArray[np.int64]:
    seen = np.zeros(tokenizer.vocab_size, np.int64)
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        encoded = tokenizer.encode_batch([text for row in batch for text in row], disallowed_special=())
        seen += np.bincount(encoded.ids, minlength=tokenizer.vocab_size)
    return seen


def _vectors(model: Any, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The vectors of all ids at the input and in the output matrix (the same object where they are tied), (V, C) each.

    A classifier has no output matrix of ids; those at the input stand in for it.
    """
    named = dict(model.named_parameters())
    inputs = [
        value for name, value in named.items() if "embedding" in name and value.dim() == 2 and value.shape[0] == size
    ]
    head = getattr(model.head, "weight", None)
    if head is None or head.shape[0] != size:
        head = inputs[-1]
    outputs: NDArray[np.float32] = head.detach().float().cpu().numpy()
    if not inputs or any(value is head for value in inputs):
        return outputs, outputs
    return inputs[-1].detach().float().cpu().numpy(), outputs


def _distances(vectors: NDArray[np.float32], seen: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Cosine distances to the mean vector of ids never seen, once what all vectors share is removed."""
    unseen = seen == 0
    if int(unseen.sum()) < _LEAST_REFERENCE or bool(unseen.all()):
        return None
    centred = vectors - vectors[~unseen].mean(axis=0)
    mean = centred[unseen].mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(mean)
    found: NDArray[np.float64] = 1 - (centred @ mean) / np.maximum(lengths, 1e-12)
    return found


def _states(
    seen: NDArray[np.int64], norms: NDArray[np.float32], distances: NDArray[np.float64] | None, tokenizer: Tokenizer
) -> list[State]:
    measure, bound = (norms, float(np.quantile(norms, _FEW))) if distances is None else (distances, 0.0)
    if distances is not None:
        bound = float(np.quantile(distances[seen == 0], _QUANTILE))
    special = set(tokenizer.special_tokens.values())
    return [
        "trained"
        if id in special or (seen[id] and measure[id] > bound)
        else ("under-trained" if seen[id] else "never seen")
        for id in range(len(seen))
    ]


def _rate(totals: NDArray[np.float64], counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> float | None:
    """Bits per byte of the tokens that stand for text."""
    size = int((counts * sizes).sum())
    return float(totals[sizes > 0].sum()) / math.log(2) / size if size else None


def _token(
    id: int,
    tokenizer: Tokenizer,
    seen: NDArray[np.int64],
    norms: NDArray[np.float32],
    distances: NDArray[np.float64] | None,
    states: list[State],
    counts: NDArray[np.int64],
    totals: NDArray[np.float64],
    sizes: NDArray[np.int64],
    rate: float | None,
) -> TrainedToken:
    count, size = int(counts[id]), int(sizes[id])
    bits = float(totals[id]) / math.log(2)
    return TrainedToken(
        id=id,
        token=tokenizer.model.tokens[id],
        seen=int(seen[id]),
        norm=float(norms[id]),
        distance=None if distances is None else float(distances[id]),
        state=states[id],
        predicted=count,
        loss=float(totals[id]) / count if count else None,
        bits_per_byte=bits / (count * size) if count and size else None,
        gain=rate * count * size - bits if count and size and rate is not None else None,
    )


def _key(sort: TokenSort) -> Callable[[TrainedToken], Any]:
    order = ("never seen", "under-trained", "trained")
    keys: dict[TokenSort, Callable[[TrainedToken], Any]] = {
        "undertrained": lambda token: (
            order.index(token.state),
            token.norm if token.distance is None else token.distance,
        ),
        "loss": lambda token: -(token.loss or 0.0) * token.predicted,
        "pays": lambda token: math.inf if token.gain is None else -token.gain,
        "costs": lambda token: math.inf if token.gain is None else token.gain,
        "seen": lambda token: (token.seen, token.id),
        "id": lambda token: token.id,
    }
    return keys[sort]


def _prunable(tokenizer: Tokenizer, seen: NDArray[np.int64]) -> int:
    kept = with_constituents(tokenizer.model, seen > 0)
    kept[never_pruned(tokenizer.model)] = True
    return int((~kept).sum())
