"""Settings in a TOML file: what it may say, every problem at once with its line, and writing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpe_transformer.errors import ConfigError
from bpe_transformer.training import PRESETS, Settings
from bpe_transformer.training.config.config_file import DataValue, overridden, read_config_file, settings_toml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


def test_settings_in_tables_or_above_them(file: Path) -> None:
    file.write_text(
        '# mine\nfamily = "gpt"\nepochs = 3\n\n[schedule]\nlr = 3e-3\n"warmup" = 10\n[optimizer]\nadam-beta2 = 0.95\n'
    )
    read = read_config_file(file)
    assert read.values == {"family": "gpt", "epochs": 3, "lr": 0.003, "warmup": 10, "adam_beta2": 0.95}
    assert read.lines == {"family": 2, "epochs": 3, "lr": 6, "warmup": 7, "adam_beta2": 9}
    assert read.place("warmup").endswith("run.toml, line 7")
    settings = overridden(Settings(), read)
    assert (settings.family, settings.training.lr, settings.training.warmup) == ("gpt", 0.003, 10)


def test_every_problem_at_once_with_its_line(file: Path) -> None:
    file.write_text(
        'famly = "gpt"\n\n[model]\nd_model = "wide"\ndropout = 1.5\n[loop]\nepochs = 0\n'
        "[schedule]\nepochs = 4\n[scheduel]\nlr = 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_config_file(file)
    said = str(caught.value)
    assert "\n" not in said
    for expected in (
        "line 1: famly is no setting; did you mean family?",
        "line 4: d_model='wide' must be of type int",
        "line 5: dropout=1.5 (probability) must be below 0.999",
        "line 7: epochs=0",
        "line 9: epochs stands in the file twice",
        "line 10: [scheduel] is no table of settings",
    ):
        assert expected in said
    assert said.startswith(str(file))


def test_contradictions_name_their_lines(file: Path) -> None:
    file.write_text('[schedule]\nschedule = "noam"\n\nlr = 0.1\n')
    with pytest.raises(ConfigError, match=r"run.toml, lines 2, 4: lr=0.1 has no effect with schedule='noam'"):
        overridden(Settings(), read_config_file(file))
    file.write_text('family = "lstm"\n[model]\nn_heads = 4\n')
    with pytest.raises(ConfigError, match=r"lines 1, 3: n_heads=4"):
        overridden(Settings(), read_config_file(file))


def test_none_is_a_value_where_there_may_be_none(file: Path) -> None:
    file.write_text('schedule = "noam"\nlr = "none"\n')
    settings = overridden(Settings(), read_config_file(file))
    assert settings.training.lr is None
    file.write_text('warmup = "none"\n')
    with pytest.raises(ConfigError, match="line 1: warmup='none' must be of type int"):
        read_config_file(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"lr = \n", "not TOML.*line 1"),
        (b"lr = 1\nlr = 2\n", "not TOML"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"lr = 0.1\n# \xff\n", "line 2: not UTF-8"),
        (b"#" * (1 << 20) + b"##", "more than"),
        (b"lr = 2020-01-01\n", "line 1: lr=.*must be of type float"),
        (b"\nlr = {peak = 3}\n", "line 2: lr holds a table"),
    ],
)
def test_what_is_not_such_a_file(file: Path, text: bytes, expected: str) -> None:
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=expected):
        read_config_file(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml cannot be read"):
        read_config_file(tmp_path / "nowhere.toml")


def test_lines_of_other_ways_to_write(file: Path) -> None:
    file.write_text(
        'pattern = """\nlr = 1\n"""\nmodel = {d_model = -3, n_layers = 2}\nschedule.lr = "x"\r\n\n[loop]  # end\nepochs = -1\n'
    )
    with pytest.raises(ConfigError) as caught:
        read_config_file(file)
    for expected in ("line 4: d_model=-3", "line 5: lr='x'", "line 8: epochs=-1"):
        assert expected in str(caught.value)


def test_other_texts(file: Path) -> None:
    file.write_text('preset = "small"\n[data]\nsrc = "en"\n')
    read = read_config_file(file)
    assert read.others == {"preset": "small", "src": "en"}
    file.write_text("preset = 3\n[model]\nsrc = 'en'\n")
    with pytest.raises(
        ConfigError, match=r"line 1: preset = 3 has to be a text; line 3: src does not belong to \[model\]"
    ):
        read_config_file(file)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_written_is_read_back(file: Path, preset: str) -> None:
    settings = PRESETS[preset].override({"pattern": 'a"\\d\n|é'})
    file.write_text(settings_toml(settings, head="of a run\nagain", notes={"lr": "chosen"}), encoding="utf-8")
    assert overridden(Settings(), read_config_file(file)) == settings
    assert "  # chosen\n" in file.read_text(encoding="utf-8")


def test_what_it_says_of_the_data_is_checked_and_read_back(file: Path) -> None:
    said: dict[str, DataValue] = {
        "corpus": ["a.txt:0.7", 'b "c".txt'],
        "split": "train[:9]",
        "dedup": True,
        "mix_temperature": 2.5,
        "threads": 1,
    }
    file.write_text(settings_toml(Settings(), data=said))
    assert read_config_file(file).others == said
    file.write_text('corpus = "a.txt"\n[data]\ndedup = 1\nthreads = true\nsplit = ""\n[loop]\nvalidation = "v"\n')
    with pytest.raises(ConfigError) as caught:
        read_config_file(file)
    for expected in (
        "line 1: corpus = 'a.txt' has to be a list of texts",
        "line 3: dedup = 1 has to be true or false",
        "line 4: threads = True has to be a whole number",
        "line 5: split = '' has to be a text",
        "line 7: validation does not belong to [loop]; write it in [data]",
    ):
        assert expected in str(caught.value)
