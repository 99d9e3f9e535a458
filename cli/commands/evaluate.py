"""`bpe-transformer evaluate`: scores of a trained model on held-out splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import output, print_json, progress, reporter, say, say_ledger
from bpe_transformer.cli.support.options import (
    errors_option,
    is_typed,
    json_option,
    source_dir_option,
    threads_option,
)
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.cli.support.training.scored_splits import ScoredCorpora, ScoredSplit
from bpe_transformer.cli.support.training_options import (
    beam_options,
    documents_option,
    hide_library_bars,
    start_torch,
)
from bpe_transformer.io.printable import printable, times

if TYPE_CHECKING:
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
  bpe-transformer evaluate runs/numbers
  bpe-transformer evaluate runs/numbers numbers-en-ko --split test
  bpe-transformer evaluate runs/multi30k multi30k --from data --split test_2016_flickr --split test_2017_flickr
  bpe-transformer evaluate runs/python python-stdlib --split "test[:100]" --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("corpus", required=False)
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="SPLIT",
    help="Repeatable, or a share of one: test[:100]. [test, else validation; all of another file]",
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
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="With --metric exact-match: list so many misses.",
)
@threads_option
@json_option
def command(
    run: str,
    corpus: str | None,
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
    """Score the model in RUN on splits of CORPUS, by default that of its training, or the rows held out of it.

    A corpus that has no split validation has one for the run that was trained on it: the rows that training took out. Of
    rows that were trained on, the number is said.

    Translations: sacreBLEU (cased) and chrF with their signatures, or the share that equals the reference exactly. Language
    models: bits per byte, and perplexity an id. Masked language models: the share of hidden ids that are found.
    Classifiers: accuracy and macro F1 (the mean of the labels' F1).
    """
    start_torch(threads, needed=TRAINING)
    hide_library_bars()
    from bpe_transformer.training import load_checkpoint_info

    model = load_checkpoint_info(run)
    typed = {} if source_dir is None else {"from": source_dir}
    typed |= {"errors": errors} if is_typed("errors") else {}
    scored_corpora = ScoredCorpora(run, model, corpus, splits, typed, documents, references)
    translating = {
        "references": references,
        "tokenize": bleu_tokenizer,
        "beam": beam,
        "length_penalty": length_penalty,
    }
    score_rows = _scorer(run, metric, translating)
    scores = []
    for split in scored_corpora.splits():
        with progress() as bars:
            scores.append((split, score_rows(split, reporter(bars, f"scoring {split.name}"))))
    if as_json:
        print_json(
            [{"split": split.name, "trained_on": split.num_trained_on, **score.to_dict()} for split, score in scores]
        )
    else:
        console = output()
        for split, score in scores:
            for line in (f"{split.name}  {_line(score)}", *_signatures(score), *_misses(score, limit)):
                console.print(line, soft_wrap=True)
        if is_typed("limit") and not any(_has_misses(score) for _, score in scores):
            say("note: --limit lists misses of --metric exact-match, and nothing was scored by that here")
    for split, score in scores:
        say_ledger(score.ledger, f"{split.name}, ")
        if split.num_trained_on:
            number = f"{split.num_trained_on:,} of {len(split.rows):,} rows"
            say(f"{split.name}: {number} are also training rows of the model, of which a score says little")


def _scorer(
    run: str, metric: Metric | None, translating: Mapping[str, Any]
) -> Callable[[ScoredSplit, Callable[[int, int], None]], Score]:
    """A function that scores rows with the model in `run` and reports progress; the other arguments are for translators."""
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
        return lambda split, report: evaluate_classifier(classifier, split.rows, progress=report)
    if task == "masked-language-model":
        filler = load_mask_filler(run)
        return lambda split, report: evaluate_masked_language_model(filler, split.rows, progress=report)
    if task == "translation":
        translator = load_translator(run)

        def translated(split: ScoredSplit, report: Callable[[int, int], None]) -> Score:
            chosen = metric or split.info.train.get("metric", "bleu")
            return evaluate_translator(translator, split.rows, metric=chosen, progress=report, **translating)

        return translated
    generator = load_text_generator(run)
    return lambda split, report: evaluate_language_model(generator, split.rows, progress=report)


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
            f"{_left_out(score, 'source or reference')}"
        )
    matches = score.num_rows - len(score.misses)
    left_out = _left_out(score, "source or reference")
    return f"exact match {score.score:.1f} %  {matches:,} of {times(score.num_rows, 'row')}{left_out}"


def _left_out(score: Score, what: str) -> str:
    return f"  {score.num_left_out:,} without {what} left out" if score.num_left_out else ""


def _signatures(score: Score) -> list[str]:
    """What sacreBLEU writes of how BLEU and chrF were computed, a line each."""
    from bpe_transformer.evaluation import TranslationScore

    if not isinstance(score, TranslationScore) or score.misses is not None:
        return []
    return [f"  BLEU signature: {score.signature}", f"  chrF signature: {score.chrf_signature}"]


def _has_misses(score: Score) -> bool:
    from bpe_transformer.evaluation import TranslationScore

    return isinstance(score, TranslationScore) and score.misses is not None


def _misses(score: Score, limit: int) -> list[str]:
    from bpe_transformer.evaluation import TranslationScore

    misses = (score.misses or ()) if isinstance(score, TranslationScore) else ()
    return [printable(f"  {miss.src} -> {miss.output} (not {miss.reference})") for miss in misses[:limit]]
