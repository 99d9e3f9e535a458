"""The data behind the page, and the file that is written."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inspection.html.packing import pack, write_page
from bpe_transformer.inspection.html.report import (
    report_data,
    report_html,
    sample_words,
    vocabulary,
    write_report,
)

LETTERS = [a + b for a in "bcdfgh" for b in "jpqrstvwxz"]
ASSETS = resources.files("bpe_transformer.inspection.html").joinpath("assets")


def test_columns_are_packed_as_told() -> None:
    packed = pack(np.array([5, 7, 2, 2**32 - 1], np.uint32), delta=True)
    planes = zlib.decompress(base64.b64decode(packed["data"]))
    differences = np.frombuffer(planes, np.uint8).reshape(4, 4).T.copy().view("<u4").ravel()
    assert packed["length"] == 4
    assert np.cumsum(differences, dtype=np.uint32).tolist() == [5, 7, 2, 2**32 - 1]


def test_tokens_that_merges_do_not_tell_are_spelled_out(korean: Tokenizer) -> None:
    facts = vocabulary(korean.model)
    assert [id for id, _ in facts["others"]] == sorted(korean.special_tokens.values())
    assert [bytes.fromhex(hex) for _, hex in facts["base"]] == [korean.token_bytes(id) for id, _ in facts["base"]]


def test_the_page_holds_all_it_needs(korean: Tokenizer) -> None:
    page = report_html(report_data(korean, title="<b>&'s"))
    assert "{{" not in page
    assert "<title>&lt;b&gt;&amp;&#x27;s</title>" in page
    links = re.findall(
        r"""(?:src|href)\s*=\s*["']?([^"'\s>]*)""", re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    )
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "default-src 'none'" in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["title"] == "<b>&'s"
    stranger = report_html(report_data(korean, title="a\x1b\u202eb\udcff"))  # of a folder, say, whose name is no UTF-8
    assert "<title>a⟨U+001B⟩⟨U+202E⟩b⟨ff⟩</title>" in stranger
    assert "\\udcff" in stranger.encode().decode()


def test_text_that_looks_like_the_page_does_no_harm(korean: Tokenizer) -> None:
    words = ["</script><script>alert(1)</script>", "{{script}}", "<!--"]
    page = report_html(report_data(korean, title="{{data}}", words=words))
    data = re.search(r'id="data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["words"] == words


def test_vendored_files_are_what_was_released() -> None:
    """The table in vendor/README.md names every file's release and digest."""
    vendor = ASSETS.joinpath("vendor")
    digests = dict(
        re.findall(r"`([^`]+)` \| `([0-9a-f]{64})`", vendor.joinpath("README.md").read_text(encoding="utf-8"))
    )
    files = {file.name for file in vendor.iterdir()} - {"README.md"}
    assert set(digests) == files
    for name, digest in digests.items():
        assert hashlib.sha256(vendor.joinpath(name).read_bytes()).hexdigest() == digest


def test_what_the_page_cannot_do_is_named(korean: Tokenizer) -> None:
    split = dataclasses.replace(korean.model.pretokenizer, pattern=r"(\p{L})\1|.")
    data = report_data(Tokenizer(dataclasses.replace(korean.model, pretokenizer=split)), title="twice")
    assert data["splitting"] is None
    assert "no exact counterpart" in data["no_playground"]


def test_sample_words_are_the_vocabularys_own(korean: Tokenizer) -> None:
    """A small vocabulary shows its longest tokens, a large one some from frequent to rare."""
    words = sample_words(korean)
    assert words[0] == max(words, key=lambda word: len(word.encode()))
    assert {korean.id_of(word) for word in words}
    many = learn_bpe(
        PretokenCounts.from_words({f" {a}{b}{c}": 1 for a in "klmn" for b in "aeiou" for c in LETTERS}), 1400
    )
    assert len(many.merges) > 1000
    assert all(many.id_of(word) >= 256 for word in sample_words(many))
    assert sample_words(learn_bpe(PretokenCounts.from_iterator(["a"]), 256)) == ["lower"]


def test_the_old_report_stays_if_writing_fails(korean: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_page("half a character \ud800", path)
    assert path.read_text() == "old"
    write_report(report_data(korean, title="new"), path)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    "pattern", [r"(a|aa)+$|\S|\s", r"(?:a?a?)" * 12 + r"b|[\s\S]", r"(x+x+)+y|[\s\S]", r"a{0,300}a{0,300}b|[\s\S]"]
)
def test_a_pattern_that_a_browser_could_not_end_has_no_playground(pattern: str) -> None:
    data = report_data(learn_bpe(PretokenCounts.from_iterator(["low lower"], pattern), 260), title="slow")
    assert "may take for ever in a browser" in data["no_playground"]
    assert len(data["no_playground"]) < 600
