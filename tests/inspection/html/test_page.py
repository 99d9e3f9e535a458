"""The page as a person uses it: typing, the slider, keys alone, light and dark, a telephone, and nothing over a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inspection import replay_trace
from bpe_transformer.inspection.base.visible import visible

TEXTS = {
    "Korean": "세 마리 고양이가 다섯 권의 책을 읽었다.",
    "English": "Three cats read five books; aren't they the lowest?",
    "emoji": "👩‍🚀 🇰🇷 👋🏽 a🎉b",
    "code": "def f(x):\n\treturn x[0] != '</s>'  # ok\n",
}


def _ids(page: Page) -> list[int]:
    """The ids as the page shows them, in the view that shows ids."""
    page.locator("#view label", has_text="Ids").click()
    found = [int(text) for text in page.locator("#tokens .t").all_inner_texts()]
    page.locator("#view label", has_text="Tokens").click()
    return found


def _segments(page: Page) -> dict[str, list[int]]:
    """Each followed word, as it is written, with the ids of its row."""
    rows = page.locator("#segments tbody tr")
    return {
        row.locator("th").inner_text(): [int(id) for id in (row.locator("td").first.get_attribute("data-ids") or "").split()]
        for row in (rows.nth(i) for i in range(rows.count()))
    }  # fmt: skip


@pytest.fixture(scope="module")
def report(open_page: Callable[..., Any], korean: Tokenizer) -> Any:
    return open_page(korean, words=[" books", "고양이", "lowest"])


@pytest.fixture
def page(report: Any) -> Page:
    return report.page


def test_it_says_nothing_and_asks_for_nothing(report: Any) -> None:
    report.page.locator("#text").fill("once")
    assert report.said == []
    assert all(url.startswith(("file:", "data:")) for url in report.asked)
    assert len([url for url in report.asked if url.startswith("file:")]) == 1


@pytest.mark.parametrize("kind", TEXTS)
def test_typing_gives_the_encoders_ids(page: Page, korean: Tokenizer, kind: str) -> None:
    page.locator("#text").fill("")
    page.locator("#text").press_sequentially(TEXTS[kind])
    expected = korean.encode_ordinary(TEXTS[kind])
    assert [visible(korean.token_bytes(id)) for id in expected] == page.locator("#tokens .t").all_inner_texts()
    assert _ids(page) == expected
    figures = page.locator("#figures").inner_text().split()
    assert figures[1] == str(len(expected))
    assert figures[5] == str(len(TEXTS[kind].encode()))


def test_editing_in_the_middle_redraws_what_changed(page: Page, korean: Tokenizer) -> None:
    box = page.locator("#text")
    for text in ("three cats\nread\nbooks", "three cats\nXread\nbooks", "cats\nXread\nbooks", "cats\nbooks", "", "세"):
        box.fill(text)
        assert _ids(page) == korean.encode_ordinary(text)
    expect(page.locator("#tokens br")).to_have_count(0)


def test_special_tokens_are_text_until_asked_for(page: Page, korean: Tokenizer) -> None:
    text = "a<s>세</s>"
    page.locator("#text").fill(text)
    assert _ids(page) == korean.encode_ordinary(text)
    page.locator("#special").check()
    assert _ids(page) == korean.encode(text, allowed_special="all")
    page.locator("#special").uncheck()


def test_examples_fill_the_box(page: Page, korean: Tokenizer) -> None:
    page.get_by_role("button", name="Code").click()
    text = page.locator("#text").input_value()
    assert "def merge" in text
    assert _ids(page) == korean.encode_ordinary(text)


def test_pointing_at_a_token_tells_all_of_it(page: Page, korean: Tokenizer) -> None:
    page.locator("#text").fill("five books")
    ids = korean.encode_ordinary("five books")
    at = max(range(len(ids)), key=lambda i: len(korean.token_bytes(ids[i])))
    page.locator("#tokens .t").nth(at).hover()
    shown = page.locator("#inspector").inner_text()
    step = next(step for step in korean.trace if step.new_id == ids[at])
    assert f"id\n{ids[at]}\n" in shown
    assert korean.token_bytes(ids[at]).hex(" ") in shown
    assert f"rank\n{step.rank}\n" in shown
    assert f"pair counted\n{step.count}\n" in shown
    derivation = page.locator("#inspector .tree").first.inner_text()
    assert f"= {visible(korean.token_bytes(step.left))} + {visible(korean.token_bytes(step.right))}" in derivation


def test_the_slider_segments_words_as_the_replay_does(page: Page, korean: Tokenizer) -> None:
    words = {" books": 1, "고양이": 1, "lowest": 1}
    expected = {
        step.rank + 1: {visible(word.word): list(word.ids) for word in step.after}
        for step in replay_trace(words, korean)
    }
    slider = page.locator("#slider")
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("#merge").input_value() == "0"
    now = {visible(word): [korean.id_of(bytes([byte])) for byte in word.encode()] for word in words}
    for merges in range(len(korean.merges) + 1):
        now = expected.get(merges, now)
        assert _segments(page) == now
        assert page.locator("#merge").input_value() == str(merges)
        page.keyboard.press("ArrowRight")
    for merges in sorted(expected, reverse=True):
        page.keyboard.press("PageDown") if merges != len(korean.merges) else None
        assert page.locator("#merge").input_value() == str(merges)
        assert _segments(page) == expected[merges]
        assert f"merge {merges} of {len(korean.merges)}" in (slider.get_attribute("aria-valuetext") or "")


def test_dragging_and_typing_a_merge_move_as_well(page: Page) -> None:
    slider = page.locator("#slider")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
    last = page.locator("#merge").get_attribute("max")
    assert page.locator("#merge").input_value() == last
    page.locator("#merge").fill("3")
    assert "merge 3 of" in page.locator("#now").inner_text()
    page.get_by_role("button", name="Next change").click()
    assert int(page.locator("#merge").input_value()) > 3


def test_other_words_can_be_followed(page: Page, korean: Tokenizer) -> None:
    page.locator("#words").fill("·cats, 세, ☃")
    page.locator("#slider").press("End")
    found = _segments(page)
    assert found == {visible(word): korean.encode_ordinary(word) for word in (" cats", "세", "☃")}


def test_keys_reach_everything(page: Page) -> None:
    page.locator("#slider").press("Home")  # where no button is disabled but the one that leads back
    page.locator(".skip").focus()
    seen = []
    for _ in range(40):
        seen.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.textContent"
            )
        )
        page.keyboard.press("Tab")
    for wanted in ("text", "special", "copy", "tokens", "words", "merge", "slider", "later", "play"):
        assert wanted in seen
    assert seen.index("text") < seen.index("tokens") < seen.index("words") < seen.index("slider")


def test_arrow_keys_walk_the_tokens(page: Page, korean: Tokenizer) -> None:
    page.locator("#text").fill("read books\nread")
    ids = korean.encode_ordinary("read books\nread")
    page.locator("#tokens").focus()
    page.keyboard.press("Home")
    for id in ids:
        assert page.locator("#inspector dd").first.inner_text() == str(id)
        assert page.locator("#tokens [aria-selected=true]").count() == 1
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("report.playground.at") < len(ids) - 1


def test_every_control_has_a_name(page: Page) -> None:
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, textarea, button, [role=listbox]")].filter((control) =>
             !control.labels?.length && !control.textContent.trim() && !control.getAttribute("aria-label")).map((c) => c.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("h1").count() == 1


def test_light_and_dark_follow_the_system_and_the_switch(open_page: Callable[..., Any], korean: Tokenizer) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page(korean, scheme=scheme).page for scheme in ("light", "dark"))
    assert light.evaluate(colour) != dark.evaluate(colour)
    dark.locator("#theme label", has_text="Light").click()
    assert dark.evaluate(colour) == light.evaluate(colour)
    light.emulate_media(color_scheme="dark")
    dark.locator("#theme label", has_text="Dark").click()
    assert light.evaluate(colour) == dark.evaluate(colour)


def test_text_stands_out_from_its_ground(open_page: Callable[..., Any], korean: Tokenizer) -> None:
    """WCAG contrast of at least 4.5 for text on the paper and on every token colour, in light and dark."""
    for scheme in ("light", "dark"):
        ratios = open_page(korean, scheme=scheme).page.evaluate(
            """() => {
              const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
              const numbers = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
              const ratio = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
              const paper = numbers(getComputedStyle(document.body).backgroundColor);
              const own = (e) => ratio(numbers(getComputedStyle(e).color), numbers(getComputedStyle(e).backgroundColor));
              const tokens = [0, 1, 2, 3, 4, 5].map((n) => { const e = view.element("span", {class: `t c${n}`}, "x"); document.body.append(e); const found = own(e); e.remove(); return found; });
              const texts = [...document.querySelectorAll("h1, .lead, .facts dt, nav a, .kicker, summary")].map((e) => ratio(numbers(getComputedStyle(e).color), paper));
              return [...tokens, ...texts];
            }"""
        )
        assert len(ratios) > 10
        assert min(ratios) >= 4.5


@pytest.mark.parametrize("width", [360, 800])
def test_narrow_screens_do_not_scroll_sideways(open_page: Callable[..., Any], korean: Tokenizer, width: int) -> None:
    page = open_page(korean, width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_are_drawn_and_told(page: Page, korean: Tokenizer) -> None:
    assert page.locator("#merges-chart canvas").count() == 1
    assert str(korean.trace[0].count) in (page.locator("#merges-chart").get_attribute("aria-label") or "")
    painted = page.evaluate(
        """() => [...document.querySelectorAll("canvas")].map((canvas) => new Set(new Uint32Array(
             canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"""
    )
    assert len(painted) >= 2
    assert min(painted) > 10
    assert page.locator("table.sizes tbody tr").count() > 2


def test_without_a_trace_the_counts_are_left_out(open_page: Callable[..., Any], korean: Tokenizer) -> None:
    watched = open_page(Tokenizer(korean.model), words=["books"])
    assert watched.said == []
    assert "No trace was saved" in watched.page.locator("#merges-lead").inner_text()
    assert "No size was measured" in watched.page.locator("#sizes-lead").inner_text()
    assert watched.page.locator("#merges-chart").is_hidden()
    watched.page.locator("#slider").press("End")
    assert _segments(watched.page)["books"] == korean.encode_ordinary("books")
    watched.page.locator("#text").fill("books")
    assert _ids(watched.page) == korean.encode_ordinary("books")


def test_a_pattern_without_counterpart_leaves_the_playground_out(open_page: Callable[..., Any]) -> None:
    counts = PretokenCounts.from_iterator(["aa bb aa"], r"(\p{L})\1|.")
    watched = open_page(learn_bpe(counts, 258), words=["aa"])
    assert watched.said == []
    assert "no exact counterpart" in watched.page.locator("#playground-note").inner_text()
    assert watched.page.locator("#text").is_hidden()
    assert list(_segments(watched.page)) == ["aa"]


def test_characters_outside_the_alphabet_are_named(open_page: Callable[..., Any]) -> None:
    tokenizer = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), 9, unit="char")
    page = open_page(tokenizer, words=["lower", "세"]).page
    page.locator("#text").fill("low")
    assert _ids(page) == tokenizer.encode("low")
    page.locator("#text").fill("low세")
    assert "“세” (U+C138) is not in this vocabulary’s alphabet" in page.locator("#problem").inner_text()
    assert "“세” is not in the alphabet" in page.locator("#segments").inner_text()
    page.locator("#text").fill("lower")
    assert page.locator("#problem").is_hidden()
    assert _ids(page) == tokenizer.encode("lower")


def test_a_vocabulary_without_merges_is_shown(open_page: Callable[..., Any]) -> None:
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["abc"]), 256)
    watched = open_page(tokenizer)
    assert watched.said == []
    assert "no merges" in watched.page.locator("#timeline-lead").inner_text()
    watched.page.locator("#text").fill("ab")
    assert _ids(watched.page) == [97, 98]
