"""Layers of a recurrent network over whole rows, for encoders and for decoders that are fed known inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from bpe_transformer.models.layers.recurrent_cells import CELLS, State

_MODES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN_TANH"}  # torch's names


class RecurrentStack(nn.RNNBase):
    """`n_layers` recurrent layers: `nn.LSTM`, `nn.GRU` or `nn.RNN` over rows that end at their own length.

    Parameters have the names, shapes and first values that they have there. Where the step is compiled, the kernels of
    torch, which no compiled graph can hold with packed rows, give way to a loop over the steps with a mask: equal
    numbers, but one graph for every length, of which torch compiles eight before it runs the kernels again.

    Args:
        cell: "lstm", "gru" or "rnn".
        dropout: between two layers.
    """

    def __init__(
        self,
        cell: str,
        d_input: int,
        d_state: int,
        n_layers: int,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            _MODES[cell],
            d_input,
            d_state,
            n_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if n_layers > 1 else 0.0,
        )
        self.directions = 2 if bidirectional else 1
        self.cell = CELLS[cell]

    def forward(self, x: Tensor, state: State = (), lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """x (B, T, I), first states (n_layers · D, B, H) each (none: zeros), lengths (B,) above 0 (None: all T).

        Returns outputs (B, T, D·H), zeros after each row's end, and the final states (n_layers · D, B, H) each:
        forwards after the row's last step, backwards after its first.
        """
        if x.device.type == "cpu":
            x = x.float()
        if not state:
            shape = (self.num_layers * self.directions, x.size(0), self.hidden_size)
            state = tuple(x.new_zeros(shape) for _ in range(self.cell.n_states))
        state = tuple(part.contiguous().to(x.dtype) for part in state)
        # a CPU's kernels have no LSTM in half precision
        with torch.autocast("cpu", enabled=False):
            if torch.compiler.is_compiling():
                return self._steps(x, state, lengths)
            return self._kernel(x, state, lengths)

    def _kernel(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        weights: list[Tensor] = [weight for group in self.all_weights for weight in group]
        options = (True, self.num_layers, self.dropout, self.training, self.bidirectional)
        is_lstm = len(state) == 2
        other = torch.gru if self.mode == "GRU" else torch.rnn_tanh
        if lengths is None:
            if is_lstm:
                output, *final = torch.lstm(x, state, weights, *options, True)
            else:
                output, *final = other(x, state[0], weights, *options, True)
            return output, tuple(final)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        data, sizes, order, back = packed
        assert order is not None
        assert back is not None
        state = tuple(part.index_select(1, order) for part in state)
        if is_lstm:
            output, *final = torch.lstm(data, sizes, state, weights, *options)
        else:
            output, *final = other(data, sizes, state[0], weights, *options)
        packed = PackedSequence(output, sizes, order, back)
        padded, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.size(1))
        return padded, tuple(part.index_select(1, back) for part in final)

    def _steps(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        n_steps, finals = x.size(1), []
        real = None  # (B, T, 1)
        if lengths is not None:
            real = (torch.arange(n_steps, device=x.device) < lengths[:, None])[:, :, None]
        for layer in range(self.num_layers):
            if layer:
                x = functional.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(self.directions):
                index = layer * self.directions + direction
                from_x, from_state, bias, state_bias = self.all_weights[index]
                gates = functional.linear(x, from_x, bias)  # (B, T, G · H)
                held = tuple(part[index].to(gates.dtype) for part in state)  # that of autocast on a GPU
                heads: list[Tensor] = []
                for step in range(n_steps - 1, -1, -1) if direction else range(n_steps):
                    following = self.cell.combine(
                        gates[:, step], functional.linear(held[0], from_state, state_bias), held
                    )
                    if real is not None:  # beyond its end a row's state stays
                        here = real[:, step]
                        following = tuple(torch.where(here, new, old) for new, old in zip(following, held, strict=True))
                    held = following
                    heads.append(held[0])
                outputs.append(torch.stack(heads[::-1] if direction else heads, dim=1))
                finals.append(held)
            x = torch.cat(outputs, dim=-1)
            if real is not None:
                x = x * real
        return x, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
