"""The page's models in JavaScript: logits, attention, and what every search writes, equal to Python's, for all options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page

from bpe_transformer import Tokenizer
from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import Classifier, MaskFiller, TextGenerator, Translator
from bpe_transformer.inspection.attention.units import fold
from bpe_transformer.inspection.html.model_weights import WEIGHT_KINDS, pack_weights
from bpe_transformer.inspection.html.packing import asset
from bpe_transformer.inspection.html.report import splitting, vocabulary
from bpe_transformer.inspection.html.trained_model_page import SCRIPTS, model_facts
from bpe_transformer.tokenizer import PretokenCounts, learn_bpe
from bpe_transformer.training import CheckpointInfo
from bpe_transformer.training.checkpoint import build_model
from bpe_transformer.training.config import Settings

SMALL = {"d_model": 16, "n_layers": 2, "max_len": 48, "max_len_ratio": 0.3, "max_len_extra": 4}
HEADS = {**SMALL, "n_heads": 4, "d_ff": 24}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "transformer": ("transformer", {**HEADS}),
    "transformer, post-norm, learned, grouped": (
        "transformer",
        {
            **HEADS,
            "norm_place": "post",
            "positions": "learned",
            "activation": "gelu",
            "n_kv_heads": 2,
            "output_bias": True,
        },
    ),
    "transformer, rotary, rms, swiglu": (
        "transformer",
        {
            **HEADS,
            **{"positions": "rope", "norm": "rmsnorm", "activation": "swiglu", "qk_norm": True, "bias": False},
            **{"tie_embeddings": False, "n_kv_heads": 1, "rope_base": 500.0, "scale_embeddings": False},
        },
    ),
    "gpt": ("gpt", {**HEADS, "positions": "learned", "activation": "gelu_tanh", "bias": True, "init": "gpt2"}),
    "gpt, rotary": ("gpt", {**HEADS, "positions": "rope", "norm": "rmsnorm", "activation": "relu2", "qk_norm": True}),
    "gpt, no positions": ("gpt", {**HEADS, "positions": "none", "embedding_norm": True, "tie_embeddings": False}),
    "bert": (
        "bert",
        {
            **HEADS,
            **{"positions": "learned", "norm_place": "post", "activation": "gelu", "n_segments": 2},
            **{"embedding_norm": True, "scale_embeddings": False},
        },
    ),
    "bert, sinusoids": ("bert", {**HEADS, "n_kv_heads": 2, "norm": "rmsnorm", "bias": False}),
    "classifier, first": ("bert", {**HEADS, "pool": "first"}),
    "classifier, mean": ("bert", {**HEADS, "pool": "mean", "positions": "rope"}),
    "classifier, last": ("gpt", {**HEADS, "pool": "last"}),
    "lstm": ("lstm", {**SMALL, "d_embedding": 12}),
    "lstm, gru in one direction": ("lstm", {**SMALL, "cell": "gru", "bidirectional": False, "tie_embeddings": False}),
    "lstm, without gates": ("lstm", {**SMALL, "cell": "rnn"}),
    "bahdanau": ("bahdanau", {**SMALL, "n_layers": 1}),
    "bahdanau, lstm": ("bahdanau", {**SMALL, "cell": "lstm", "d_embedding": 10}),
    "luong, dot": ("bahdanau", {**SMALL, "score": "dot", "bidirectional": False, "cell": "rnn"}),
    "luong, general": ("bahdanau", {**SMALL, "score": "general", "cell": "lstm"}),
    "luong, concat": ("bahdanau", {**SMALL, "score": "concat", "d_embedding": 12}),
}
TEXTS = ("세 마리 고양이가 책을 읽었다.", "Three cats read books", "👩‍🚀 a🎉b 🇰🇷")
LOAD = """async ([key, facts, tokens, kept, data]) => {
  const [vocabulary, split] = await bpe.unpackAll(tokens);
  const model = nn.build(facts, new nn.Weights(kept, await bpe.inflate(data)));
  const writer = new nn.Writer(model, {eos: facts.special.eos, suppressed: facts.missing});
  const folding = {specials: new Set(facts.special_ids), alone: facts.letters_alone};
  models.set(key, {facts, model, writer, vocabulary: new bpe.Vocabulary(vocabulary, split), folding});
}"""
# what the page does for a text being written: [logits of the id after each], ids and log-probabilities by each way
WRITE = """([key, src, given, limit, settings]) => {
  const { model, writer, facts } = models.get(key);
  const bos = facts.task === "translation" ? facts.special.bos : facts.special.eos;
  const memory = model.read(src);
  const nodes = model.extend(memory, [], [bos, ...given]);
  const stepped = [];
  for (const id of [bos, ...given]) stepped.push(...model.extend(memory, stepped, [id]));
  const logits = (list) => list.map((node) => Array.from(model.logits(node)));
  const start = () => writer.start(memory, facts.task === "translation" ? [bos] : [bos, ...given]);
  const write = (choose) => {
    let row = start();
    while (writer.written(row).length < limit) {
      const id = choose(row);
      if (id === facts.special.eos) break;
      row = writer.advance(row, id);
    }
    return writer.written(row);
  };
  const search = new nn.BeamSearch(writer, start(), {beam: settings.beam, lengthPenalty: settings.lengthPenalty, limit});
  while (!search.over) search.step();
  const [best] = search.finished;
  return {
    logits: logits(nodes), stepped: logits(stepped),
    greedy: write((row) => writer.best(row)), drawn: write((row) => writer.draw(row, settings)),
    beam: best ? {ids: writer.written(best.row), logProbability: best.logProbability, score: best.score, finish: best.finish} : null,
    kinds: attentionKinds({memory, nodes, task: facts.task}),
  };
}"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [*TEXTS, "Three dogs read five books; two cats slept."]
    counts = PretokenCounts.from_iterator(texts)
    return learn_bpe(counts, 300, roles={role: f"<{role}>" for role in ("pad", "bos", "eos", "mask")})


@pytest.fixture(scope="module")
def built(tokenizer: Tokenizer) -> Callable[[str], tuple[Any, CheckpointInfo]]:
    """A model of a case with random weights that float16 holds exactly, and what it is."""

    def build(case: str) -> tuple[Any, CheckpointInfo]:
        family, options = CASES[case]
        settings = Settings().override({"family": family, **options})
        labels = ("dull", "</b>", "fine") if case.startswith("classifier") else ()
        pad = tokenizer.special_tokens["<pad>"]
        info = CheckpointInfo(tokenizer.digest, tokenizer.vocab_size, pad, ("a", "b"), "", settings, labels=labels)
        torch.manual_seed(len(case))
        model = build_model(info).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_((parameter + torch.randn_like(parameter) * 0.25).half().float())
        return model, info

    return build


@pytest.fixture(scope="module")
def engine(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    parts = [name for name in SCRIPTS if name not in ("model/page.js", "theme.js")]
    names = "bpe, nn, units, view, attentionKinds"
    page.add_script_tag(
        content="\n".join(map(asset, parts)) + f"\nObject.assign(globalThis, {{{names}, models: new Map()}});"
    )
    yield page
    page.close()


@pytest.fixture(scope="module")
def loaded(
    engine: Page, tokenizer: Tokenizer, built: Callable[[str], tuple[Any, CheckpointInfo]]
) -> Callable[[str], tuple[Any, CheckpointInfo]]:
    """The model of a case, here and in the browser."""
    tokens = [vocabulary(tokenizer.model), splitting(tokenizer.model.pretokenizer)]
    kept: dict[str, tuple[Any, CheckpointInfo]] = {}

    def load(case: str) -> tuple[Any, CheckpointInfo]:
        if case not in kept:
            model, info = kept[case] = built(case)
            packed = pack_weights(model.named_parameters())
            facts = model_facts(model, info, tokenizer)
            engine.evaluate(LOAD, [case, facts, tokens, packed.as_dict()["tensors"], packed.data])
        return kept[case]

    return load


WRITERS = [case for case, (family, _) in CASES.items() if family != "bert" and not case.startswith("classifier")]


@pytest.mark.parametrize("case", WRITERS)
def test_what_a_model_writes_is_what_python_writes(
    engine: Page, loaded: Callable[[str], tuple[Any, CheckpointInfo]], tokenizer: Tokenizer, case: str
) -> None:
    model, info = loaded(case)
    is_translator = info.task == "translation"
    settings = {"beam": 3, "lengthPenalty": 0.6, "temperature": 0.9, "topK": 40, "topP": 0.9, "seed": 5}
    text = TEXTS[len(case) % 3]
    given = list(tokenizer.encode_ordinary(TEXTS[1]))[:6]
    with torch.inference_mode():
        if is_translator:
            translator = Translator(model, tokenizer, info)
            src = [*tokenizer.encode_ordinary(text), translator.special.eos]
            expected = model(torch.tensor([src]), torch.tensor([[translator.special.bos, *given]]))[0]
            limit = int(translator._limits([len(src)], [0])[0])
            session = _searches(translator, src, limit, settings)
            attention = translator.attention(text, tokenizer.decode(given))
        else:
            generator = TextGenerator(model, tokenizer, info)
            src, limit = [], 12
            prompt = [generator.special.eos, *given]
            expected = model(torch.tensor([prompt]))[0]
            session = _searches(generator, prompt, limit, settings)
            attention = generator.attention(tokenizer.decode(given))
    found = engine.evaluate(WRITE, [case, src, given, limit, settings])
    np.testing.assert_allclose(found["logits"], expected.numpy(), atol=2e-4)
    np.testing.assert_allclose(found["stepped"], expected.numpy(), atol=2e-4)
    assert found["greedy"] == session["greedy"]
    assert found["drawn"] == session["drawn"]
    if session["beam"] is not None:
        assert found["beam"]["ids"] == session["beam"].ids
        assert found["beam"]["score"] == pytest.approx(session["beam"].score, abs=1e-3)
        assert found["beam"]["finish"] == session["beam"].finish
    _same_attention(found["kinds"], attention)


def _searches(worker: Any, start: list[int], limit: int, settings: dict[str, Any]) -> dict[str, Any]:
    """What Python writes, by greedy search, by draws, and with beams."""
    from bpe_transformer.inference.search.beam import beam_search
    from bpe_transformer.inference.search.decoding_session import LanguageModelSession, TranslationSession
    from bpe_transformer.inference.search.greedy import greedy_search
    from bpe_transformer.inference.search.sampling import sample

    eos, limits = worker.special.eos, torch.tensor([limit])

    def begin() -> tuple[Any, torch.Tensor]:
        if isinstance(worker, Translator):
            return TranslationSession(worker.model, torch.tensor([start])), torch.tensor([worker.special.bos])
        session = LanguageModelSession(worker.model, [start])
        return session, session.start

    draws = {"temperature": settings["temperature"], "top_k": settings["topK"], "top_p": settings["topP"]}
    beams: list[Any] = [None]
    if isinstance(worker, Translator):
        options: dict[str, Any] = {"beam": settings["beam"], "n_best": 1, "length_penalty": settings["lengthPenalty"]}
        beams = beam_search(*begin(), eos_id=eos, limits=limits, **options)[0]
    return {
        "greedy": greedy_search(*begin(), eos_id=eos, limits=limits)[0].ids,
        "drawn": sample(*begin(), eos_id=eos, limits=limits, seed=settings["seed"], **draws)[0].ids,
        "beam": beams[0] if beams else None,
    }


def _same_attention(kinds: dict[str, Any], expected: Any) -> None:
    """The weights of every kind, rows as far as they go."""
    there = {kind for kind in ("cross", "encoder", "decoder") if getattr(expected, kind) is not None}
    assert set(kinds) == there
    for kind in there:
        weights = getattr(expected, kind)
        for layer, heads in enumerate(kinds[kind]["weights"]):
            for head, rows in enumerate(heads):
                for place, row in enumerate(rows):
                    values = [row[key] for key in sorted(row, key=int)] if isinstance(row, dict) else row
                    np.testing.assert_allclose(values, weights[layer, head, place, : len(values)], atol=1e-5)


READ = """([key, ids, place]) => {
  const { model, facts } = models.get(key);
  const memory = model.read(ids);
  const kinds = attentionKinds({memory, task: facts.task});
  return {logits: Array.from(facts.task === "classification" ? model.logits(memory) : model.logits(memory, place)), kinds};
}"""


@pytest.mark.parametrize("case", [case for case in CASES if case not in WRITERS])
def test_what_a_model_reads_is_what_python_reads(
    engine: Page, loaded: Callable[[str], tuple[Any, CheckpointInfo]], tokenizer: Tokenizer, case: str
) -> None:
    model, info = loaded(case)
    if info.labels:
        classifier = Classifier(model, tokenizer, info)
        ids = classifier.special.framed(tokenizer.encode_ordinary(TEXTS[1]), 48)
        found = engine.evaluate(READ, [case, ids, 0])
        expected = classifier.log_probabilities([TEXTS[1]])[0]
        logits = torch.tensor(found["logits"]).log_softmax(dim=-1)
        np.testing.assert_allclose(logits.numpy(), expected.numpy(), atol=2e-4)
        assert set(found["kinds"]) == {"encoder"}
        return
    filler = MaskFiller(model, tokenizer, info)
    text = "Three <mask> read 세 <mask> 🎉"
    ids = [filler.special.eos, *tokenizer.encode(text, allowed_special={"<mask>"})]
    place = ids.index(tokenizer.special_tokens["<mask>"])
    found = engine.evaluate(READ, [case, ids, place])
    with torch.inference_mode():
        np.testing.assert_allclose(found["logits"], model(torch.tensor([ids]))[0, place].numpy(), atol=2e-4)
    encoded = engine.evaluate(
        "([key, text]) => models.get(key).vocabulary.ids(text, {specials: ['<mask>']})", [case, text]
    )
    assert encoded == ids[1:]
    _same_attention(
        engine.evaluate(READ, [case, [ids[0], *tokenizer.encode_ordinary(text)], 0])["kinds"], filler.attention(text)
    )


FOLD = """([key, ids, unit, expected]) => {
  const { vocabulary, folding } = models.get(key);
  const { names, shares } = units.fold(vocabulary, ids, unit, folding);
  return {names, expected: expected.map((hex) => view.visible(bpe.fromHex(hex))), shares: shares.map((row) => { const all = names.map(() => 0); for (const [i, s] of row) all[i] += s; return all; })};
}"""


@pytest.mark.parametrize("unit", ["words", "chars", "tokens"])
@pytest.mark.parametrize(
    "text",
    [*TEXTS, "東京タワー is 333 m", " two  spaces\n\tกรุงเทพ é e\u0301", "\u3000x\x1fy\u0085z\ufeff", "가👩‍🚀\u0301"],
)
def test_tokens_fold_as_in_python(
    engine: Page, loaded: Callable[[str], tuple[Any, CheckpointInfo]], tokenizer: Tokenizer, unit: Any, text: str
) -> None:
    loaded("gpt")
    ids = [tokenizer.special_tokens["<eos>"], *tokenizer.encode_ordinary(text), tokenizer.special_tokens["<eos>"]]
    expected = fold(tokenizer, ids, [tokenizer.model.tokens[id] for id in ids], unit)
    found = engine.evaluate(FOLD, ["gpt", ids, unit, [name.hex() for name in expected.names]])
    assert found["names"] == found["expected"]  # a page draws flags, which terminals do not
    np.testing.assert_allclose(found["shares"], expected.shares)


@pytest.mark.parametrize("text", [*TEXTS, "", " a  b "])
def test_ids_become_text_again(
    engine: Page, loaded: Callable[[str], tuple[Any, CheckpointInfo]], tokenizer: Tokenizer, text: str
) -> None:
    loaded("gpt")
    ids = list(tokenizer.encode_ordinary(text))
    decode = "([ids]) => models.get('gpt').vocabulary.decode(ids)"
    assert engine.evaluate(decode, [ids]) == text
    assert engine.evaluate(decode, [ids[1:]]) == tokenizer.decode(ids[1:])


def test_words_with_marked_ends_become_text_again(engine: Page) -> None:
    tokenizer = learn_bpe(
        PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6}), 18, unit="char", end_of_word="</w>"
    )
    tokens = [vocabulary(tokenizer.model), splitting(tokenizer.model.pretokenizer)]
    ids = list(tokenizer.encode("lower low"))
    found = engine.evaluate(
        "async ([tokens, ids]) => new bpe.Vocabulary(...await bpe.unpackAll(tokens)).decode(ids)", [tokens, ids]
    )
    assert found == tokenizer.decode(ids) == "lower low"


def test_weights_are_read_as_they_were_packed(engine: Page) -> None:
    torch.manual_seed(0)
    named = {
        "matrix": torch.randn(3, 4),
        "vector": torch.tensor([0.0, -1.5, 6e-8, 65505.0]),
        "zeros": torch.zeros(2, 2),
        "beyond": torch.tensor([[1e5, -3.25]]),
        "embedding.tokens.weight": torch.randn(5, 3),
        "tiny": torch.tensor([[6e-8, -65504.0, 0.1]]),
    }
    for kind in WEIGHT_KINDS:
        packed = pack_weights(named.items(), kind)
        found = engine.evaluate(
            "async ([kept, data]) => [...new nn.Weights(kept, await bpe.inflate(data)).tensors.values()].map((t) => [...t.data])",
            [packed.as_dict()["tensors"], packed.data],
        )
        values = {name: torch.tensor(one).view(named[name].shape) for name, one in zip(named, found, strict=True)}
        if kind == "float16":
            for name in ("matrix", "tiny"):
                assert torch.equal(values[name], named[name].half().float())
            tokens = "embedding.tokens.weight"
            torch.testing.assert_close(values[tokens], named[tokens], rtol=2**-16, atol=0)
        else:
            largest = named["matrix"].abs().amax(dim=1, keepdim=True)
            assert ((values["matrix"] - named["matrix"]).abs() <= largest / 254 + 1e-6).all()
        assert values["zeros"].eq(0).all()
        assert torch.equal(values["vector"], named["vector"])
        assert torch.equal(values["beyond"], named["beyond"])
    with pytest.raises(ConfigError, match="weights='int4' is unknown"):
        pack_weights(named.items(), "int4")  # type: ignore[arg-type]  # what a caller may write
