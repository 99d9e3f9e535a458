"""The tokens of a trained model: how many are under-trained, and a table with their losses and what they pay."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import isolated, visible
from bpe_transformer.inspection.render.elements import LABEL, Column, Columns, abbreviate, facts, number, percent
from bpe_transformer.inspection.vocabulary.trained_tokens import TrainedToken, TrainedTokens
from bpe_transformer.io.printable import printable, times

_TOKEN_CELLS = 30


@draws
def _(found: TrainedTokens) -> RenderableType:
    states = ", ".join(f"{number(count)} {state}" for state, count in found.states.items())
    rows: list[tuple[str, RenderableType]] = [("run", printable(found.run)), ("tokens", states)]
    if found.bits_per_byte is not None:
        rows.append(("loss", f"{found.bits_per_byte:.4f} bits a byte on the texts measured"))
    saved = found.prunable * found.row_parameters
    share = percent(found.prunable / max(found.vocab_size, 1))
    rows.append(("prune --run", f"would drop {times(found.prunable, 'id')} ({share}), {times(saved, 'parameter')}"))
    return Group(facts(rows), Text(), _table(found.tokens), Text(), *(Text(note, LABEL) for note in _notes(found)))


@draws
def _(token: TrainedToken) -> RenderableType:
    return _table((token,))


def _table(tokens: Sequence[TrainedToken]) -> Columns:
    columns = [
        Column("id", "right", [str(token.id) for token in tokens]),
        Column("token", "left", [isolated(abbreviate(visible(token.token), _TOKEN_CELLS)) for token in tokens]),
        Column("seen", "right", [number(token.seen) for token in tokens]),
        Column("norm", "right", [f"{token.norm:.3f}" for token in tokens], drop=4),
    ]
    if any(token.distance is not None for token in tokens):
        columns.append(Column("distance", "right", [_written(token.distance, ".3f") for token in tokens], drop=3))
    columns += [
        Column("state", "mark", [token.state for token in tokens]),
        Column("predicted", "right", [number(token.predicted) for token in tokens], drop=5),
        Column("loss", "right", [_written(token.loss, ".2f") for token in tokens], drop=1),
        Column("bits/byte", "right", [_written(token.bits_per_byte, ".3f") for token in tokens], drop=2),
        Column("gain", "right", [_written(token.gain, ",.0f") for token in tokens]),
    ]
    return Columns(columns)


def _written(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _notes(found: TrainedTokens) -> list[str]:
    notes = ["seen: times in the training texts; predicted, loss (nats each): in the texts measured"]
    if any(token.distance is not None for token in found.tokens):
        notes.append("distance: of its output vector to the mean of never-seen ids; near 0 it was hardly trained")
    notes.append(
        "gain: bits that its occurrences cost less than as many bytes cost on the whole; below 0 it does not pay"
    )
    return notes
