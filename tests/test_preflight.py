"""Before a long run: an estimate that moves with its parts."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.cli import main  # noqa: E402
from selfplay_kit.learn.preflight import Estimate, cache_bytes, preflight  # noqa: E402
from selfplay_kit.learn.rounds import Config  # noqa: E402
from selfplay_kit.lm.models import load_model  # noqa: E402


def test_an_estimate_grows_with_what_is_asked(tiny_base):
    few = preflight(Config(base=str(tiny_base), rounds=2, games=20))
    assert few.play > 0 and few.train > 0 and few.memory > few.there * 0
    assert few.minutes == pytest.approx((3 * few.play + 2 * few.train) / 60)
    many = preflight(Config(base=str(tiny_base), rounds=2, games=2000, at_once=2000))
    assert many.play > few.play and many.memory > few.memory
    assert str(tiny_base) in str(few) and "2 rounds" in str(few)


def test_too_little_memory_says_what_to_do():
    fits = Estimate(1, 1, 1, memory=5e9, there=16e9, model="m")
    assert "at_once" not in str(fits)
    assert "at_once" in str(replace(fits, there=5e9))


def test_the_cache_of_a_token(tiny_base):
    lm = load_model(tiny_base)
    c = lm.model.config
    one = 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim
    assert cache_bytes(lm) == 4 * one


def test_the_command_line_says_what_it_will_take_and_goes(tiny_base, tmp_path, capsys):
    asked = ["rounds", "--model", str(tiny_base), "--rounds", "1", "--games", "12"]
    asked += ["--filter", "everything", "--lora", "2", "--epochs", "1"]
    asked += ["--out", str(tmp_path / "run")]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "minutes for 1 rounds; peak memory about" in said
    assert "round  1:" in said
    assert (tmp_path / "run" / "round-01" / "model" / "adapter_config.json").exists()
    assert main(asked) == 0, "goes on, without a second preflight"
    assert "minutes for" not in capsys.readouterr().out


def test_the_command_line_refuses_in_one_line(tmp_path, capsys):
    asked = ["rounds", "--model", "owner/name", "--out", str(tmp_path)]
    assert main(asked) == 1
    assert "needs its revision" in capsys.readouterr().err
