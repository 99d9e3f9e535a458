"""`bpe-transformer evaluate`: scores of a trained model on held-out splits."""

from __future__ import annotations

from typing import Any

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.training_options import counter, start_torch


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
@click.option("--split", "splits", multiple=True, default=("test",), show_default=True, help="Repeatable, or a share.")
@click.option("--from", "source_dir", metavar="DIR", help="Folder with the files of a public corpus.")
@click.option(
    "--metric", type=click.Choice(["bleu", "exact-match"]), help="For translations. [the recipe's, else bleu]"
)
@click.option("--beam", type=click.IntRange(min=1), metavar="N", help="Beam width; 1 is greedy. [the run's]")
@click.option(
    "--length-penalty", type=click.FloatRange(min=0), metavar="X", help="Exponent (GNMT); 0 is none. [the run's]"
)
@click.option("--misses", type=click.IntRange(min=0), default=10, show_default=True, help="List so many exact misses.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads. [all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print the same facts, and every output, as JSON.")
def command(run: str, corpus: str, splits: tuple[str, ...], metric: str | None, as_json: bool, **options: Any) -> None:
    """Score the model in RUN on splits of CORPUS.

    Translations: sacreBLEU (13a, cased) with its signature, or the share that equals the reference exactly. Language
    models: bits per byte, and perplexity an id.
    """
    start_torch(options["threads"])
    from bpe_transformer.data import corpus_info
    from bpe_transformer.training import load_checkpoint_info

    card = load_checkpoint_info(run)
    recipe = corpus_info(corpus, splits[0].partition("[")[0]).train
    score = _translation if card.task == "translation" else _language_model
    results = score(run, corpus, splits, metric or recipe.get("metric", "bleu"), options)
    if as_json:
        print_json(results)
        return
    console = output()
    for result in results:
        console.print(_line(result), markup=False, soft_wrap=True)
        for miss in result.get("misses", [])[: options["misses"]]:
            console.print(
                f"  {miss['src']} -> {miss['output']} (not {miss['reference']})", markup=False, soft_wrap=True
            )


def _translation(
    run: str, corpus: str, splits: tuple[str, ...], metric: str, options: dict[str, Any]
) -> list[dict[str, Any]]:
    from bpe_transformer.data import load_corpus
    from bpe_transformer.errors import CorpusError
    from bpe_transformer.evaluation import bleu, exact_match
    from bpe_transformer.inference import load_translator

    translator = load_translator(run)
    src, tgt = translator.info.columns
    results: list[dict[str, Any]] = []
    for split in splits:
        rows = load_corpus(corpus, split, source_dir=options["source_dir"])
        for column in (src, tgt):
            if column not in rows.column_names:
                raise CorpusError(
                    f"{run} translates {src} to {tgt}, but {corpus} has no column {column!r}, only "
                    f"{', '.join(rows.column_names)}; evaluate on the corpus it was trained on, or one like it"
                )
        texts, references = list(rows[src]), list(rows[tgt])
        with progress() as display:
            report = counter(display, f"translating {split}")
            written = translator.translate(
                texts, beam=options["beam"], length_penalty=options["length_penalty"], progress=report
            )
        facts: dict[str, Any] = {"split": split, "rows": len(texts), "metric": metric}
        if metric == "bleu":
            scored = bleu(written, references)
            facts |= {"score": scored.score, "signature": scored.signature}
        else:
            matched = exact_match(written, references)
            misses = [{"src": texts[i], "output": written[i], "reference": references[i]} for i in matched.misses]
            facts |= {"score": 100 * matched.share, "matches": matched.matches, "misses": misses}
        results.append({**facts, "outputs": written})
    return results


def _language_model(
    run: str, corpus: str, splits: tuple[str, ...], metric: str, options: dict[str, Any]
) -> list[dict[str, Any]]:
    from bpe_transformer.data import load_corpus
    from bpe_transformer.errors import CorpusError
    from bpe_transformer.evaluation import bits_per_byte, perplexity
    from bpe_transformer.inference import load_text_generator

    model = load_text_generator(run)
    (column,) = model.info.columns
    results = []
    for split in splits:
        rows = load_corpus(corpus, split, source_dir=options["source_dir"])
        if column not in rows.column_names:
            raise CorpusError(
                f"{run} was trained on the column {column!r}, but {corpus} has only {', '.join(rows.column_names)}"
            )
        texts = [text for text in rows[column] if text and text.strip()]
        with progress() as display:
            loss, ids = model.negative_log_likelihood(texts, progress=counter(display, f"reading {split}"))
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        facts = {"split": split, "rows": len(texts), "metric": "bits-per-byte", "score": bits_per_byte(loss, size)}
        results.append({**facts, "perplexity": perplexity(loss, ids), "bytes": size, "ids": ids})
    return results


def _line(result: dict[str, Any]) -> str:
    head = f"{result['split']}  "
    if result["metric"] == "bleu":
        return head + f"BLEU {result['score']:.2f}  {result['rows']:,} rows  {result['signature']}"
    if result["metric"] == "exact-match":
        return head + f"exact match {result['score']:.1f} %  {result['matches']:,} of {result['rows']:,} rows"
    return (
        head + f"{result['score']:.3f} bits a byte  perplexity {result['perplexity']:.2f} an id  "
        f"{result['rows']:,} documents  {result['bytes']:,} bytes  {result['ids']:,} ids"
    )
