"""The files beside a vocabulary: roles, added tokens and settings, read with both kinds of vocabulary and written back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.splitting import byte_level


def write(folder: Path, **files: Any) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def entry(text: str, special: bool = True, **flags: bool) -> dict[str, Any]:
    return {
        "content": text,
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": special,
        **flags,
    }


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    """A vocabulary of bytes without special tokens, whose next id is `plain.vocab_size`."""
    return learn_bpe(PretokenCounts.from_iterator(["low lower lowest newest"] * 5, "qwen2"), 300, alphabet_order="gpt2")


@pytest.fixture(params=["vocab.json", "tokenizer.json"])
def folder(request: pytest.FixtureRequest, plain: Tokenizer, tmp_path: Path) -> Path:
    """A folder as Qwen's, whose added tokens stand beside the vocabulary only."""
    if request.param == "tokenizer.json":
        plain.export(tmp_path / "tokenizer.json")
    else:
        names = [byte_level.name_of(token) for token in plain.model.tokens]
        write(tmp_path, vocab={name: id for id, name in enumerate(names)})
        lines = [f"{names[left]} {names[right]}" for left, right in plain.merges]
        (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")
    first = plain.vocab_size
    decoder = {
        first: entry("<|endoftext|>"),
        first + 1: entry("<|im_start|>"),
        first + 2: entry("<tool>", False, lstrip=True),
    }
    write(
        tmp_path,
        tokenizer_config={
            "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder, "pad_token": "<|endoftext|>",
            "bos_token": None, "chat_template": "{{ x }}", "model_max_length": 77,
        },
        special_tokens_map={"additional_special_tokens": ["<|im_start|>", {"content": "<|im_end|>"}]},
        added_tokens={"<|endoftext|>": first, "<|im_start|>": first + 1, "<|im_end|>": first + 5, "<more>": first + 4},
        generation_config={"eos_token_id": [first + 1, first], "pad_token_id": first + 1},
    )  # fmt: skip
    return tmp_path


def test_added_tokens_and_roles_are_read(folder: Path, plain: Tokenizer) -> None:
    tok, first = Tokenizer.load(folder), plain.vocab_size
    assert tok.special_tokens == {"<|endoftext|>": first, "<|im_start|>": first + 1, "<|im_end|>": first + 5}
    assert tok.model.added_tokens == {"<tool>": first + 2, "<more>": first + 4}
    assert dict(tok.roles) == {"pad": "<|endoftext|>", "eos": "<|im_start|>"}
    low, lower = plain.encode("low"), plain.encode("lower")
    assert tok.encode("<|im_start|>low <tool>lower<more>", allowed_special="all") == [
        first + 1, *low, first + 2, *lower, first + 4,
    ]  # fmt: skip
    assert tok.pattern == "qwen2"
    file = folder if (folder / "vocab.json").is_file() else folder / "tokenizer.json"
    assert Tokenizer.from_file(file, verify=True).digest == tok.digest, "as import reads it"


def test_they_are_written_back(folder: Path, tmp_path: Path) -> None:
    tok = Tokenizer.load(folder)
    tok.save(tmp_path / "saved")
    read = Tokenizer.load(tmp_path / "saved")
    assert (read.digest, read.roles) == (tok.digest, tok.roles)
    assert read.model.config_fields == {"clean_up_tokenization_spaces": False, **tok.model.config_fields}


def test_transformers_pads_and_keeps_the_template(folder: Path) -> None:
    pytest.importorskip("transformers")
    tok = Tokenizer.load(folder)
    fast = tok.as_transformers()
    short, long = tok.encode("low"), tok.encode("low lower newest")
    padded = [*short, *[tok.special_tokens["<|endoftext|>"]] * (len(long) - len(short))]
    assert fast(["low", "low lower newest"], padding=True)["input_ids"] == [padded, long]
    assert (fast.chat_template, fast.model_max_length) == ("{{ x }}", 77)


def test_vocab_and_merges_hold_added_tokens(tmp_path: Path) -> None:
    model = learn_bpe(PretokenCounts.from_words({"low": 5}, "gpt2"), 260, special_tokens=["<s>"]).model
    model = replace(model, added_tokens={"<t>": len(model.tokens)}, tokens=(*model.tokens, b"<t>"))
    tok = Tokenizer(replace(model, token_flags={"<t>": ("rstrip",)}))
    tok.export(tmp_path / "gpt2", "gpt2")
    assert json.loads((tmp_path / "gpt2" / "added_tokens.json").read_text()) == {"<t>": tok.vocab_size - 1}
    assert Tokenizer.load(tmp_path / "gpt2").digest == tok.digest


def test_a_space_before_the_text_and_tokens_around_it(folder: Path) -> None:
    if not (folder / "vocab.json").is_file():
        pytest.skip("tokenizer.json says both itself")
    write(
        folder,
        tokenizer_config={
            "tokenizer_class": "RobertaTokenizer",
            "add_prefix_space": True,
            "cls_token": "<|im_start|>",
            "sep_token": "<|im_end|>",
        },
    )
    tok = Tokenizer.load(folder)
    start, end = (tok.special_tokens[name] for name in ("<|im_start|>", "<|im_end|>"))
    assert tok.encode("low", add_bos=True, add_eos=True) == [start, *tok.encode(" low"), end]
    write(folder, tokenizer_config={"bos_token": "<|im_start|>", "add_bos_token": True})
    assert Tokenizer.load(folder).encode("low", add_bos=True)[0] == start


@pytest.mark.parametrize("role", [{"pad_token": "<pad>"}, {"additional_special_tokens": [{"content": "<pad>"}]}])
@pytest.mark.parametrize("file", ["tokenizer_config", "special_tokens_map"])
def test_a_token_of_the_vocabulary_that_neighbours_call_special(
    plain: Tokenizer, tmp_path: Path, file: str, role: dict[str, Any]
) -> None:
    model = replace(plain.model, tokens=(*plain.model.tokens, b"<pad>"))
    Tokenizer(model).export(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path).special_tokens == {}
    write(tmp_path, **{file: role})
    tok = Tokenizer.from_file(tmp_path / "tokenizer.json", verify=True)
    assert tok.special_tokens == {"<pad>": plain.vocab_size}
    assert tok.encode("low<pad>", allowed_special="all") == [*plain.encode("low"), plain.vocab_size]
    tok.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").digest == tok.digest


_WITHOUT_IDS = {
    "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
    "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "special": True},
    "bos_token": "<|im_end|>",
    "pad_token": "<pad>",
}


@pytest.mark.parametrize("file", ["tokenizer_config", "special_tokens_map"])
def test_special_tokens_without_an_id_get_the_next_ones(plain: Tokenizer, tmp_path: Path, file: str) -> None:
    plain.export(tmp_path / "tokenizer.json")
    write(tmp_path, **{file: _WITHOUT_IDS})
    tok, first = Tokenizer.from_file(tmp_path / "tokenizer.json", verify=True), plain.vocab_size
    names = ["<|im_end|>", "<pad>", "<mask>", "<|im_start|>"]  # as transformers orders roles
    assert tok.special_tokens == {name: first + i for i, name in enumerate(names)}
    ids = tok.encode("<|im_start|>low <mask><|im_end|>", allowed_special="all")
    assert ids == [first + 3, *plain.encode("low"), first + 2, first]
    tok.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").digest == tok.digest
    transformers = pytest.importorskip("transformers")
    write(tmp_path, tokenizer_config={**_WITHOUT_IDS, "tokenizer_class": "PreTrainedTokenizerFast"})
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert {name: theirs.convert_tokens_to_ids(name) for name in names} == tok.special_tokens
    assert theirs("<|im_start|>low <mask><|im_end|>", add_special_tokens=False)["input_ids"] == ids


def test_vocab_and_merges_get_special_tokens_without_an_id_too(tmp_path: Path) -> None:
    plain = learn_bpe(PretokenCounts.from_words({"low": 5}, "gpt2"), 259)
    plain.export(tmp_path, "gpt2")
    write(tmp_path, tokenizer_config={}, special_tokens_map=_WITHOUT_IDS)
    assert Tokenizer.load(tmp_path).encode("<|im_start|>", allowed_special="all") == [plain.vocab_size + 3]


def test_what_contradicts_the_vocabulary_is_left_out(folder: Path, plain: Tokenizer) -> None:
    last = plain.vocab_size - 1
    write(folder, added_tokens={"<other>": last, "<far>": 10**9})
    tok = Tokenizer.load(folder)
    assert "<other>" not in tok.model.added_tokens
    assert "<far>" not in tok.model.added_tokens
    assert tok.token_bytes(last) == plain.token_bytes(last)


@pytest.mark.parametrize("file", ["added_tokens", "tokenizer_config", "generation_config", "special_tokens_map"])
@pytest.mark.parametrize("content", ["[]", "{", '{"<x>": "y", "added_tokens_decoder": {"a": "b"}, "bos_token": 3}'])
def test_damaged_neighbours_are_named(folder: Path, file: str, content: str) -> None:
    if file == "generation_config" and content.startswith('{"'):
        pytest.skip("it is an object, and of generation")
    (folder / f"{file}.json").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=f"{file}.json"):
        Tokenizer.load(folder)


@pytest.mark.parametrize("name", ["tokenizer_config", "added_tokens", "special_tokens_map", "generation_config"])
def test_a_neighbour_alone_says_where_the_vocabulary_is(folder: Path, tmp_path: Path, name: str) -> None:
    there = "tokenizer.json" if (folder / "tokenizer.json").is_file() else "vocab.json"
    write(folder, **{name: {}})
    with pytest.raises(FormatError, match=rf"in another file; give \S+{there}"):
        Tokenizer.from_file(folder / f"{name}.json")
    write(tmp_path / "alone", **{name: {}})
    with pytest.raises(FormatError, match=r"give a folder that holds vocab.json or tokenizer.json too"):
        Tokenizer.from_file(tmp_path / "alone" / f"{name}.json")


@pytest.mark.parametrize("ids", [None, 3, [3, 4], []])
def test_ids_of_generation(folder: Path, ids: Any) -> None:
    write(folder, generation_config={"bos_token_id": ids})
    Tokenizer.from_file(folder)


@pytest.mark.parametrize("ids", ["q", {"a": 1}, [3, "q"], True, 0.5])
def test_ids_of_generation_that_are_none_are_refused(folder: Path, ids: Any) -> None:
    write(folder, generation_config={"bos_token_id": ids})
    with pytest.raises(FormatError, match=r"generation_config.json: bos_token_id is .*, not an id; correct the file"):
        Tokenizer.from_file(folder)


def test_folders_without_a_whole_vocabulary(plain: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"holds no tokenizer .*; name its file, or another folder"):
        Tokenizer.from_file(tmp_path)
    write(tmp_path, vocab={"a": 0})
    with pytest.raises(FormatError, match=r"merges.txt is not beside it"):
        Tokenizer.from_file(tmp_path)
    plain.export(tmp_path / "ranks.tiktoken", "tiktoken")  # another kind, which is whole
    assert Tokenizer.from_file(tmp_path, pattern="qwen2").vocab_size == plain.vocab_size
