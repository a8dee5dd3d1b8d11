"""A rule, an opponent, a reward and a filter of somebody's own: one file each, by name
from the command line; and what breaks their contracts."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from selfplay_kit.cli import main
from selfplay_kit.games.base import KINDS
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.learn.cloning import by_scenario, fine_tune, make_sample
from selfplay_kit.learn.config import Config
from selfplay_kit.learn.export import kept_views
from selfplay_kit.learn.filters import FILTERS, REWARDS
from selfplay_kit.learn.opponents import OPPONENTS
from selfplay_kit.learn.rounds import RunError, learners, read_rounds, run
from selfplay_kit.learn.rules import RULES, Rule

PAGE = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text("utf-8")


def example(name):
    """The block of code that CONTRIBUTING.md has under this name."""
    return re.search(rf"<!-- {name} -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]


PLUGINS = {
    "rule": ("weighted", ["--floor", "0.25"]),
    "opponent": ("pair", ["--tough", "4"]),
    "reward": ("even", []),
    "filter": ("openers", []),
}
SMALL = ["--model", "tiny", "--rounds", "2", "--games", "10", "--epochs", "1"]


@pytest.fixture
def tidy():
    """What a test registers is gone after it."""
    registries = (RULES, OPPONENTS, REWARDS, FILTERS, KINDS)
    before = [dict(r._things) for r in registries]
    modules = set(sys.modules)
    yield
    for registry, things in zip(registries, before, strict=True):
        registry._things = things
    for name in set(sys.modules) - modules:
        if name.startswith("selfplay_plugin"):
            del sys.modules[name]


@pytest.mark.parametrize("what", PLUGINS)
@pytest.mark.usefixtures("tidy")
def test_one_file_is_enough(what, tmp_path, capsys):
    name, more = PLUGINS[what]
    file = tmp_path / f"my_{what}.py"
    file.write_text(example(what), encoding="utf-8")
    out = tmp_path / "run"
    asked = ["--plugin", str(file), f"--{what}", name, *more, *SMALL]
    assert main(["rounds", *asked, "--no-preflight", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("round ") == 3
    whole = read_rounds(out)
    kept = [r.metrics["training"]["kept"] for r in whole[1:]]
    there = json.loads((out / "config.json").read_text("utf-8"))
    assert there[what] == name
    if what == "rule":
        assert kept == [20, 20] and there["options"] == {"floor": 0.25}
    if what == "filter":
        assert kept == [10, 10]
    if what == "opponent":
        assert whole[1].metrics["training"]["of"] == 10
        for r in whole:
            seats = r.metrics["seats"]
            assert sorted(seats) == [0] * 5 + [1] * 5
            for t, mine in zip(r.games(), seats, strict=True):
                assert t.players[mine].startswith("tiny@")
                assert t.players[1 - mine] in ("greedy", "fair")
    # and a second call goes on from what is there
    assert main(["rounds", *asked, "--no-preflight", "--out", str(out)]) == 0
    assert list(there["plugins"]) == [f"{what} {name}"]
    file.write_text(example(what) + "# changed\n", encoding="utf-8")
    assert main(["rounds", *asked, "--no-preflight", "--out", str(out)]) == 1
    assert "another configuration (plugins: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["rounds", "--help"])
    assert name in capsys.readouterr().out


@pytest.mark.usefixtures("tidy")
def test_a_game_of_ones_own_is_played_learned_and_scored(tmp_path, capsys):
    file, games = tmp_path / "pie.py", tmp_path / "games.jsonl"
    file.write_text(example("game"), encoding="utf-8")
    plug = ["--plugin", str(file), "--split", "train", "--games", "4"]
    asked = ["play", *plug, "--game", "demand", "half", "--out", str(games)]
    assert main(asked) == 0 and main(["score", *plug[:2], str(games)]) == 0
    assert capsys.readouterr().out.count("mean_points           5.000") == 2
    out = tmp_path / "run"
    asked = ["--game", "demand", "--opponent", "script", "--filter", "everything"]
    asked += ["--model", "tiny", "--rounds", "1", "--games", "4", "--out", str(out)]
    # the tiny model has no word for a number alone: it never makes a move
    assert main(["rounds", "--plugin", str(file), "--no-preflight", *asked]) == 1
    assert "no sample to learn from" in capsys.readouterr().err
    [first] = read_rounds(out)
    assert all(t.aborted and t.kind == "demand" for t in first.games())


@pytest.mark.usefixtures("tidy")
def test_a_reward_decides_what_is_kept(tmp_path):
    REWARDS.register("first_seat", lambda views: [v.seat == 0 for v in views])
    REWARDS.register("none", lambda views: [None for v in views])
    with pytest.raises(ValueError, match="a reward is a finite number"):
        run(Config(rounds=1, games=4, reward="none"), tmp_path / "none")
    c = Config(rounds=1, games=6, epochs=1, reward="first_seat")
    done = run(c, tmp_path / "run")
    assert done[1].metrics["training"]["kept"] == 6  # seat 0's six views


@pytest.mark.parametrize("opponent", ["script", "base", "past"])
def test_the_learner_sits_in_both_seats_and_learns_from_its_own_side(
    opponent, tmp_path
):
    c = Config(rounds=2, games=8, epochs=1, filter="everything", opponent=opponent)
    done = run(c, tmp_path)
    for r in done:
        mine = learners(r)
        seats = r.metrics.get("seats")
        if seats is None:  # round 0 of past selves: with itself
            assert opponent == "past" and r.number == 0 and len(mine) == 16
            continue
        assert seats == [0, 1] * 4 or opponent == "past"
        assert [v.seat for v in mine] == seats
        for v in mine:
            assert v.transcript.players[v.seat] == f"tiny@{r.number}"
    assert [r.metrics["training"]["of"] for r in done[1:]] == (
        [16, 8] if opponent == "past" else [8, 8]
    )
    again = run(c, tmp_path)
    assert [r.metrics for r in again] == [r.metrics for r in done]


def test_a_script_is_chosen_by_its_name(tmp_path):
    c = Config(rounds=0, games=2, opponent="script", options={"script": "stubborn"})
    assert {"stubborn"} == {
        name for t in run(c, tmp_path)[0].games() for name in t.players
    } - {"tiny@0"}
    with pytest.raises(RunError, match="options"):
        run(Config(rounds=0, games=2, opponent="script"), tmp_path)
    with pytest.raises(ValueError, match="no script called 'nobody'; there are: rand"):
        Config(opponent="script", options={"script": "nobody"})
    with pytest.raises(ValueError, match="snapshots is 1 or more; got 0"):
        Config(opponent="past", options={"snapshots": 0})


UNKNOWN = {
    "rule": "rule is one of clone, policy_gradient.*got 'dpoo'",
    "filter": "filter is one of above_mean, .*got 'dpoo'",
    "reward": "reward is one of game.*got 'dpoo'",
    "opponent": "opponent is one of itself, script, base, past.*got 'dpoo'",
    "game": "game is one of deal.*got 'dpoo'",
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_unknown_name_lists_those_there_are(what, tmp_path, capsys):
    with pytest.raises(ValueError, match=UNKNOWN[what]):
        Config(**{what: "dpoo"})
    out = ["--out", str(tmp_path / "run")]
    assert main(["rounds", f"--{what}", "dpoo", *out]) == 1
    assert f"{what} is one of" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_option_of_something_else_is_refused():
    with pytest.raises(ValueError, match="script is of the opponent 'script'"):
        Config(options={"script": "fair"})
    with pytest.raises(ValueError, match="has no option 'beta'; it has: snapshots"):
        Config(opponent="past", options={"beta": 1})
    for odd in ("three", True, None, 2.5):
        with pytest.raises(ValueError, match="the option snapshots is like 3"):
            Config(opponent="past", options={"snapshots": odd})
    assert Config(opponent="past", options={"snapshots": 2}).option("snapshots") == 2
    assert Config(opponent="past").option("snapshots") == 3


def test_games_that_are_compared_have_the_learner_in_one_seat(tmp_path):
    c = Config(rounds=0, games=8, group=2, opponent="script")
    (played,) = run(c, tmp_path)
    assert played.metrics["seats"] == [0, 0, 1, 1] * 2
    assert {len(group) for group in by_scenario(learners(played))} <= {2, 4}
    for t, mine in zip(played.games(), played.metrics["seats"], strict=True):
        assert t.players[mine] == "tiny@0"
        assert t.replay().over


@pytest.mark.parametrize("change", [{"opponent": "script"}, {"reward": "second_seat"}])
@pytest.mark.usefixtures("tidy")
def test_what_is_exported_is_what_was_learned_from(change, tmp_path):
    REWARDS.register("second_seat", lambda views: [v.seat for v in views])
    c = Config(rounds=1, games=24, epochs=1, **change)
    done = run(c, tmp_path)
    kept = kept_views(tmp_path, 0)
    assert len(kept) == done[1].metrics["training"]["kept"] > 0
    if "opponent" in change:
        names = {v.transcript.players[v.seat] for v in kept}
        assert names == {"tiny@0"}
    else:
        assert {v.seat for v in kept} == {1} and len(kept) == 24


def test_a_partner_and_an_opponent_exclude_each_other(tmp_path):
    c = Config(rounds=0, games=2, opponent="past")
    with pytest.raises(RunError, match=r"partner or the opponent 'past'"):
        run(c, tmp_path / "run", partner=Fair())
    assert not (tmp_path / "run").exists()


class Sloppy(Rule):
    """A rule with its own options, whatever they are."""

    def __init__(self, **options):
        self.options = options

    def learn(self, lm, views, rewards, *, config, number, seed, on_step=None):
        samples = [make_sample(v, lm) for v in views]
        return fine_tune(lm, samples, epochs=1, seed=seed, on_step=on_step)


@pytest.mark.usefixtures("tidy")
def test_an_option_is_read_as_its_owners_default_is(tmp_path, capsys):
    RULES.register("first", Sloppy(beta=1, loud=False))
    RULES.register("second", Sloppy(beta=0.5))
    asked = [*SMALL, "--games", "2", "--no-preflight"]
    for rule, beta in (("first", 2), ("second", 0.25)):
        out = tmp_path / rule
        words = ["rounds", "--rule", rule, "--beta", str(beta), *asked]
        assert main([*words, "--out", str(out)]) == 0
        there = json.loads((out / "config.json").read_text("utf-8"))
        assert there["options"] == {"beta": beta}
        assert read_rounds(out)[1].metrics["training"]["kept"] == 4
    capsys.readouterr()
    for words, said in {
        "--rule first --beta 0.5": "--beta is like 1, its default; got '0.5'",
        "--rule first --loud maybe": "--loud is like False, its default; got 'maybe'",
        "--rule second --loud true": "loud is of the rule 'first'",
        "--beta 1": "rule='clone' with opponent='itself' has no option 'beta'",
    }.items():
        assert main(["rounds", *words.split(), "--out", str(tmp_path / "no")]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("name", ["games", "out", "threads", "lam"])
@pytest.mark.usefixtures("tidy")
def test_an_option_that_every_run_has_is_refused(name, capsys):
    RULES.register("greedy", Sloppy(**{name: 1}))
    with pytest.raises(ValueError, match=f"an option called {name}.*rename it"):
        Config(rule="greedy")
    with pytest.raises(SystemExit):
        main(["rounds", "--help"])
    assert "greedy" in capsys.readouterr().out


@pytest.mark.usefixtures("tidy")
def test_two_files_of_one_name_are_both_imported(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = example("filter").replace('"openers"', f'"{name}"')
        (tmp_path / name / "mine.py").write_text(text, encoding="utf-8")
    files = [str(tmp_path / name / "mine.py") for name in ("one", "two")]
    plugins = [word for file in files for word in ("--plugin", file)]
    with pytest.raises(SystemExit):
        main(["rounds", *plugins, "--help"])
    assert {"one", "two"} <= set(FILTERS)


class NoSamples(Rule):
    pass


class NoOptions:
    def check(self, config): ...

    def learn(self, lm, views, rewards, *, config, number, seed, on_step): ...


class OddLearn(Rule):
    def learn(self, lm, views):
        return None


class FewWords:
    options = {}

    def pairings(self, number):
        return []


BROKEN = [
    (RULES, NoSamples(), "has its own samples"),
    (RULES, NoOptions(), "lacks it"),
    (RULES, OddLearn(), "takes config, number, on_step, seed by name"),
    (OPPONENTS, object(), "has options"),
    (RULES, Sloppy(beta=None), "text, a number or True or False; got 'beta': None"),
    (RULES, Sloppy(**{"a b": 1}), "an option of a rule is a name"),
    (OPPONENTS, FewWords(), "takes config, number, rounds, rng"),
    (FILTERS, lambda views: views, "a filter is a function of"),
    (FILTERS, None, "a filter is a function of"),
    (REWARDS, lambda views, rng: [], "a reward is a function of"),
]


@pytest.mark.parametrize(("registry", "thing", "words"), BROKEN)
def test_what_breaks_a_contract_is_refused_when_it_is_registered(
    registry, thing, words
):
    before = list(registry)
    with pytest.raises(ValueError, match=words):
        registry.register("broken", thing)
    assert list(registry) == before


@pytest.mark.usefixtures("tidy")
def test_an_opponent_that_shares_out_too_few_games_is_refused(tmp_path):
    class Few:
        options = {}

        def pairings(self, config, number, rounds, rng):
            return [(None, config.games - 1)]

    OPPONENTS.register("few", Few())
    with pytest.raises(ValueError, match=r"shares out 3 scenarios, .* has 4"):
        run(Config(rounds=0, games=4, opponent="few"), tmp_path)


def test_a_plugin_that_fails_is_named(tmp_path, capsys):
    bad = tmp_path / "bad.py"
    bad.write_text("raise KeyError('x')", encoding="utf-8")
    for given, words in {
        str(bad): "KeyError",
        str(tmp_path / "no.py"): "there is no",
    }.items():
        assert main(["rounds", "--plugin", given, "--out", str(tmp_path / "r")]) == 1
        assert words in capsys.readouterr().err
    assert main(["play", "--plugin", "no_such_module_x", "fair", "--out", "x"]) == 1
    assert "no_such_module_x" in capsys.readouterr().err
