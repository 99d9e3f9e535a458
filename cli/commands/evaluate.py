"""`bpe-transformer evaluate`: scores of a trained model on held-out splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import output, print_json, progress, reporter, say_ledger
from bpe_transformer.cli.support.options import errors_option, json_option, source_dir_option, threads_option
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.cli.support.training_options import (
    beam_options,
    documents_option,
    hide_library_bars,
    start_torch,
)
from bpe_transformer.io.printable import printable, times

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.data.corpora.reading import Documents
    from bpe_transformer.evaluation import (
        ClassificationScore,
        LanguageModelScore,
        MaskedLanguageModelScore,
        Metric,
        TranslationScore,
    )
    from bpe_transformer.io import Errors

    Score = TranslationScore | LanguageModelScore | MaskedLanguageModelScore | ClassificationScore


@click.command(
    epilog="""\b
Examples:
  bpe-transformer evaluate runs/numbers numbers-en-ko --split test
  bpe-transformer evaluate runs/multi30k multi30k --from data --split test_2016_flickr --split test_2017_flickr
  bpe-transformer evaluate runs/python python-stdlib --split "test[:100]" --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("corpus")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="SPLIT",
    help="Repeatable, or a share of one: test[:100]. [test, else validation, else all of a file]",
)
@source_dir_option
@errors_option()
@documents_option
@click.option(
    "--metric", type=click.Choice(["bleu", "exact-match"]), help="For translations. [the recipe's, else bleu]"
)
@click.option(
    "--reference", "references", multiple=True, metavar="COLUMN", help="Compare with this column too; repeatable."
)
@click.option("--bleu-tokenizer", metavar="NAME", help="As sacreBLEU names them. [that of the target language]")
@beam_options
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="List so many exact misses."
)
@threads_option
@json_option
def command(
    run: str,
    corpus: str,
    splits: tuple[str, ...],
    source_dir: str | None,
    errors: Errors,
    documents: Documents | None,
    metric: Metric | None,
    references: tuple[str, ...],
    bleu_tokenizer: str | None,
    beam: int | None,
    length_penalty: float | None,
    limit: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Score the model in RUN on splits of CORPUS.

    Translations: sacreBLEU (cased) and chrF with their signatures, or the share that equals the reference exactly. Language
    models: bits per byte, and perplexity an id. Masked language models: the share of hidden ids that are found.
    Classifiers: accuracy and macro F1 (the mean of the labels' F1).
    """
    start_torch(threads, needed=TRAINING)
    hide_library_bars()
    from bpe_transformer.data import Reading, corpus_info, load_corpus
    from bpe_transformer.evaluation import scored_rows
    from bpe_transformer.training import load_checkpoint_info

    model = load_checkpoint_info(run)
    # a language model reads documents as train does
    reading = Reading(documents=documents, of_txt="paragraph" if "language-model" in model.task else "line")
    info = corpus_info(corpus, splits[0].partition("[")[0] if splits else "train", errors=errors, reading=reading)
    splits = splits or (next(name for name in ("test", "validation", "train", *info.splits) if name in info.splits),)
    translating = {
        "metric": metric or info.train.get("metric", "bleu"),
        "references": references,
        "tokenize": bleu_tokenizer,
        "beam": beam,
        "length_penalty": length_penalty,
    }
    score_rows = _scorer(run, translating)
    wanted = (*model.columns, *references)
    columns = wanted if set(wanted) <= set(info.columns) else None
    scores, ledgers = [], []
    for split in splits:
        rows = load_corpus(corpus, split, source_dir=source_dir, errors=errors, reading=reading, columns=columns)
        with progress() as bars:
            scores.append((split, score_rows(rows, reporter(bars, f"scoring {split}"))))
        ledgers.append(scored_rows(rows, wanted))
    if as_json:
        print_json([{"split": split, **score.to_dict()} for split, score in scores])
    else:
        console = output()
        for split, score in scores:
            for line in (f"{split}  {_line(score)}", *_misses(score, limit)):
                console.print(line, soft_wrap=True)
    for split, ledger in zip(splits, ledgers, strict=True):
        say_ledger(ledger, f"{split}, ")


def _scorer(
    run: str, translating: Mapping[str, Any]
) -> Callable[[datasets.Dataset, Callable[[int, int], None]], Score]:
    """A function that scores rows with the model in `run` and reports progress; `translating` is for translators."""
    from bpe_transformer.evaluation import (
        evaluate_classifier,
        evaluate_language_model,
        evaluate_masked_language_model,
        evaluate_translator,
    )
    from bpe_transformer.inference import load_classifier, load_mask_filler, load_text_generator, load_translator
    from bpe_transformer.training import load_checkpoint_info

    task = load_checkpoint_info(run).task
    if task == "classification":
        classifier = load_classifier(run)
        return lambda rows, report: evaluate_classifier(classifier, rows, progress=report)
    if task == "masked-language-model":
        filler = load_mask_filler(run)
        return lambda rows, report: evaluate_masked_language_model(filler, rows, progress=report)
    if task == "translation":
        translator = load_translator(run)
        return lambda rows, report: evaluate_translator(translator, rows, progress=report, **translating)
    generator = load_text_generator(run)
    return lambda rows, report: evaluate_language_model(generator, rows, progress=report)


def _line(score: Score) -> str:
    from bpe_transformer.evaluation import ClassificationScore, LanguageModelScore, MaskedLanguageModelScore

    if isinstance(score, ClassificationScore):
        return (
            f"accuracy {100 * score.accuracy:.1f} %  macro F1 {100 * score.macro_f1:.1f} %  "
            f"{times(score.num_rows, 'row')}{_left_out(score, 'text or label')}"
        )
    if isinstance(score, MaskedLanguageModelScore):
        return (
            f"masked accuracy {100 * score.accuracy:.1f} %  perplexity {score.perplexity:.2f} a hidden id  "
            f"{times(score.num_texts, 'document')}  {times(score.num_masked, 'hidden id')}{_left_out(score, 'text')}"
        )
    if isinstance(score, LanguageModelScore):
        return (
            f"{score.bits_per_byte:.3f} bits a byte  perplexity {score.perplexity:.2f} an id  "
            f"{times(score.num_texts, 'document')}  {times(score.num_bytes, 'byte')}  "
            f"{times(score.num_ids, 'id')}{_left_out(score, 'text')}"
        )
    if score.misses is None:
        return (
            f"BLEU {score.score:.2f}  chrF {score.chrf:.2f}  {times(score.num_rows, 'row')}"
            f"{_left_out(score, 'source or reference')}  {score.signature}  {score.chrf_signature}"
        )
    matches = score.num_rows - len(score.misses)
    left_out = _left_out(score, "source or reference")
    return f"exact match {score.score:.1f} %  {matches:,} of {times(score.num_rows, 'row')}{left_out}"


def _left_out(score: Score, what: str) -> str:
    return f"  {score.num_left_out:,} without {what} left out" if score.num_left_out else ""


def _misses(score: Score, limit: int) -> list[str]:
    from bpe_transformer.evaluation import TranslationScore

    misses = (score.misses or ()) if isinstance(score, TranslationScore) else ()
    return [printable(f"  {miss.src} -> {miss.output} (not {miss.reference})") for miss in misses[:limit]]
