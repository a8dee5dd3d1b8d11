"""Intervals between seeds: within their bounds, and derived again from the values."""

import json
from pathlib import Path

import pytest

from experiments import __main__, intervals
from experiments.gaps import gaps, jackknife
from experiments.record import over_seeds, save
from experiments.said import all_seeded, seeded
from selfplay_kit.measure.metrics import SHARE, bounds_of, seed_interval

HERE = Path(__file__).resolve().parent.parent
RECORDED = ("spine", "sweep", "talk", "crossplay", "language", "smollm")


@pytest.mark.parametrize("name", RECORDED)
def test_no_recorded_share_leaves_0_to_1(name):
    made = json.loads((HERE / f"data/reference/{name}.json").read_text("utf-8"))
    count = 0
    for path, number in intervals.numbers(made):
        share = bounds_of(path[-1][0]) == SHARE or path[-1][0] in ("cross", "self")
        share &= made.get("transfer", {}).get(path[1][0], {}).get("metric") in (
            None,
            "agreement",
        )
        if share and number["low"] is not None:
            assert 0 <= number["low"] <= number["high"] <= 1, path
            assert number["low"] <= number["value"] + 1e-4, path
            assert number["value"] <= number["high"] + 1e-4, path
            count += 1
    assert count > 10


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_intervals_are_those_that_are_derived_today(name):
    text = (HERE / f"data/reference/{name}.json").read_text("utf-8")
    made, again = json.loads(text), intervals.derived(json.loads(text))
    old = {str([k for k, _ in p]): n for p, n in intervals.numbers(made)}
    new = {str([k for k, _ in p]): n for p, n in intervals.numbers(again)}
    assert old.keys() == new.keys()
    for where, number in old.items():
        for end in ("low", "high"):
            assert new[where][end] == pytest.approx(number[end], abs=2e-4), where


def number(*values, low=-9.0, high=9.0):
    return {
        "value": sum(values) / len(values),
        "low": low,
        "high": high,
        "n": len(values),
        "values": list(values),
    }


@pytest.mark.parametrize("name", ["agreement", "stated", "false", "yes_kept"])
def test_a_share_gets_bounds_and_other_numbers_keep_their_interval(name):
    made = {"config": {"games": 100}, "rounds": [{name: number(0.9, 1.0, 0.95)}]}
    made["rounds"][0]["mean_points"] = number(4.0, 5.0)
    found = intervals.derived(made)["rounds"][0]
    assert 0 < found[name]["low"] < 0.95 < found[name]["high"] < 1
    assert (found["mean_points"]["low"], found["mean_points"]["high"]) == (-9, 9)


@pytest.mark.parametrize(
    "made, games",
    [
        ({"config": {"games": 100}, "rounds": [{"agreement": number(1, 1)}]}, 200),
        (
            {
                "config": {"games": 9, "test_games": 300},
                "test": {"agreement": number(1, 1)},
            },
            600,
        ),
        ({"test": {"true": number(1, 1), "seeds": [{"true": {"n": 7}}] * 2}}, 14),
        ({"config": {"games": 100}, "rounds": [{"true": number(1, 1)}]}, None),
        ({"transferred": {"agreement": number(1, 1, low=0.98, high=1)}}, None),
    ],
)
def test_what_never_failed_is_known_as_well_as_there_are_games(made, games):
    paths = list(intervals.numbers(made))
    ((path, found),) = [p for p in paths if "values" in p[1]]
    assert intervals.games_behind(path, 2) == games
    intervals.derived(made)
    if games:
        assert (found["low"], found["high"]) == (pytest.approx(0.025 ** (1 / games)), 1)
    else:  # nothing better is known than what is there
        assert found["low"] in (-9, 0.98)


def test_a_correlation_stays_between_minus_one_and_one():
    made = {"semi": {"correlation": {"all": number(0.99, 0.7, 0.98)}}}
    found = intervals.derived(made)["semi"]["correlation"]["all"]
    assert -1 < found["low"] < 0.89 < found["high"] < 1


def test_the_last_round_of_a_sweep_is_derived_from_its_lists():
    lists = [[0.1, 0.99], [0.2, 0.8], [0.3, 0.97]]
    last = {"agreement": {k: 0 for k in ("value", "low", "high", "n")}}
    variant = {"rounds": {"agreement": lists}, "last": last}
    found = intervals.derived({"variants": {"standard": variant}})
    ends = seed_interval([0.99, 0.8, 0.97], bounds=SHARE)
    got = found["variants"]["standard"]["last"]["agreement"]
    assert (got["low"], got["high"]) == (ends["low"], ends["high"])


def test_the_command_writes_only_what_changed_and_says_so(tmp_path, capsys):
    file = tmp_path / "x.json"
    made = {"provenance": {"commit": "old"}, "rounds": [{"agreement": number(0.9, 1)}]}
    save(made, file, compact=True)
    assert __main__.main(["intervals", str(file)]) == 0
    once = file.read_text("utf-8")
    found = json.loads(once)
    assert found["provenance"]["commit"] == "old" and found["provenance"]["intervals"]
    assert 0 <= found["rounds"][0]["agreement"]["low"]
    assert __main__.main(["intervals", str(file)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert file.read_text("utf-8") == once


def test_over_seeds_knows_which_numbers_are_shares():
    found = [
        {name: {"value": v, "n": 50} for name in ("agreement", "words", "abort_rate")}
        for v in (1.0, 1.0, 1.0)
    ]
    made = over_seeds(found, ("agreement", "words"))
    assert made["agreement"]["low"] == pytest.approx(0.025 ** (1 / 150))
    assert made["words"]["low"] == made["words"]["high"] == 1
    assert made["agreement"]["values"] == [1, 1, 1]


def test_what_is_said_and_shared_between_seeds_has_bounds():
    found = all_seeded([{"false": x, "messages": x} for x in (0.0, 0.02, 0.5)])
    assert 0 <= found["false"]["low"] and found["messages"]["low"] < 0
    assert seeded([None, None], "false")["value"] is None
    grid = [[0.4, 0.1, 0.2], [0.1, 0.99, 0.9], [0.2, 0.9, 0.97]]
    as_share, plain = gaps(grid, 0.1, "agreement"), gaps(grid, 0.1)
    for name in ("self", "cross"):
        assert 0 <= as_share[name]["low"] <= as_share[name]["high"] <= 1
    assert plain["self"]["high"] > 1
    assert -1 <= as_share["lost"]["low"] <= as_share["lost"]["high"] <= 1
    assert jackknife(3, lambda seeds: 0.5, SHARE)["low"] == 0.5


def test_every_share_that_is_recorded_is_known_as_one():
    assert bounds_of("agreement") == bounds_of("partner's") == SHARE
    assert bounds_of("gain_agreed") is None  # may be below 0
    for name in ("mean_points", "messages", "first_mover", "vocabulary", "kept"):
        assert bounds_of(name) is None
