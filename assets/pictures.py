"""Makes the pictures of the README from real runs of the commands: `make pictures`.

Each is what a terminal of so many columns shows, as SVG, of the files that the tour in the README has made by then: the
blocks marked "for the pictures" are run first. What they read comes with the package, so the pictures are the same on
every machine, and a test compares their text with what the commands print.
"""

from __future__ import annotations

import html
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import MONOKAI

from bpe_transformer import Tokenizer
from bpe_transformer.cli import cli
from bpe_transformer.cli.support import console as _common

HERE = Path(__file__).resolve().parent
# Rich's own frame around the terminal, without the font that it would fetch from the network
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
 line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 14px; font-weight: bold; font-family: ui-sans-serif, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="100%"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def recorder(columns: int, lines: int = 40) -> Console:
    return Console(
        record=True,
        width=columns,
        height=lines,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )


def save(console: Console, path: Path, title: str) -> None:
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=SVG, unique_id=path.stem)
    svg = re.sub(r'textLength="([0-9.]+)"([^>]*)>([^<]*)</text>', in_cells, svg)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def in_cells(text: re.Match[str]) -> str:
    """A text of the picture as wide as it is in a terminal; Rich gives every character one cell, Hangul as well."""
    length, rest, escaped = text.groups()
    written = html.unescape(escaped)
    cells = float(length) / len(written) * cell_len(written)
    return f'textLength="{cells:g}" lengthAdjust="spacing"{rest}>{escaped}</text>'


def command(path: Path, *arguments: str, columns: int = 80) -> None:
    """The picture of one command."""
    console = recorder(columns)
    original = _common.output
    # commands look it up when they are loaded, which is when they first run
    setattr(_common, "output", lambda width=None: console)  # noqa: B010
    loaded = [module for module in sys.modules if module.startswith("bpe_transformer.cli.commands.")]
    before = {module: sys.modules.pop(module) for module in loaded}
    try:
        cli.main(list(arguments), standalone_mode=False)
    finally:
        setattr(_common, "output", original)  # noqa: B010
        sys.modules.update(before)
    save(console, path, shlex.join(["bpe-transformer", *arguments]))


def walk(path: Path, tokenizer: str, words: list[str], keys: list[str]) -> None:
    """The picture of `trace --step` after some keys."""
    from bpe_transformer.cli.support.viewers.step_viewer import StepViewer
    from bpe_transformer.inspection.history.trace_walk import TraceWalk

    viewer = StepViewer(TraceWalk(Tokenizer.load(tokenizer), words))
    for key in keys:
        viewer.press(key)
    console = recorder(80)
    console.print(viewer.picture(80, 22))
    save(console, path, shlex.join(["bpe-transformer", "trace", tokenizer, "--step", "--words", ",".join(words)]))


def draw_terminals(out: Path) -> None:
    """Every picture of a terminal, in the folder `out`, from the tour's files in the working directory."""
    command(out / "tokens.svg", "tokens", "en-ko", "고양이 세 마리, three 🐈s")
    parallel = ["--parallel", "en=en.txt", "ko=ko.txt"]
    command(out / "compare.svg", "compare", "en-ko", "english", *parallel, "--limit", "1", columns=88)
    command(out / "vocab.svg", "vocab", "en-ko", "--file", "ko.txt", "--sort", "swallowed", "--limit", "6", columns=88)
    command(out / "why.svg", "why", "en-ko", "--text", "고양이 thirsty")
    files = ["--file", "en.txt", "--file", "ko.txt"]
    command(out / "sizes.svg", "sizes", "en-ko", *files, "--sizes", "400,600,1000,1400,2000")
    command(out / "trace-diff.svg", "trace", "diff", "en-ko", "en-ko-gpt2")
    walk(out / "trace-step.svg", "en-ko", [" three", "고양이"], [*"g", *"237", "enter", "f", "n"])


def draw_report(path: Path) -> None:
    """The picture of a report's playground and timeline, as a headless Chromium draws it."""
    from playwright.sync_api import sync_playwright

    words = "·three, ·thirteen, 고양이, ·마리"
    cli.main(["report", "en-ko", "-o", "report.html", "--words", words], standalone_mode=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": 1000, "height": 2400}, color_scheme="light")
        view.goto(Path("report.html").resolve().as_uri())
        view.wait_for_selector("html[data-ready]")
        view.locator("#text").fill("three cats, thirteen thirsty sheep\n고양이 세 마리와 양 열세 마리\n")
        view.evaluate("report.playground.inspectLongest(); document.activeElement.blur()")
        top, last = (view.locator(part).bounding_box() for part in ("#playground", "#timeline"))
        assert top is not None
        assert last is not None
        clip = {"x": 0, "y": top["y"] + 20, "width": 1000, "height": last["y"] + last["height"] - top["y"]}
        view.screenshot(path=str(path), clip=clip)
        browser.close()


def run_tour() -> None:
    """Runs the blocks of the README that make the files which the pictures show, in the working directory."""
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    marked = re.findall(r"^<!-- tour: for the pictures -->\n```(\w+)\n(.*?)\n```", readme, re.MULTILINE | re.DOTALL)
    for language, text in marked:
        if language == "python":
            exec(text, {})
        else:
            for line in re.findall(r"^\$ bpe-transformer (.*)", text, re.MULTILINE):
                cli.main(shlex.split(line), standalone_mode=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_tour()
        draw_terminals(HERE)
        draw_report(HERE / "report.png")


if __name__ == "__main__":
    main()
