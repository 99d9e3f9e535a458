"""Settings of a trained run, for lessons that show them."""

from __future__ import annotations

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.config import TransformerOptions


def transformer_options(run: str) -> TransformerOptions:
    """The shape of a run's Transformer. Raises `CheckpointError`, or `ConfigError` for a model of another kind."""
    from bpe_transformer.training import load_checkpoint_info

    options = load_checkpoint_info(run).settings.model
    if not isinstance(options, TransformerOptions):
        raise ConfigError(f"{run} holds a recurrent model, which has no such layers; give a run of a Transformer")
    return options
