"""Runs written for other engines and read back, and anybody's folders read as runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import SpecialIds
from bpe_transformer.data.batches import pad
from bpe_transformer.errors import CheckpointError, ConversionError
from bpe_transformer.inference import load_classifier, load_mask_filler, load_text_generator, load_translator
from bpe_transformer.inference.export import export_ctranslate2, export_transformers, probe
from bpe_transformer.training import CheckpointInfo, Settings, load_checkpoint, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of
from bpe_transformer.training.pretrained import import_transformers, is_transformers_folder

SHAPE = {"d_model": 16, "n_layers": 2, "n_heads": 2, "d_ff": 24, "max_len": 32, "dropout": 0.0}
MODERN = {"positions": "rope", "norm": "rmsnorm", "qk_norm": True, "activation": "relu2", "bias": False}
BERT = {"norm_place": "post", "embedding_norm": True, "positions": "learned", "n_segments": 2}
RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "marian": ("transformer", {"norm_place": "post"}, "MarianMTModel"),
    "pegasus": ("transformer", {"output_bias": True}, "PegasusForConditionalGeneration"),
    "gpt2": ("gpt", {"positions": "learned", "scale_embeddings": False}, "GPT2LMHeadModel"),
    "modern": ("gpt", {**MODERN, "scale_embeddings": False}, "ApertusForCausalLM"),
    "bert": ("bert", {**BERT, "scale_embeddings": False}, "BertForMaskedLM"),
    "classifier": ("bert", {**BERT, "scale_embeddings": False}, "BertForSequenceClassification"),
}
TEXTS = ["low lower", "newest", "새 낮은 low"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    counts = PretokenCounts.from_words({"low": 5, " lower": 2, " newest": 6, " 새": 3, " 낮은": 2})
    return learn_bpe(counts, 275, special_tokens=["<pad>", "<s>", "</s>", "<mask>"])


def make_run(name: str, tokenizer: Tokenizer, folder: Path, **changes: Any) -> Path:
    """A run with random weights, which nothing was trained for."""
    family, options, _ = RUNS[name]
    settings = Settings.preset("tiny").override({"family": family}, {**SHAPE, **options, **changes})
    columns = {"transformer": ("src", "tgt"), "classifier": ("text", "label")}.get(
        "classifier" if name == "classifier" else family, ("text",)
    )
    labels = ("cold", "warm", "wet") if name == "classifier" else ()
    info = CheckpointInfo(tokenizer.digest, tokenizer.vocab_size, 256 + 0, columns, "", settings, labels=labels)
    info = CheckpointInfo(**{**vars(info), "pad_id": tokenizer.special_tokens["<pad>"]})
    torch.manual_seed(5)
    model = build_model(info)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    save_checkpoint(folder, weights_of(model), info, tokenizer)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_an_export_loads_from_pretrained_and_comes_back_equal(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    run = make_run(name, tokenizer, tmp_path / "run")
    done = export_transformers(run, tmp_path / "out")
    assert done.kind == RUNS[name][2]
    assert done.difference <= 1e-4
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert ("generation_config.json" in files) == (name not in ("bert", "classifier"))
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    inputs = fast(TEXTS, return_tensors="pt", padding=True)
    if name in ("marian", "pegasus"):
        auto: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
        beams = auto.generation_config
        assert (beams.num_beams, beams.length_penalty, beams.early_stopping) == (5, 1.0, False)
        (note,) = (note for note in done.notes if note.startswith("beam search of transformers divides by length^p"))
        assert f"- {note}\n" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
        written = auto.generate(**inputs, num_beams=1, max_new_tokens=10)
        theirs = fast.batch_decode(written, skip_special_tokens=True)
        translator = load_translator(run)
        limited = [translator.tokenizer.encode(text)[:9] for text in translator.translate(TEXTS, beam=1)]
        assert [fast.encode(text, add_special_tokens=False)[:9] for text in theirs] == limited
    elif name in ("gpt2", "modern"):
        auto = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        prompt = fast("low", return_tensors="pt")
        written = auto.generate(**prompt, do_sample=False, max_new_tokens=8)[0, prompt["input_ids"].size(1) :]
        ours = load_text_generator(run).generate("low", max_new=8, temperature=0)
        assert fast.decode(written, skip_special_tokens=True) == ours
    elif name == "bert":
        auto = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
        ids = fast("low <mask>", return_tensors="pt")
        logits = auto(**ids).logits[0, -1]
        logits[list(tokenizer.special_tokens.values())] = float("-inf")
        filled = load_mask_filler(run).fill("low <mask>")
        assert filled.removeprefix("low").strip() == fast.decode(logits.argmax()).strip()
    else:
        auto = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
        best = auto(**inputs).logits.argmax(-1).tolist()
        labels = [found.label for found in load_classifier(run).classify(TEXTS)]
        assert [auto.config.id2label[index] for index in best] == labels

    assert is_transformers_folder(tmp_path / "out")
    assert not is_transformers_folder(run)
    import_transformers(tmp_path / "out", tmp_path / "back")
    first, second = load_checkpoint(run), load_checkpoint(tmp_path / "back")
    for (one, value), (other, again) in zip(first[0].named_parameters(), second[0].named_parameters(), strict=True):
        assert one == other
        assert torch.equal(value, again)
    assert dict(second[2].roles) == dict(first[2].roles)
    again_out = export_transformers(tmp_path / "back", tmp_path / "again")
    assert again_out.kind == done.kind
    for file in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "out" / file).read_bytes(), file


def test_a_default_language_model_is_written_with_notes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    run = make_run("gpt2", tokenizer, tmp_path / "run", positions="sinusoidal", scale_embeddings=True)
    done = export_transformers(run, tmp_path / "out")
    assert len(done.notes) == 2
    assert "table of max_len=32 rows" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def foreign(folder: Path, tokenizer: Tokenizer, cls: Any, config: Any, **saving: Any) -> Any:
    """A random model of a class of `transformers`, saved as its owner would, with the tokenizer beside it."""
    torch.manual_seed(2)
    model = cls(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder, **saving)
    tokenizer.as_transformers().save_pretrained(folder)
    return model


def foreign_cases(tokenizer: Tokenizer) -> dict[str, tuple[Any, Any]]:
    pad, bos, eos = (tokenizer.special_tokens[name] for name in ("<pad>", "<s>", "</s>"))
    ids = {"vocab_size": 280, "pad_token_id": pad, "eos_token_id": eos, "bos_token_id": bos}  # more rows than tokens
    stack = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 24))}  # fmt: skip
    seq2seq = {
        **ids,
        **stack,
        "vocab_size": tokenizer.vocab_size,
        "d_model": 16,
        "max_position_embeddings": 32,
        "decoder_start_token_id": pad,
    }
    plain = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    llama = {**ids, **plain, "max_position_embeddings": 32, "num_key_value_heads": 1}
    t = transformers
    return {
        "marian": (t.MarianMTModel, t.MarianConfig(**seq2seq, forced_eos_token_id=None)),
        "pegasus": (t.PegasusForConditionalGeneration, t.PegasusConfig(**seq2seq, forced_eos_token_id=None)),
        "gpt2": (t.GPT2LMHeadModel, t.GPT2Config(**ids, n_embd=16, n_layer=2, n_head=2, n_positions=32)),
        "llama": (t.LlamaForCausalLM, t.LlamaConfig(**llama)),
        "qwen3": (t.Qwen3ForCausalLM, t.Qwen3Config(**llama, head_dim=8)),
        "bert": (t.BertForMaskedLM, t.BertConfig(**ids, **plain, max_position_embeddings=32)),
        "labels": (t.BertForSequenceClassification, t.BertConfig(**ids, **plain, max_position_embeddings=32, num_labels=3)),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["marian", "pegasus", "gpt2", "llama", "qwen3", "bert", "labels"])
@torch.no_grad()
def test_anybodys_model_is_read_and_written_back(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    cls, config = foreign_cases(tokenizer)[name]
    other = foreign(tmp_path / "theirs", tokenizer, cls, config, max_shard_size="8KB")
    assert (tmp_path / "theirs" / "model.safetensors.index.json").exists()
    info = import_transformers(tmp_path / "theirs", tmp_path / "run")
    model, _, loaded = load_checkpoint(tmp_path / "run")
    rows = probe.probe_rows(loaded, info, SpecialIds.of(loaded))
    batch = pad(rows, info.pad_id)
    real = batch != info.pad_id
    if info.task == "translation":
        start = torch.full((len(rows), 1), tokenizer.special_tokens["<pad>"])
        targets = torch.cat((start, batch[:, :-1]), dim=1)
        ours = model(batch, targets)
        theirs = other(input_ids=batch, attention_mask=real.long(), decoder_input_ids=targets).logits
        assert len(load_translator(tmp_path / "run").translate(TEXTS, beam=2)) == 3
    else:
        ours, theirs = model(batch), other(input_ids=batch, attention_mask=real.long()).logits
        if not info.labels:
            ours, theirs = ours[real], theirs[real]
    torch.testing.assert_close(ours, theirs, atol=1e-4 * max(1.0, float(theirs.abs().max())), rtol=0)
    assert export_transformers(tmp_path / "run", tmp_path / "out").kind == cls.__name__
    again = cls.from_pretrained(tmp_path / "out").state_dict()
    for key, value in other.state_dict().items():
        torch.testing.assert_close(again[key], value, atol=1e-6, rtol=0)


def test_folders_that_cannot_be_read_are_refused_by_name(tokenizer: Tokenizer, tmp_path: Path) -> None:
    cls, config = foreign_cases(tokenizer)["gpt2"]
    other = foreign(tmp_path / "a", tokenizer, cls, config)
    (tmp_path / "a" / "model.safetensors").unlink()
    torch.save(other.state_dict(), tmp_path / "a" / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin, which can run any code"):
        import_transformers(tmp_path / "a", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    other.save_pretrained(tmp_path / "a")
    path = tmp_path / "a" / "config.json"
    good = json.loads(path.read_text())
    for wrong, reason in (
        ({"n_layer": 10**9}, "n_layer=1000000000, more than any model"),
        ({"n_layer": 3}, "weights lack transformer.h.2"),
        ({"n_head": 5}, "does not divide into n_heads=5"),
        ({"architectures": ["GPT2Model"]}, "GPT2Model is not read"),
        ({"architectures": None}, "architectures None"),
        ({"n_layer": "two"}, "n_layer='two'"),
    ):
        path.write_text(json.dumps({**good, **wrong}))
        with pytest.raises((CheckpointError, ConversionError, ValueError), match=reason):
            import_transformers(tmp_path / "a", tmp_path / "run")
    larger = learn_bpe(
        PretokenCounts.from_words({"lowest": 9, "newest": 8}), 290, special_tokens=["<pad>", "<s>", "</s>"]
    )
    path.write_text(json.dumps({**good, "vocab_size": 280}))
    larger = learn_bpe(
        PretokenCounts.from_words({f"w{i}x{i}y": 9 for i in range(40)}), 300, special_tokens=["<pad>", "<s>", "</s>"]
    )
    with pytest.raises(ConversionError, match="280 ids and its tokenizer 300"):
        import_transformers(tmp_path / "a", tmp_path / "run", larger)


def test_a_difference_is_found_and_nothing_is_written(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("gpt2", tokenizer, tmp_path / "run")
    from bpe_transformer.models.convert import converter

    monkeypatch.setitem(converter.ACTIVATIONS, "relu", ("gelu",))  # as if they were one function
    with pytest.raises(ConversionError, match="gives other logits for a probe"):
        export_transformers(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["marian", "pegasus", "gpt2"])
def test_ctranslate2_writes_the_same(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    ctranslate2: Any = pytest.importorskip("ctranslate2")
    import tokenizers

    run = make_run(name, tokenizer, tmp_path / "run")
    done = export_ctranslate2(run, tmp_path / "out")
    assert done.difference <= 1e-4
    fast: Any = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    rows = [fast.encode(text).tokens for text in TEXTS]
    if name == "gpt2":
        engine = ctranslate2.Generator(str(tmp_path / "out"))
        (found,) = engine.generate_batch(rows[:1], max_length=8, sampling_topk=1, include_prompt_in_result=False)
        ours = load_text_generator(run).generate(TEXTS[0], max_new=8, temperature=0)
        assert [fast.decode([fast.token_to_id(token) for token in found.sequences[0]])] == [ours]
        return
    engine = ctranslate2.Translator(str(tmp_path / "out"))
    translator = load_translator(run)
    for row, text in zip(rows, TEXTS, strict=True):
        limit = 2 * len(row) + 20
        (found,) = engine.translate_batch([row], beam_size=1, max_decoding_length=limit)
        ids = [fast.token_to_id(token) for token in found.hypotheses[0]]
        assert tokenizer.decode(ids, skip_special_tokens=True) == translator.translate([text], beam=1)[0]
