"""The base of every view: the View class, tokens written visibly, kinds, scripts and words, and the metrics."""

from bpe_transformer.inspection.base.scripts import script_of, scripts_of
from bpe_transformer.inspection.base.token_kinds import TokenKind, TokenKinds
from bpe_transformer.inspection.base.view import View, draws, render
from bpe_transformer.inspection.base.visible import from_visible, in_view, isolated, token_dict

__all__ = [
    "TokenKind",
    "TokenKinds",
    "View",
    "draws",
    "from_visible",
    "in_view",
    "isolated",
    "render",
    "script_of",
    "scripts_of",
    "token_dict",
]
