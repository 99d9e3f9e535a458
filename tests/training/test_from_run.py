"""Training on from existing weights: another head, an extended or another vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore, prepare_classification, prepare_language_model, prepare_translation
from bpe_transformer.errors import ConfigError
from bpe_transformer.training import (
    Settings,
    load_checkpoint,
    load_checkpoint_info,
    train_classifier,
    train_language_model,
    train_translation,
)
from bpe_transformer.training.checkpoint import weights_of
from bpe_transformer.training.pretrained import (
    Carried,
    continued_settings,
    from_run,
    load_pretrained,
    rows_by_token,
    starting_weights,
)

FRAME = ["<pad>", "<s>", "</s>"]
QUICK = {"epochs": 1, "max_tokens": 600, "d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 24, "average_last": 1}


@pytest.fixture(scope="module")
def translator(
    copies: datasets.Dataset, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TokenStore]:
    """A run of a few steps on the copy task, and its rows."""
    folder = tmp_path_factory.mktemp("first")
    pairs = prepare_translation(copies, tokenizer, src="src", tgt="tgt", max_len=16, cache_dir=folder / "cache")
    settings = Settings.preset("tiny").override(QUICK, {"max_len": 16})
    train_translation(pairs, pairs, tokenizer, settings=settings, directory=folder / "run")
    return folder / "run", pairs


def extended(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary with more merges, a special token with another name, and one that is new."""
    words = {"lowlow": 9, " 숲속": 8, "widestnewest": 7}
    return learn_bpe(
        PretokenCounts.from_words(words), 300, special_tokens=["[PAD]", "<s>", "</s>", "<new>"], roles={"pad": "[PAD]"}
    )


def test_equal_tokens_keep_their_rows_and_new_ones_are_means(translator: tuple[Path, TokenStore]) -> None:
    start = load_pretrained(translator[0])
    old, new = start.tokenizer, extended(start.tokenizer)
    rows = rows_by_token(old, new)
    assert len(rows) == new.vocab_size
    info = start.info
    weights, carried = starting_weights(start, type(info)(**{**vars(info), "vocab_size": new.vocab_size}), new)
    before, after = start.weights["src_embedding.tokens.weight"], weights["src_embedding.tokens.weight"]
    assert torch.equal(after[new.special_tokens["[PAD]"]], before[old.special_tokens["<pad>"]])  # one role
    kept = averaged = 0
    for id in range(new.vocab_size):
        token = new.token_bytes(id)
        if id in new.special_tokens.values():
            continue
        if token in old.model.id_of:
            assert torch.equal(after[id], before[old.model.id_of[token]])
            kept += 1
        else:
            ids = old.encode_ordinary(token) if _is_text(token) else old.codec.encode_pretokens([token])
            torch.testing.assert_close(after[id], before[ids].mean(dim=0), atol=0, rtol=0)
            averaged += 1
    new_special = new.special_tokens["<new>"]
    torch.testing.assert_close(after[new_special], before[old.encode_ordinary("<new>")].mean(dim=0), atol=0, rtol=0)
    assert (carried.num_kept, carried.num_averaged, carried.num_drawn) == (kept + 3, averaged + 1, 0)
    assert any(
        not _is_text(new.token_bytes(id)) for id in range(256, new.vocab_size)
    )  # half a character is one of them
    assert f"{kept + 3} rows of the embedding as they were, {averaged + 1} new ones as the mean" in str(carried)
    # everything else went over as it was
    for name, value in weights.items():
        if not name.endswith("tokens.weight"):
            assert torch.equal(value, start.weights[name])


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_training_starts_from_the_weights_with_a_fresh_optimizer(
    translator: tuple[Path, TokenStore], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    run, pairs = translator
    start = load_pretrained(run)
    heard: list[Carried] = []
    settings = continued_settings(
        Settings.preset("tiny").override({"average_last": 1}),
        start,
        {"epochs": 1, "dropout": 0.2, "lr": 1e-12, "warmup": 0, "max_tokens": 600},
    )
    result = train_translation(
        pairs, pairs, tokenizer, settings=settings, directory=tmp_path / "run", initial=from_run(start, heard.append)
    )
    first = load_checkpoint_info(run).result["validation_loss"]
    assert result.history[0]["validation_loss"] == pytest.approx(first, abs=1e-4)  # nothing was learned at this rate
    assert heard == [Carried(str(run), tokenizer.vocab_size)]
    with pytest.raises(ConfigError, match=r"keeps its options; leave out d_ff=48 \(there 24\), norm='rmsnorm'"):
        continued_settings(Settings.preset("tiny"), start, {"d_ff": 48, "norm": "rmsnorm"})
    with pytest.raises(ConfigError, match="family='bert' cannot start from"):
        continued_settings(Settings.preset("tiny"), start, {"family": "bert"})


@pytest.mark.parametrize("family", ["bert", "gpt"])
def test_a_classifier_takes_the_trunk_of_a_pretrained_model(
    family: str, copies: datasets.Dataset, tmp_path: Path
) -> None:
    words = PretokenCounts.from_iterator(copies["src"])
    tokenizer = learn_bpe(words, 290, special_tokens=[*FRAME, "<mask>"])
    lines = prepare_language_model(copies, tokenizer, column="src", cache_dir=tmp_path / "cache")
    settings = Settings.preset("tiny").override({"family": family}, QUICK, {"max_len": 16, "positions": "learned"})
    train_language_model(lines, lines, tokenizer, settings=settings, directory=tmp_path / "first")
    labelled = copies.add_column("label", ["a", "b"] * (len(copies) // 2))
    rows = prepare_classification(
        labelled, tokenizer, column="src", label="label", max_len=16, cache_dir=tmp_path / "c"
    )
    start = load_pretrained(tmp_path / "first")
    heard: list[Carried] = []
    chosen = continued_settings(settings, start, {"lr": 1e-12, "warmup": 0})
    initial = from_run(start, heard.append)
    train_classifier(
        rows, rows, tokenizer, settings=chosen, directory=tmp_path / "second", column="src", initial=initial
    )
    model, info, _ = load_checkpoint(tmp_path / "second")
    weights = weights_of(model)
    assert info.labels == ("a", "b")
    for name, value in start.weights.items():
        if name.startswith("trunk."):
            torch.testing.assert_close(weights[name], value, atol=1e-6, rtol=0)
    assert set(heard[0].fresh) == {"head.dense.weight", "head.dense.bias", "head.out.weight", "head.out.bias"}
    assert "a fresh head (4 parameters)" in str(heard[0])
    again: Any = load_pretrained(tmp_path / "second")  # the same labels again keep the head
    _, carried = starting_weights(again, again.info, tokenizer)
    assert carried.fresh == ()
    longer = type(info)(**{**vars(again.info), "settings": settings.override({"max_len": 32})})
    with pytest.raises(ConfigError, match="keep max_len as it is there"):
        starting_weights(again, longer, tokenizer)


def test_a_vocabulary_of_characters_takes_over_what_it_can(tokenizer: Tokenizer) -> None:
    characters = learn_bpe(
        PretokenCounts.from_words({"low": 5, "낮은": 2}, pattern="whitespace"), 30, unit="char", special_tokens=FRAME
    )
    rows = rows_by_token(tokenizer, characters)
    low, forest = characters.encode_ordinary("low"), characters.encode_ordinary("낮")
    same = tokenizer.model.id_of
    assert [rows[id] for id in low] == [same[characters.model.decoded_bytes[id]] for id in low]
    assert rows[forest[0]] == tokenizer.encode_ordinary("낮") or isinstance(rows[forest[0]], int)
    back = rows_by_token(characters, tokenizer)
    unknown = [id for id, row in enumerate(back) if row == []]
    assert unknown  # bytes outside of the alphabet of characters
