"""One step of a recurrent network, for decoders whose next input depends on their last state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError

# a GRU's state is (h,), an LSTM's (h, c); each (B, H) for a cell, (n_layers, B, H) for a stack
State = tuple[Tensor, ...]


class RecurrentCell(nn.Module):
    """What the cells share: their gates are linear in the input and in the state.

    The input's contribution is computed apart (`project`), so that it can be computed for all steps at once.
    """

    n_gates: int
    n_states: int

    def __init__(self, d_input: int, d_state: int) -> None:
        super().__init__()
        self.d_state = d_state
        self.input = nn.Linear(d_input, self.n_gates * d_state)
        self.recurrent = nn.Linear(d_state, self.n_gates * d_state)
        for parameter in self.parameters():  # as torch.nn.LSTM and GRU do
            nn.init.uniform_(parameter, -(d_state**-0.5), d_state**-0.5)

    def project(self, x: Tensor) -> Tensor:
        """x (…, I) -> its contribution to the gates (…, G * H)"""
        gates: Tensor = self.input(x)
        return gates

    def step(self, gates: Tensor, state: State) -> State:
        """The input's contribution (B, G * H) and the last state -> the next state; the first of it is the output."""
        return self.combine(gates, self.recurrent(state[0]), state)

    @staticmethod
    def combine(from_input: Tensor, from_state: Tensor, state: State) -> State:
        """What input and state contribute to the gates (B, G * H) each, and the last state -> the next state."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State) -> State:
        """x (B, I) and the last state -> the next state."""
        return self.step(self.project(x), state)


class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al. 2000).

    i, f, o = σ(W x + U h + b) each, g = tanh(W x + U h + b), c' = f·c + i·g, h' = o·tanh(c'). Gates lie in torch's
    order i, f, g, o.
    """

    n_gates = 4
    n_states = 2

    @staticmethod
    def combine(from_input: Tensor, from_state: Tensor, state: State) -> State:
        i, f, g, o = (from_input + from_state).chunk(4, dim=-1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al. 2014, section 2.3).

    r, z = σ(W x + U h + b) each, n = tanh(W x + b + r·(U h + b')), h' = (1 - z)·n + z·h. As in torch the reset gate is
    applied after U, where the paper has U (r·h); gates lie in torch's order r, z, n.
    """

    n_gates = 3
    n_states = 1

    @staticmethod
    def combine(from_input: Tensor, from_state: Tensor, state: State) -> State:
        (h,) = state
        r_input, z_input, n_input = from_input.chunk(3, dim=-1)
        r_state, z_state, n_state = from_state.chunk(3, dim=-1)
        z = (z_input + z_state).sigmoid()
        n = (n_input + (r_input + r_state).sigmoid() * n_state).tanh()
        return (torch.lerp(n, h, z),)


class PlainCell(RecurrentCell):
    """A recurrent unit without gates: h' = tanh(W x + U h + b) (Elman 1990)."""

    n_gates = 1
    n_states = 1

    @staticmethod
    def combine(from_input: Tensor, from_state: Tensor, state: State) -> State:
        return ((from_input + from_state).tanh(),)


CELLS: dict[str, type[RecurrentCell]] = {"lstm": LSTMCell, "gru": GRUCell, "rnn": PlainCell}


def make_cell(kind: str, d_input: int, d_state: int) -> RecurrentCell:
    """`kind` is "lstm", "gru" or "rnn"; `ConfigError` for anything else."""
    if kind not in CELLS:
        raise ConfigError(f"cell={kind!r} is unknown; choose 'lstm', 'gru' or 'rnn'")
    return CELLS[kind](d_input, d_state)
