"""Chat JSONL: what a provider's fine-tuning is given is what cloning learns from."""

import json
import random

import pytest
from hypothesis import given

pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.cli import main
from selfplay_kit.games.deal.protocol import ERRORS
from selfplay_kit.learn.cloning import View, drawn, views
from selfplay_kit.learn.export import chat_line, kept_views, read_config, write_chat
from selfplay_kit.learn.rounds import Config, RunError, read_rounds, run

from . import strategies as s


@given(s.transcripts())
def test_a_line_holds_own_accepted_moves_and_ends_in_one(t):
    for v in views([t]):
        line = chat_line(v)
        mine = [m for m in t.moves if m.seat == v.seat and not m.error]
        messages = json.loads(line)["messages"] if line else []
        own = [m["content"] for m in messages if m["role"] == "assistant"]
        assert len(own) == len(mine)
        if not mine:
            assert line == ""
            continue
        assert messages[0]["role"] == "system" and messages[-1]["role"] == "assistant"
        told = " ".join(m["content"] for m in messages if m["role"] == "user")
        assert not any(correction in told for correction in ERRORS.values())
        assert "\n" not in line and "[END]" not in own[-1][-5:]


def test_the_partners_values_are_not_in_a_line():
    from selfplay_kit.games.deal.rules import SEMI, scenarios
    from selfplay_kit.games.deal.scripted import RandomSplit
    from selfplay_kit.games.play import play_games

    some = scenarios("train")[::400]
    for t in play_games(RandomSplit(), some, SEMI, seed=0):
        a, b = t.scenario.values
        if a != b:
            told = json.loads(chat_line(View(t, 0)))["messages"][0]["content"]
            assert f"{a[0]} for each book, {a[1]} for each hat" in told
            theirs = f"{b[0]} for each book, {b[1]} for each hat, {b[2]}"
            assert theirs not in told or a == b


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    """A run of one round from a tiny random model."""
    folder = tmp_path_factory.mktemp("export") / "run"
    config = Config("tiny-weak", games=40, rounds=1, filter="drawn", draw=(30,), seed=5)
    run(config, folder)
    return folder, config


def test_a_round_that_no_number_of_views_is_given_for_is_refused(a_run):
    with pytest.raises(RunError, match=r"says for 1 rounds .* ask for one from 0 to 0"):
        kept_views(a_run[0], 1)


def test_the_kept_views_are_those_that_the_next_round_learned_from(a_run):
    folder, config = a_run
    assert read_config(folder) == config
    found = kept_views(folder, 0)
    assert len(found) == read_rounds(folder)[1].metrics["training"]["kept"] > 0
    games = read_rounds(folder)[0].games()
    again = drawn(views(games), random.Random("5/round 1/filter"), 30)
    assert found == again


def test_the_command_writes_lines_and_overwrites_nothing(a_run, tmp_path, capsys):
    folder, _ = a_run
    out = tmp_path / "kept.jsonl"
    command = ["export", str(folder), "--round", "0", "--out", str(out)]
    assert main(command) == 0
    lines = out.read_text("utf-8").splitlines()
    assert len(lines) == len(kept_views(folder, 0))
    assert all(set(json.loads(x)) == {"messages"} for x in lines)
    before = out.read_bytes()
    assert main(command) == 1 and out.read_bytes() == before
    assert "kept.jsonl" in capsys.readouterr().err


def test_a_round_that_is_not_there_is_an_error(a_run):
    with pytest.raises(RunError, match="2 whole rounds, 0 to 1; round 7"):
        kept_views(a_run[0], 7)


def test_a_run_without_a_filter_has_nothing_to_export(a_run, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(a_run[0], folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {
        "rule": "policy_gradient",
        "filter": "above_mean",
        "draw": [],
        "group": 2,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(RunError, match="policy_gradient"):
        kept_views(folder, 0)


def test_views_without_a_move_are_left_out(a_run, tmp_path):
    games = read_rounds(a_run[0])[0].games()
    all_views = views(games)
    silent = sum(
        not any(m.seat == v.seat and not m.error for m in v.transcript.moves)
        for v in all_views
    )
    assert write_chat(all_views, tmp_path / "x.jsonl") == len(all_views) - silent
