from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import transformers

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe, learn_superwords
from bpe_transformer.data import SpecialIds
from bpe_transformer.data.special_ids import role_id
from bpe_transformer.errors import FormatError, SpecialTokenError
from bpe_transformer.tokenizer.vocabulary.roles import Roles, roles_of

COUNTS = PretokenCounts.from_words({"low": 5, " lower": 2, " newest": 6})
BERT = {"pad": "[PAD]", "bos": "[BOS]", "eos": "[EOS]", "mask": "[MASK]", "cls": "[CLS]", "sep": "[SEP]"}


@pytest.fixture
def tokenizer() -> Tokenizer:
    return learn_bpe(COUNTS, 270, special_tokens=["<|user|>"], roles=BERT)


def test_roles_are_said_when_learning_and_their_tokens_follow_the_special_ones(tokenizer: Tokenizer) -> None:
    assert dict(tokenizer.roles) == BERT
    assert list(tokenizer.special_tokens) == ["<|user|>", *BERT.values()]
    assert SpecialIds.of(tokenizer) == SpecialIds(257, 258, 259, cls=261, sep=262)
    assert role_id(tokenizer, "mask") == 260
    with pytest.raises(SpecialTokenError, match="no special token for the role unk"):
        role_id(tokenizer, "unk")
    assert pickle.loads(pickle.dumps(tokenizer)).roles == tokenizer.roles


def test_roles_change_no_ids_and_no_digest() -> None:
    special = ["<pad>", "<s>", "</s>"]
    plain = learn_bpe(COUNTS, 270, special_tokens=special)
    named = learn_bpe(COUNTS, 270, special_tokens=special, roles={"pad": "<pad>", "sep": "</s>"})
    assert plain.digest == named.digest
    assert plain.encode("low newest") == named.encode("low newest")
    assert dict(plain.roles) == {"pad": "<pad>", "bos": "<s>", "eos": "</s>"}  # by convention
    assert dict(named.roles) == {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "sep": "</s>"}


def test_roles_go_on_with_a_base_and_with_superwords(tokenizer: Tokenizer) -> None:
    more = learn_bpe(COUNTS, 275, base=tokenizer, roles={"mask": "<hidden>"})
    assert dict(more.roles) == {**BERT, "mask": "<hidden>"}
    assert "[MASK]" in more.special_tokens
    texts = ["by the way", "on the way"] * 3
    words, wide = (PretokenCounts.from_iterator(texts, pattern=pattern) for pattern in ("cl100k", "superword"))
    learned = learn_superwords(words, wide, 280, transition=5, roles={"pad": "[PAD]"})
    assert dict(learned.roles) == {"pad": "[PAD]"}


def test_an_unknown_role_and_a_tokenizer_without_roles_are_refused() -> None:
    with pytest.raises(SpecialTokenError, match="'padding' is not a role of a special token; the roles are pad, bos"):
        roles_of({"padding": "<pad>"})
    bare = learn_bpe(COUNTS, 260)
    assert not dict(bare.roles)
    with pytest.raises(SpecialTokenError, match=r"for the role pad, which training needs; learn it with roles=\{'pad'"):
        SpecialIds.of(bare)


def test_roles_are_kept_in_the_saved_folder(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    assert dict(Tokenizer.load(tmp_path).roles) == BERT
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        assert json.loads((tmp_path / name).read_text())["mask_token"] == "[MASK]"
    (tmp_path / "tokenizer_config.json").unlink()  # either file is enough
    assert dict(Tokenizer.load(tmp_path).roles) == BERT
    # a tokenizer without roles leaves none behind
    learn_bpe(COUNTS, 260).save(tmp_path)
    assert not dict(Tokenizer.load(tmp_path).roles)


def test_files_of_transformers_are_read_as_they_write_them(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    as_object = {"content": "<|user|>", "lstrip": False, "normalized": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": as_object, "eos_token": None, "x": 1}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]", "cls_token": "[CLS]"}))
    assert dict(Tokenizer.load(tmp_path).roles) == {"pad": "<|user|>", "cls": "[CLS]"}
    for content in ("{", "[]", '{"pad_token": 5}'):
        (tmp_path / "special_tokens_map.json").write_text(content)
        with pytest.raises(FormatError, match=r"special_tokens_map\.json"):
            Tokenizer.load(tmp_path)


def test_transformers_pads_and_masks_without_a_further_word(tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tmp_path)
    for fast in (tokenizer.as_transformers(), transformers.AutoTokenizer.from_pretrained(tmp_path)):
        assert (fast.pad_token, fast.mask_token, fast.cls_token) == ("[PAD]", "[MASK]", "[CLS]")
        assert fast.pad_token_id == 257
        padded = fast(["low", "low newest lower"], padding=True)["input_ids"]
        assert len(padded[0]) == len(padded[1])
        assert padded[0][-1] == 257
        assert padded[1] == tokenizer.encode("low newest lower")
    conventional = learn_bpe(COUNTS, 270, special_tokens=["<pad>", "<s>", "</s>"]).as_transformers()
    assert conventional(["low", "low newest"], padding=True)["input_ids"][0][-1] == 256


def test_roles_over_others() -> None:
    assert Roles(pad="a").over(Roles(pad="b", eos="c")) == Roles(pad="a", eos="c")


def test_other_fields_of_the_files_are_kept_and_written_back(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "a")
    pad, text = tokenizer.special_tokens["[PAD]"], {"content": "[PAD]", "special": True}
    foreign = {
        "chat_template": "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
        "model_max_length": 77,
        "model_input_names": ["input_ids"],
        "added_tokens_decoder": {str(pad): text, str(pad + 1): text},  # the second is of another vocabulary
        "nested": {"a": [1, None, "é"]},
    }
    path = tmp_path / "a" / "tokenizer_config.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), **foreign, "tokenizer_class": "Other"}), encoding="utf-8"
    )
    (tmp_path / "a" / "manifest.json").unlink()
    loaded = Tokenizer.load(tmp_path / "a")
    pickle.loads(pickle.dumps(loaded)).save(tmp_path / "b")
    saved = json.loads((tmp_path / "b" / "tokenizer_config.json").read_text(encoding="utf-8"))
    expected = {**foreign, "added_tokens_decoder": {str(pad): text}}
    assert {name: saved[name] for name in expected} == expected
    assert (loaded.digest, loaded.roles) == (tokenizer.digest, tokenizer.roles)
    (tmp_path / "b" / "chat_template.jinja").write_text("{{ messages[0].content }}!", encoding="utf-8")
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "b")
    assert again.model_max_length == 77
    Tokenizer.load(tmp_path / "b").save(tmp_path / "c")
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "c")
    assert fast.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "hi!"
