"""`generation_config.json`, in which `transformers` keeps how a model writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpe_transformer.data import SpecialIds
    from bpe_transformer.training.run_files.checkpoint_info import CheckpointInfo

GENERATION_CONFIG = "generation_config.json"


def generation_config(info: CheckpointInfo, special: SpecialIds) -> dict[str, Any]:
    """The decoding settings of a model as `transformers` names them; empty for models that write nothing.

    Its beam search divides by length^penalty, ours by ((5 + length) / 6)^penalty: with one penalty they may rank
    hypotheses differently. The rest means the same.
    """
    decoding = info.settings.decoding
    ids = {"pad_token_id": special.pad, "bos_token_id": special.bos, "eos_token_id": special.eos}
    if info.task == "translation":
        beams = {"num_beams": decoding.beam, "length_penalty": decoding.length_penalty} if decoding.beam > 1 else {}
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
