"""Rich renderables of the views: one module for each module of views, in a folder of the same name.

Everything is laid out in terminal cells, so Hangul, CJK and emoji line up; a colour always repeats what a sign or a
word says; and the layout depends on the width alone, never on whether the output is a terminal.
"""

from bpe_transformer.inspection.base.view import render
from bpe_transformer.inspection.render.elements import facts
from bpe_transformer.inspection.render.tokens.tokenized_text import MAX_ROWS, render_text

__all__ = ["MAX_ROWS", "facts", "render", "render_text"]
