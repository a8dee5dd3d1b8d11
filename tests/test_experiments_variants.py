"""The sweep's table: one thing changed at a time, one name and one folder each."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments import variants
from experiments.variants import LAMBDAS, folder_of, groups, name_of
from selfplay_kit.learn.rounds import Config

RUNS, SPINE = Path("runs/sweep"), Path("runs/spine")


KEPT = (9, 8, 7, 6, 5, 4, 3, 2, 1, 1)


@pytest.fixture
def spine(tmp_path, monkeypatch):
    """A spine of filtered runs that kept :data:`KEPT` views each."""

    def kept_counts(folder):
        assert folder.name.startswith("tiny-weak-semi-above_mean-seed")
        return KEPT

    monkeypatch.setattr(variants, "kept_counts", kept_counts)
    return tmp_path


def test_the_control_is_matched_to_the_filtered_run_of_the_same_seed(spine):
    control = groups()["filter"]["drawn"]
    standard = groups()["filter"]["above_mean"]
    assert control.seeds == standard.seeds == 5
    config = control.config(3, RUNS, spine)
    assert config.draw == KEPT and config.seed == 3
    assert replace(config, filter="above_mean", draw=()) == standard.config(
        3, RUNS, spine
    )


def test_each_group_changes_what_it_says_and_nothing_else(spine):
    usual = asdict(Config(base="tiny-weak"))
    for group, by in groups().items():
        allowed = {"lambda": {"lam"}, "training": {"epochs", "lr"}}.get(group, {group})
        if group == "intervention":
            allowed = {"lam", "filter"}
            assert {v.changes["lam"] for v in by.values()} == {-0.5}
        for label, variant in by.items():
            changed = {
                k
                for k, v in asdict(variant.config(0, RUNS, spine)).items()
                if v != usual[k] and k not in ("seed", "draw")
            }
            assert changed <= allowed, (group, label)
    assert len(LAMBDAS) >= 9 and {-1, 0, 1} <= set(LAMBDAS)


def test_a_variant_has_one_name_and_a_run_one_folder(spine):
    every = {name_of(v): v for by in groups().values() for v in by.values()}
    for by in groups().values():
        for variant in by.values():
            assert every[name_of(variant)] == variant
    folders = [
        folder_of(v.config(seed, RUNS, spine), RUNS, SPINE)
        for v in every.values()
        for seed in range(v.seeds)
    ]
    assert len(set(folders)) == len(folders)


def test_the_spines_runs_are_taken_and_no_others():
    def where(**changes):
        return folder_of(
            Config("tiny-weak", seed=2)
            if not changes
            else Config(**{"base": "tiny-weak", "seed": 2} | changes),
            RUNS,
            SPINE,
        ).as_posix()

    assert where() == "runs/spine/tiny-weak-semi-above_mean-seed2"
    assert where(lam=-1.0) == "runs/spine/tiny-weak-strict-above_mean-seed2"
    assert where(base="tiny-clean") == "runs/spine/tiny-clean-semi-above_mean-seed2"
    assert where(lam=0.5) == "runs/sweep/lam=0.5-seed2"
    drawn = where(filter="drawn", draw=KEPT)
    assert drawn == "runs/spine/tiny-weak-semi-drawn-seed2"
    assert where(games=125) == "runs/sweep/games=125-seed2"
    assert where(filter="everything") == "runs/sweep/filter=everything-seed2"
