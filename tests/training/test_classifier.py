"""Classification from texts and labels to a scored checkpoint."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import datasets
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore, prepare_classification
from bpe_transformer.errors import CheckpointError, ConfigError, CorpusError
from bpe_transformer.evaluation import evaluate_classifier
from bpe_transformer.inference import load_classifier, load_text_generator
from bpe_transformer.training import Settings, load_checkpoint_info, train_classifier

WORDS = {"warm": ("sun", "fire", "soup"), "cold": ("snow", "ice", "frost"), "wet": ("rain", "sea", "tear")}
FILLERS = ("the", "a", "of", "and")


@pytest.fixture(scope="module")
def rows() -> datasets.Dataset:
    draw = random.Random(2)
    data: dict[str, list[Any]] = {"text": [], "kind": []}
    for _ in range(240):
        kind = draw.choice(list(WORDS))
        words = [draw.choice(WORDS[kind]), *draw.choices(FILLERS, k=draw.randint(1, 6))]
        draw.shuffle(words)
        data["text"].append(" ".join(words))
        data["kind"].append(kind)
    return datasets.Dataset.from_dict(data)


@pytest.fixture(scope="module")
def tokenizer(rows: datasets.Dataset) -> Tokenizer:
    return learn_bpe(
        PretokenCounts.from_iterator(rows["text"]), vocab_size=290, special_tokens=["<pad>", "<s>", "</s>"]
    )


@pytest.fixture(scope="module")
def prepared(rows: datasets.Dataset, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    cache = tmp_path_factory.mktemp("labelled")
    return prepare_classification(rows, tokenizer, column="text", label="kind", max_len=16, cache_dir=cache)


@pytest.mark.parametrize(("family", "pool"), [("bert", None), ("gpt", None), ("bert", "mean")])
def test_a_classifier_learns_is_saved_and_scored(
    family: str, pool: str | None, rows: datasets.Dataset, tokenizer: Tokenizer, prepared: TokenStore, tmp_path: Path
) -> None:
    shape = {"d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 32, "max_len": 16, "dropout": 0.0}
    settings = Settings.preset("tiny").override(
        {"family": family, "pool": pool, **shape}, {"epochs": 12, "max_tokens": 300, "warmup": 20, "lr": 1e-2}
    )
    run = tmp_path / "run"
    seen: list[float] = []
    result = train_classifier(
        prepared,
        prepared,
        tokenizer,
        settings=settings,
        directory=run,
        label="kind",
        progress=lambda now: seen.append(now.validation_accuracy or 0.0),
    )
    assert result.history[-1]["validation_accuracy"] == max(seen) > 0.97
    info = load_checkpoint_info(run)
    assert (info.task, info.labels, info.columns) == ("classification", ("cold", "warm", "wet"), ("text", "kind"))
    classifier = load_classifier(run)
    found = classifier.classify(["the fire", "sea and sea and sea and sea and sea and sea and sea and sea", "ice"])
    assert [text.label for text in found] == ["warm", "wet", "cold"]
    for text in found:
        assert sum(text.probabilities.values()) == pytest.approx(1)
        assert list(text.probabilities.values()) == sorted(text.probabilities.values(), reverse=True)
    score = evaluate_classifier(classifier, rows)
    assert score.accuracy == pytest.approx(result.history[-1]["validation_accuracy"], abs=0.02)
    assert score.num_rows == 240
    with pytest.raises(CheckpointError, match="holds a classifier"):
        load_text_generator(run)


def test_rows_without_text_or_label_are_counted_and_unknown_labels_refused(
    rows: datasets.Dataset, tokenizer: Tokenizer, prepared: TokenStore, tmp_path: Path
) -> None:
    odd = datasets.Dataset.from_dict(
        {"text": ["sun", " ", None, "ice", "sea " * 20, "sea"], "kind": ["warm", "cold", "wet", None, "wet", "dry"]}
    )
    kept = prepare_classification(
        odd, tokenizer, column="text", label="kind", max_len=8, labels=prepared.labels, cache_dir=tmp_path
    )
    stage = kept.ledger.stages[-1]
    assert kept.to_dataset()["label"][:] == [1, 2]
    assert {reason: amount.examples for reason, amount in stage.dropped.items()} == {
        "missing": 1,
        "empty": 1,
        "without a label": 1,
        "with a label that training rows lack": 1,
    }
    assert [amount.examples for amount in stage.truncated.values()] == [1]
    ids = kept.to_dataset()["ids"][1]
    assert len(ids) == 8
    assert ids[0] == ids[-1] == tokenizer.special_tokens["</s>"]
    kept.save(tmp_path / "rows")
    loaded = TokenStore.load(tmp_path / "rows", tokenizer)
    assert (loaded.labels, loaded.to_dataset()["label"][:]) == (prepared.labels, [1, 2])
    with pytest.raises(CorpusError, match="holds 1 different labels"):
        prepare_classification(
            rows.select([0]), tokenizer, column="text", label="kind", max_len=8, cache_dir=tmp_path / "one"
        )
    with pytest.raises(CorpusError, match="no column 'sort'"):
        prepare_classification(rows, tokenizer, column="text", label="sort", max_len=8, cache_dir=tmp_path / "none")


@pytest.mark.parametrize(
    ("values", "names"),
    [([10, 9, 9, 10], ("9", "10")), ([True, False], ("False", "True")), (["b", "a", " ", None], ("a", "b"))],
)
def test_names_of_labels(values: list[Any], names: tuple[str, ...], tokenizer: Tokenizer, tmp_path: Path) -> None:
    found = datasets.Dataset.from_dict({"text": ["x"] * len(values), "label": values})
    kept = prepare_classification(found, tokenizer, column="text", label="label", max_len=8, cache_dir=tmp_path)
    assert kept.labels == names


def test_named_class_labels_keep_their_names(tokenizer: Tokenizer, tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    found = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=features)
    kept = prepare_classification(found, tokenizer, column="text", label="label", max_len=8, cache_dir=tmp_path)
    assert [kept.labels[index] for index in kept.to_dataset()["label"]] == ["yes", "no"]


def test_a_family_that_cannot_classify_is_refused(tokenizer: Tokenizer, prepared: TokenStore, tmp_path: Path) -> None:
    settings = Settings.preset("tiny")
    with pytest.raises(ConfigError, match="choose family gpt or bert"):
        train_classifier(prepared, prepared, tokenizer, settings=settings, directory=tmp_path / "run")
