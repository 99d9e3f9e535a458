"""A vocabulary and what a corpus uses of it: low-lower by hand, Korean and English against the tokens and pruning."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.errors import ConfigError, CorpusError, InvalidUtf8Error
from bpe_transformer.inspection import VocabBrowser
from bpe_transformer.inspection.base.scripts import script_of
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from tests.inspection.render.test_render import drawn


@pytest.fixture(scope="session")
def by_hand(low_lower: Tokenizer) -> VocabBrowser:
    """`low lowest` is low <unk> low est; low is lo w, lo is l o, est is es t, es is e s."""
    return VocabBrowser(low_lower, [ChunkedText("words", "low lowest")])


@pytest.fixture(scope="session")
def learned(numbers: Tokenizer, pairs: list[tuple[str, str]]) -> VocabBrowser:
    return VocabBrowser(numbers, [ChunkedText("ko", "\n".join(ko for _, ko in pairs[:300]))])


def tokens(vocabulary: VocabBrowser, **asked: object) -> list[str]:
    view = vocabulary.view(limit=None, **asked)  # type: ignore[arg-type]
    assert view.num_found == len(view.entries)
    return [entry.token.decode("utf-8", "backslashreplace") for entry in view.entries]


def test_roles_by_hand(by_hand: VocabBrowser) -> None:
    roles = {role: tokens(by_hand, group=role, sort="id") for role in ("used", "scaffold", "idle")}
    assert roles["used"] == ["<unk>", "est", "low"]
    assert roles["scaffold"] == ["es", "lo"]
    assert roles["idle"] == ["ew", "new", "newest", "dest", "idest", "widest", "er", "lower"]
    assert tokens(by_hand, group="unused", sort="id") == ["es", "lo", *roles["idle"]]
    assert {by_hand.corpus_use(id) for id in range(10)} == {"kept"}
    pruning = by_hand.pruning()
    assert pruning is not None
    assert (pruning.num_used, pruning.num_scaffold, pruning.num_idle, pruning.num_kept) == (3, 2, 8, 10)
    assert (pruning.vocab_size, pruning.vocab_size_after, pruning.share_saved) == (23, 15, pytest.approx(8 / 23))


def test_swallowed_by_hand(by_hand: VocabBrowser, low_lower: Tokenizer) -> None:
    """l stands in both low: two occurrences, both swallowed; low itself stays; d does not occur at all."""
    found = {low_lower.token_bytes(id).decode(): by_hand.swallowed(id) for id in range(23)}
    assert [found[token] for token in ("l", "lo", "low", "e", "est", "d")] == [1.0, 1.0, 0.0, 1.0, 0.0, None]
    assert tokens(by_hand, sort="swallowed")[:4] == ["l", "o", "w", "lo"]  # twice each, then what occurs once
    half = VocabBrowser(low_lower, [ChunkedText("words", "lo low")])
    assert half.swallowed(low_lower.id_of("lo")) == 0.5


def test_facts_by_hand(by_hand: VocabBrowser) -> None:
    (entry,) = by_hand.view(prefix="low", chars=(3, 3)).entries
    assert (entry.id, entry.kind, entry.rank, entry.merge_count, entry.used, entry.script) == (
        14,
        "merged",
        3,
        7,
        2,
        "Latin",
    )
    assert entry.uses == 1  # low + er
    (e,) = by_hand.view(contains="e", chars=(1, 1)).entries
    assert e.uses == 3  # es, ew, er


def test_search(by_hand: VocabBrowser) -> None:
    assert tokens(by_hand, prefix="low", sort="id") == ["low", "lower"]
    assert tokens(by_hand, contains="we", sort="id") == ["newest", "lower"]
    assert tokens(by_hand, chars=(5, None), sort="chars") == ["newest", "widest", "<unk>", "idest", "lower"]
    assert tokens(by_hand, used=(2, None)) == ["low"]
    assert tokens(by_hand, group="special") == ["<unk>"]
    assert tokens(by_hand, script="latin", used=(1, 1)) == ["est"]
    assert tokens(by_hand, sort="rank")[:2] == ["es", "est"]
    assert tokens(by_hand, sort="text", reverse=True)[:2] == ["widest", "w"]
    assert tokens(by_hand, prefix="none") == []
    assert len(by_hand.view(limit=4).entries) == 4


def test_search_as_the_views_write_it(numbers: Tokenizer) -> None:
    vocabulary = VocabBrowser(numbers)
    spaced = tokens(vocabulary, prefix=" ")
    assert tokens(vocabulary, prefix="·") == spaced
    assert len(spaced) > 20
    partial = vocabulary.view(prefix="⟨ec⟩", limit=None).entries
    assert all(entry.token.startswith(b"\xec") for entry in partial)
    assert len(partial) > 1


GOLDEN = """\
vocabulary   23 tokens: 12 merged, 10 base, 1 unknown
scripts      22 Latin, 1 special
unreachable  0: every token is encoded to by some text
corpus       words
used         3 tokens; 20 never
never used   8 idle, 2 scaffold, 10 kept (alphabet and special)
pruning      would drop the 8 idle: 23 ids to 15, 34.8 % of an embedding's rows;
             the corpus takes as many tokens as before

id  token  rank  kind     script   at merge  uses  used  swallowed  role
14  low       3  merged   Latin           7     1     2        0 %  used
10  <unk>     –  unknown  special         –     0     1        0 %  used
12  est       1  merged   Latin           9     2     1        0 %  used
 0  d         –  base     Latin           –     1     0          –  kept

4 of 23 tokens shown, tokenizer DIGEST
at merge: how often the pair stood in the learning corpus when it was merged
uses: merges that take it further
swallowed: share of its occurrences that longer tokens took; near 100 % it is
only a step on the way
scaffold: the corpus never holds it, but used tokens are made of it; idle:
neither, pruning drops it
"""


def test_golden(by_hand: VocabBrowser, low_lower: Tokenizer) -> None:
    shown = "\n".join(drawn(by_hand.view(sort="used", limit=4))) + "\n"
    assert shown.replace(low_lower.digest[:12], "DIGEST") == GOLDEN


def test_use_is_that_of_the_encoder(learned: VocabBrowser, numbers: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    text = "\n".join(ko for _, ko in pairs[:300])
    used = Counter(numbers.encode(text))
    view = learned.view(limit=None)
    assert {entry.id: entry.used for entry in view.entries if entry.used} == used
    # what occurs on its own or inside longer tokens is what occurs when nothing is merged, for the alphabet
    assert learned.totals is not None
    base = numbers.truncate(259)
    plain = np.bincount(base.encode(text), minlength=259)
    assert learned.totals[:256].tolist() == plain[:256].tolist()


def test_pruning_is_what_prune_does(learned: VocabBrowser, numbers: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    text = "\n".join(ko for _, ko in pairs[:300])
    pruned, pruning = numbers.prune([text]), learned.pruning()
    assert pruning is not None
    assert (pruning.vocab_size_after, pruning.num_idle) == (pruned.tokenizer.vocab_size, pruned.dropped)
    assert pruning.num_scaffold == pruned.kept_constituents
    idle = {entry.id for entry in learned.view(group="idle", limit=None).entries}
    assert idle == set(np.flatnonzero(pruned.new_ids < 0).tolist())
    assert len(pruned.tokenizer.encode(text)) == len(numbers.encode(text))


def test_scripts(learned: VocabBrowser) -> None:
    view = learned.view(limit=None)
    assert Counter(entry.script for entry in view.entries) == view.by_script
    for entry in view.entries:
        assert entry.script == ("special" if entry.kind == "special" else script_of(entry.token))
    assert {"Hangul", "Latin", "Common", "partial bytes", "special"} <= view.by_script.keys()
    assert all(entry.script == "Hangul" for entry in learned.view(script="hangul").entries)


@pytest.mark.parametrize(
    ("token", "script"),
    [
        ("세 마리", "Hangul"),
        ("東京", "Han"),
        ("東京は", "mixed"),
        (" 12,", "Common"),
        ("e\u0301", "Latin"),
        ("👍", "Common"),
        ("\u0301", "Common"),
        ("Привет", "Cyrillic"),
        ("\ue000", "Unknown"),
        ("", "no text"),
    ],
)
def test_script_of_a_token(token: str, script: str) -> None:
    assert script_of(token.encode()) == script


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_fits_the_terminal(learned: VocabBrowser, width: int) -> None:
    from rich.cells import cell_len

    lines = drawn(learned.view(limit=30), width)
    assert max(map(cell_len, lines)) <= width
    assert any(line.split()[:1] == ["id"] for line in lines)


def test_what_cannot_be_asked_says_why(low_lower: Tokenizer, by_hand: VocabBrowser, tmp_path: Path) -> None:
    plain = VocabBrowser(low_lower)
    for asked in ({"group": "idle"}, {"sort": "used"}, {"sort": "swallowed"}, {"used": (1, None)}):
        with pytest.raises(CorpusError, match=r"corpus=\["):
            plain.view(**asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no token is of script 'Runic'; this vocabulary has Latin, special"):
        by_hand.view(script="Runic")
    with pytest.raises(ConfigError, match="choose one of id, rank"):
        by_hand.view(sort="size")  # type: ignore[arg-type]
    broken = tmp_path / "broken"
    broken.write_bytes(b"low\xff")
    with pytest.raises(InvalidUtf8Error, match="position 3"):
        VocabBrowser(low_lower, [ChunkedText.file(broken)])


def test_json(by_hand: VocabBrowser, low_lower: Tokenizer) -> None:
    facts = json.loads(json.dumps(by_hand.view(group="scaffold").as_dict()))
    assert [entry["token"]["text"] for entry in facts["entries"]] == ["es", "lo"]
    assert facts["pruning"]["num_idle"] == 8
    assert json.loads(json.dumps(VocabBrowser(low_lower).view(limit=0).as_dict()))["pruning"] is None
