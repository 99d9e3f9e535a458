"""Rich renderables of the views. `render(view)` gives one; `rich.print(view)` and Jupyter call it by themselves.

Everything is laid out in terminal cells, so Hangul, CJK and emoji line up; a colour always repeats what a sign or a
word says; and the layout depends on the width alone, never on whether anybody is looking.
"""

from bpe_transformer.inspection.render._dispatch import render
from bpe_transformer.inspection.render.elements import facts, times
from bpe_transformer.inspection.render.tokens.tokenized_text import MAX_ROWS, render_text

__all__ = ["MAX_ROWS", "facts", "render", "render_text", "times"]
