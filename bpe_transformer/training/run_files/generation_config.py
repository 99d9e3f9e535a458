"""`generation_config.json`, in which `transformers` keeps how a model writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpe_transformer.data import SpecialIds
    from bpe_transformer.training.run_files.checkpoint_info import CheckpointInfo

GENERATION_CONFIG = "generation_config.json"


def generation_config(info: CheckpointInfo, special: SpecialIds) -> dict[str, Any]:
    """The decoding settings of a model as `transformers` names them; empty for models that write nothing.

    What they do not say alike there is what `decoding_notes` says.
    """
    decoding = info.settings.decoding
    ids = {"pad_token_id": special.pad, "bos_token_id": special.bos, "eos_token_id": special.eos}
    if info.task == "translation":
        beams: dict[str, Any] = {}
        if decoding.beam > 1:
            # like our search, it goes on while an unfinished hypothesis may still become the best
            beams = {
                "num_beams": decoding.beam,
                "length_penalty": decoding.length_penalty,
                "early_stopping": False,
            }
        return {
            **ids,
            "decoder_start_token_id": special.bos,
            "max_length": info.settings.model.max_len,
            "do_sample": False,
            **beams,
        }
    if info.task == "language-model":
        sampled = {"temperature": decoding.temperature, "top_k": decoding.top_k, "top_p": decoding.top_p}
        draws = {"do_sample": True, **sampled} if decoding.temperature > 0 else {"do_sample": False}
        return {**ids, "max_length": info.settings.model.max_len, **draws}
    return {}


def decoding_notes(info: CheckpointInfo, engine: str) -> tuple[str, ...]:
    """How beam search in `transformers` or CTranslate2 (`engine`, for people) differs from ours under equal settings."""
    decoding = info.settings.decoding
    if info.task != "translation" or decoding.beam == 1:
        return ()
    if decoding.length_penalty == 0:
        return (f"{engine} may end a beam search earlier than this library; greedy search is equal",)
    return (
        f"beam search of {engine} divides by length^p where this library divides by ((5 + length) / 6)^p "
        f"(length penalty p = {decoding.length_penalty:g}), so that it may prefer another hypothesis; greedy search is equal",
    )
