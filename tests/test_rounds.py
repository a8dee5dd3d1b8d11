"""Rounds in a folder that survives: kills, interrupts, full disks, damage."""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.games.deal.game import Game  # noqa: E402
from selfplay_kit.games.deal.protocol import propose  # noqa: E402
from selfplay_kit.games.deal.rules import COOP, SEMI, Scenario, scenarios  # noqa: E402
from selfplay_kit.learn import rounds  # noqa: E402
from selfplay_kit.learn.cloning import TrainingError, make_sample, views  # noqa: E402
from selfplay_kit.learn.config import ABOUT  # noqa: E402
from selfplay_kit.learn.filters import FILTERS  # noqa: E402
from selfplay_kit.learn.rounds import (  # noqa: E402
    Config,
    RunError,
    kept_counts,
    read_games,
    read_rounds,
    run,
)
from selfplay_kit.lm.models import load_model, weights_hash  # noqa: E402
from selfplay_kit.measure.metrics import METRICS, summarise  # noqa: E402

from .conftest import ROOT  # noqa: E402

FILES = {"games.jsonl", "metrics.json", "done"}


@pytest.fixture(scope="module")
def config(tiny_base):
    """Small, and with a filter that always keeps something."""
    return Config(
        base=str(tiny_base),
        lam=1.0,
        rounds=2,
        games=24,
        temperature=0.7,
        filter="top_quarter",
        epochs=1,
        batch=4,
    )


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """An uninterrupted run of two rounds: what every other one must come to."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(config, folder)
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "run"))


def outcome(folder):
    """What must be the same however a run was interrupted (not its seconds)."""
    found = {}
    for here in sorted(folder.glob("round-*")):
        metrics = json.loads((here / "metrics.json").read_text("utf-8"))
        metrics.pop("seconds")
        weights = here / "model" / "model.safetensors"
        found[here.name] = (
            (here / "games.jsonl").read_bytes(),
            metrics,
            weights.read_bytes() if weights.exists() else None,
            (here / "done").exists(),
        )
    return found


def files(folder):
    return {
        f.relative_to(folder).as_posix(): (f.stat().st_mtime_ns, f.stat().st_size)
        for f in folder.rglob("*")
        if f.is_file()
    }


# A run ------------------------------------------------------------------------


def test_the_folder(whole, config):
    names = {f.name for f in whole.iterdir()}
    assert names == {".lock", "config.json", "round-00", "round-01", "round-02"}
    for n in range(3):
        here = whole / f"round-{n:02d}"
        expected = FILES if n == 0 else FILES | {"model"}
        assert {f.name for f in here.iterdir()} == expected
    kept = json.loads((whole / "config.json").read_text("utf-8"))
    assert kept["lam"] == 1 and kept["games"] == 24 and kept["base"] == config.base
    base = load_model(config.base)
    assert kept["base_weights"] == kept["model"]["weights_hash"]
    assert kept["base_weights"] == base.report.weights_hash
    assert not list(whole.rglob("*.part"))


def test_rounds_are_what_their_files_say(whole, config):
    found = read_rounds(whole)
    assert [r.number for r in found] == [0, 1, 2]
    hashes = set()
    for r in found:
        games = r.games()
        assert len(games) == config.games
        assert all(t.objective == COOP and t.replay().over for t in games)
        assert set(METRICS) < set(r.metrics) and r.metrics["round"] == r.number
        again = summarise(games, seed=config.seed)
        assert {k: r.metrics[k] for k in again} == again
        assert r.metrics["weights"] == weights_hash(r.model(config).model)
        hashes.add(r.metrics["weights"])
    assert len(hashes) == 3, "each round's model is another"
    assert read_rounds(whole, limit=1) == found[:2]
    games = [(whole / f"round-{n:02d}" / "games.jsonl").read_bytes() for n in range(3)]
    assert len(set(games)) == 3


def test_a_round_learns_from_the_round_before_it(whole, config):
    found = read_rounds(whole)
    for before, r in pairwise(found):
        rng = random.Random(f"{config.seed}/round {r.number}/filter")
        kept = FILTERS[config.filter](views(before.games()), rng)
        training = r.metrics["training"]
        assert (training["kept"], training["of"]) == (12, 2 * config.games)
        lm = before.model(config)
        labels = [x for v in kept for x in make_sample(v, lm).labels if x != -100]
        assert training["tokens"] == len(labels) * config.epochs
        assert training["steps"] == 3


def test_each_round_has_chance_of_its_own(whole):
    """Who speaks first is drawn anew: the same coins each round would favour seats."""
    firsts = {tuple(t.first for t in r.games()) for r in read_rounds(whole)}
    assert len(firsts) == 3


def test_the_defaults_are_the_papers():
    c = Config()
    assert (c.filter, c.continue_from, c.rule) == ("above_mean", "previous", "clone")
    assert (c.rounds, c.games, c.group, c.temperature) == (10, 500, 1, 1.0)
    assert (c.epochs, c.kl, c.split) == (3, 0.0, "train")


def test_training_goes_on_from_the_previous_round_or_from_the_base(
    config, whole, tmp_path
):
    run(replace(config, continue_from="base"), tmp_path / "run")
    one, other = outcome(whole), outcome(tmp_path / "run")
    assert one["round-01"] == other["round-01"]
    assert one["round-02"] != other["round-02"]


def test_a_run_is_its_configuration_and_seed(config, whole, tmp_path):
    torch.manual_seed(99)
    run(config, tmp_path / "same")
    assert outcome(tmp_path / "same") == outcome(whole)
    run(replace(config, seed=1, rounds=0), tmp_path / "other")
    assert outcome(tmp_path / "other")["round-00"] != outcome(whole)["round-00"]


def test_scenarios_are_drawn_from_the_split_in_groups(config):
    drawn = rounds.draw_scenarios(replace(config, games=24, group=4), 1)
    assert len(drawn) == 24 and all(drawn[i] == drawn[i - i % 4] for i in range(24))
    assert len(set(drawn)) > 3 and set(drawn) <= set(scenarios("train"))
    assert drawn != rounds.draw_scenarios(replace(config, games=24, group=4), 2)
    test = rounds.draw_scenarios(replace(config, split="test"), 1)
    assert set(test) <= set(scenarios("test"))


def test_progress_and_rounds_are_told(config, tmp_path):
    told, ended = [], []
    small = replace(config, rounds=1)
    run(small, tmp_path, progress=lambda *a: told.append(a), on_round=ended.append)
    assert [a for a in told if a[0] == "round 0: play"] == [
        ("round 0: play", i, 24) for i in range(1, 25)
    ]
    assert {what for what, _, _ in told} == {
        "round 0: play",
        "round 1: train",
        "round 1: play",
    }
    assert [r.number for r in ended] == [0, 1]
    ended.clear()
    run(small, tmp_path, on_round=ended.append)
    assert [r.number for r in ended] == [0, 1], "those that were there, too"


def test_evaluate(lm):
    a, b = (
        rounds.evaluate(lm, SEMI, games=12, split="test", temperature=0.5, seed=s)
        for s in (1, 1)
    )
    assert a == b and a["mean_points"]["n"] == 12


# Again, longer, other ---------------------------------------------------------


def test_a_rerun_does_nothing(copied, config):
    before = files(copied)
    again = run(config, copied, progress=lambda *a: pytest.fail("something was done"))
    assert files(copied) == before and len(again) == 3


def test_fewer_rounds_than_there_are_and_more(config, whole, tmp_path):
    folder = tmp_path / "run"
    assert len(run(replace(config, rounds=1), folder)) == 2
    before = files(folder)
    assert len(run(replace(config, rounds=0), folder)) == 1
    assert files(folder) == before
    assert len(run(config, folder)) == 3
    assert outcome(folder) == outcome(whole)
    kept = {k: v for k, v in files(folder).items() if k in before}
    assert kept == before, "what was whole was not touched"


@pytest.mark.parametrize(
    "change",
    [{"lam": 0.0}, {"lr": 5e-4, "seed": 3}, {"filter": "nonzero"}, {"games": 12}],
)
def test_another_configuration_is_refused_and_nothing_touched(copied, config, change):
    before = files(copied)
    with pytest.raises(RunError) as e:
        run(replace(config, **change), copied)
    for name, value in change.items():
        assert f"{name}: {getattr(config, name)!r} there, {value!r} asked" in str(
            e.value
        )
    assert "another folder" in str(e.value) and files(copied) == before


@pytest.mark.parametrize("change", ["style", "template", "max_new_tokens"])
def test_a_base_that_is_spoken_to_otherwise_is_refused(
    tiny_base, config, tmp_path, change
):
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    load_model("tiny").tokenizer.save_pretrained(base)
    mine = replace(config, base=str(base), rounds=0)
    run(mine, tmp_path / "run")
    card = {"style": {"style": "long"}, "max_new_tokens": {"max_new_tokens": 9}}
    if change in card:
        (base / "selfplay_kit.json").write_text(json.dumps(card[change]), "utf-8")
    else:
        tokenizer = load_model("tiny").tokenizer
        tokenizer.chat_template = tokenizer.chat_template.replace(
            "'system': '<sys>'", "'system': '<sys> hello'"
        )
        tokenizer.save_pretrained(base)
    name = "max_new_tokens" if change == "max_new_tokens" else "prompt"
    with pytest.raises(RunError, match=f"another configuration.*{name}"):
        run(mine, tmp_path / "run")


def test_a_folder_of_before_the_prompt_was_kept_is_still_good(copied, config):
    where = copied / "config.json"
    kept = json.loads(where.read_text("utf-8"))
    del kept["prompt"], kept["max_new_tokens"]
    where.write_text(json.dumps(kept), "utf-8")
    assert len(run(config, copied)) == config.rounds + 1


def test_a_base_of_other_weights_is_refused(tiny_base, config, tmp_path):
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    mine = replace(config, base=str(base), rounds=0)
    run(mine, tmp_path / "run")
    lm = load_model(base)
    with torch.no_grad():
        next(lm.model.parameters())[7, 7] += 1
    lm.model.save_pretrained(base)
    with pytest.raises(RunError, match="base_weights"):
        run(mine, tmp_path / "run")


def test_a_config_that_can_not_be_read_is_refused(copied, config):
    (copied / "config.json").write_text('{"lam": 1', "utf-8")
    before = files(copied)
    with pytest.raises(RunError, match=r"config\.json can't be read"):
        run(config, copied)
    assert files(copied) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lam": 1.5}, "lambda must be"),
        ({"filter": "best"}, "filter is one of above_mean.*'best'"),
        ({"rule": "magic"}, "rule is one of clone, policy_gradient; got 'magic'"),
        ({"continue_from": "best"}, "continue_from is one of"),
        ({"split": "dev"}, "split is one of train, development, test; got 'dev'"),
        ({"precision": "fp8"}, "precision is one of auto"),
        ({"games": 10, "group": 3}, "multiple of group"),
        ({"games": 0}, "games is 1 or more; got 0"),
        ({"rounds": -1}, "rounds is 0 or more; got -1"),
        ({"batch": 0}, "batch is 1 or more"),
        ({"at_once": 0}, "at_once is 1 or more"),
        ({"accumulate": 0}, "accumulate is 1 or more"),
        ({"lora": -8}, "lora is 0 or more"),
        ({"kl": -1}, "kl is 0 or more; got -1"),
        ({"kl": math.nan}, "kl is a finite number"),
        ({"temperature": -1}, "temperature is 0 or more"),
        ({"temperature": math.inf}, "temperature is a finite number"),
        ({"epochs": 0}, "epochs is above 0"),
        ({"lr": 0}, "lr is above 0"),
        ({"lr": math.nan}, "lr is a finite number"),
        ({"partner_share": 0}, "partner_share is above 0"),
        ({"partner_share": 1.5}, "at most 1"),
        ({"games": 2.5}, "games is a whole number; got 2.5"),
        ({"games": True}, "games is a whole number; got True"),
        ({"games": "500"}, "games is a whole number; got '500'"),
        ({"seed": "0"}, "seed is a whole number"),
        ({"seed": -1}, "seed is 0 or more; got -1"),
        ({"seed": 2**63}, "seed is below 2"),
        ({"draw": 5}, "draw is whole numbers above 0; got 5"),
        (
            {"filter": "drawn", "rounds": 1, "games": 8, "draw": (17,)},
            "17 views in a round, and 8 games have 16",
        ),
        ({"base": None}, "base is text; got None"),
        ({"checkpointing": 1}, "checkpointing is True or False"),
        ({"filter": "drawn"}, "draw how many views.*10 rounds; got 0"),
        ({"filter": "drawn", "draw": (9, 9)}, "10 rounds; got 2"),
        ({"filter": "drawn", "rounds": 1, "draw": (0,)}, "draw is whole numbers"),
        ({"draw": (9,)}, "draw is for filter='drawn'"),
        ({"filter": "above_scenario_mean"}, "above_scenario_mean.*give group=4"),
        ({"rule": "policy_gradient"}, "policy_gradient.*give group=4"),
        (
            {"rule": "policy_gradient", "group": 4, "temperature": 0},
            "temperature above 0",
        ),
    ],
)
def test_a_configuration_that_can_not_be_run(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)


def test_every_field_of_a_configuration_is_described():
    assert list(ABOUT) == [f.name for f in fields(Config)]


def test_a_control_draws_as_many_views_as_the_filtered_run_kept(config, whole):
    counts = kept_counts(whole)
    assert len(counts) == config.rounds and all(counts)
    control = replace(config, filter="drawn", draw=counts)
    assert Config(**json.loads(json.dumps(asdict(control)))) == control
    folder = whole.parent / "control"
    done = run(control, folder)
    assert kept_counts(folder) == counts
    assert run(control, folder)[-1].metrics == done[-1].metrics, "it is found again"
    with pytest.raises(RunError, match="draw"):
        run(replace(control, draw=(*counts[:-1], 1)), folder)


def test_an_adapter_that_can_not_be_trained_is_refused_before_play(
    config, tmp_path, monkeypatch
):
    monkeypatch.setattr(rounds.agreement, "adapter_fault", lambda model: "layers pass")
    with pytest.raises(RunError, match=r"by an adapter \(lora=2\): layers pass"):
        run(replace(config, lora=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_base_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model called 'nobody'"):
        run(Config(base="nobody"), tmp_path / "a")


# Interrupted ------------------------------------------------------------------

CHILD = """
import json, os, signal, sys
import torch
torch.set_num_threads(1)
from selfplay_kit import rounds

config, folder, where = rounds.Config(**json.loads(sys.argv[1])), *sys.argv[2:]

def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

def progress(what, done, of):
    if (what, done) == ("round " + where, of // 2):
        die()

if where.endswith(".part"):  # killed while a file is being written
    replace = rounds.Path.replace
    def killed(path, to):
        if str(path).endswith(where):
            path.write_text(path.read_text("utf-8")[:50], "utf-8")
            die()
        return replace(path, to)
    rounds.Path.replace = killed

rounds.run(config, folder, progress=progress)
"""


def test_killed_again_and_again_a_run_comes_to_the_same(config, whole, tmp_path):
    """SIGKILL in training, while games are written, in play."""
    folder = tmp_path / "run"
    for where, complete in (
        ("1: train", [0]),
        (os.path.join("round-01", "games.jsonl.part"), [0]),
        ("2: play", [0, 1]),
    ):
        child = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(asdict(config)), folder, where],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert child.returncode in (-signal.SIGTERM, -9, 1), child.stderr
        assert "Error" not in child.stderr, child.stderr
        assert [r.number for r in read_rounds(folder)] == complete
    run(config, folder)
    assert outcome(folder) == outcome(whole)
    assert not list(folder.rglob("*.part")), "half-written files are gone"


@pytest.mark.parametrize("last", [0, 1])
def test_a_round_without_done_is_played_again(copied, config, whole, last):
    """And what is half there of it, or of a later one, is not read."""
    (copied / f"round-{last:02d}" / "done").unlink()
    games = copied / f"round-{last:02d}" / "games.jsonl"
    games.write_bytes(games.read_bytes()[:500])
    (copied / f"round-{last:02d}" / "junk.part").write_text("x", "utf-8")
    assert len(read_rounds(copied)) == last
    run(config, copied)
    assert outcome(copied) == outcome(whole)
    assert not list(copied.rglob("*.part"))


def test_a_done_that_was_cut_short_is_no_done(copied, config, whole):
    done = copied / "round-02" / "done"
    done.write_text(done.read_text("utf-8")[:20], "utf-8")
    assert len(read_rounds(copied)) == 2
    run(config, copied)
    assert outcome(copied) == outcome(whole)


@pytest.mark.parametrize("where", ["round 1: train", "round 1: play", "round 2: train"])
def test_an_interrupt_leaves_earlier_rounds_whole(config, whole, tmp_path, where):
    folder = tmp_path / "run"

    def interrupt(what, done, of):
        if what == where:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, folder, progress=interrupt)
    complete = int(where[6])
    assert [r.number for r in read_rounds(folder)] == list(range(complete))
    part = outcome(whole)
    for r in read_rounds(folder):
        name = r.folder.name
        assert (r.folder / "games.jsonl").read_bytes() == part[name][0]
    if complete == 2:
        run(config, folder)
        assert outcome(folder) == outcome(whole)


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_while_games_are_written(
    copied, config, whole, monkeypatch
):
    shutil.rmtree(copied / "round-02")
    write = rounds.files.write_text

    def half(path, text):
        if path.name == "games.jsonl":
            path.with_name(path.name + ".part").write_text(text[:100], "utf-8")
            full()
        write(path, text)

    monkeypatch.setattr(rounds.files, "write_text", half)
    with pytest.raises(OSError, match="No space left"):
        run(config, copied)
    assert [r.number for r in read_rounds(copied)] == [0, 1]
    monkeypatch.undo()
    run(config, copied)
    assert outcome(copied) == outcome(whole)


def test_a_disk_that_is_full_while_the_model_is_saved(
    copied, config, whole, monkeypatch
):
    from transformers import PreTrainedModel

    shutil.rmtree(copied / "round-02")
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        run(config, copied)
    assert [r.number for r in read_rounds(copied)] == [0, 1]
    monkeypatch.undo()
    run(config, copied)
    assert outcome(copied) == outcome(whole)


def test_training_that_can_not_go_on_keeps_what_was_finished(
    config, tmp_path, monkeypatch
):
    small = replace(config, rounds=1)
    monkeypatch.setitem(FILTERS._things, "top_quarter", lambda views, rng, rewards: [])
    with pytest.raises(TrainingError, match="no sample to learn from"):
        run(small, tmp_path)
    assert [r.number for r in read_rounds(tmp_path)] == [0]


# Damaged ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", ["games.jsonl", "metrics.json", "model/model.safetensors"]
)
def test_a_damaged_file_of_a_finished_round_is_named(copied, config, file):
    damaged = copied / "round-01" / file
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged.write_bytes(raw)
    before = files(copied)
    for read in (lambda: run(config, copied), lambda: read_rounds(copied)):
        with pytest.raises(RunError, match="round-01") as e:
            read()
        assert file in str(e.value) and "delete round-01" in str(e.value)
    assert files(copied) == before, "nothing is thrown away unasked"


def test_a_missing_file_of_a_finished_round_is_named(copied, config):
    (copied / "round-02" / "games.jsonl").unlink()
    with pytest.raises(RunError, match=r"round-02 .*games\.jsonl is not"):
        run(config, copied)


def test_after_the_advice_of_the_message_all_is_well(copied, config, whole):
    (copied / "round-01" / "games.jsonl").write_text("", "utf-8")
    with pytest.raises(RunError):
        run(config, copied)
    for n in (1, 2):
        shutil.rmtree(copied / f"round-{n:02d}")
    run(config, copied)
    assert outcome(copied) == outcome(whole)


# Other programs -----------------------------------------------------------------

FOREIGN = (
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._games.jsonl",
    "Icon\r",
    "games-LAPTOP7.jsonl",
    "metrics (1).json",
    "games (Ann's conflicted copy 2026-01-02).jsonl",
    "~$notes.docx",
    "notes.txt",
    ".stfolder/x",
    "more/notes.txt",
    "model/.DS_Store",
    "model/model-LAPTOP7.safetensors",
    "model/config (1).json",
)


def put(folder, name, text):
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError:  # Windows has no name that ends in a carriage return
        assert sys.platform == "win32"
    return path


def test_files_of_other_programs_are_no_part_of_a_round(config, whole, tmp_path):
    folder, small = tmp_path / "run", replace(config, rounds=1)
    put(folder, ".DS_Store", "before")
    put(folder, "config (1).json", "before")

    def looks(what, done, of):  # somebody looks at the folder while it plays
        if done == of and "play" in what:
            for name in FOREIGN:
                put(folder / f"round-{what[6]:0>2}", name, "one")

    run(small, folder, progress=looks)
    assert {n: outcome(whole)[n] for n in ("round-00", "round-01")} == outcome(folder)
    for n in (0, 1):
        here = folder / f"round-{n:02d}"
        listed = set(json.loads((here / "done").read_text("utf-8")))
        assert not listed & set(FOREIGN)
        assert {"games.jsonl", "metrics.json"} <= listed
        assert ("model/model.safetensors" in listed) == (n == 1)
        for name in FOREIGN:
            put(here, name, "two")
    shutil.rmtree(folder / "round-01" / "more")
    assert len(read_rounds(folder)) == 2
    run(small, folder, progress=lambda *a: pytest.fail("something was done"))


def test_what_others_put_into_a_round_that_was_cut_short_stays(copied, config, whole):
    here = copied / "round-02"
    (here / "done").unlink()
    (here / "games.jsonl").write_text("half", "utf-8")
    for name in FOREIGN:
        put(here, name, "theirs")
    run(config, copied)
    assert outcome(copied) == outcome(whole)
    theirs = [n for n in FOREIGN if not n.startswith("model/model-") and n != "Icon\r"]
    assert all((here / name).read_text("utf-8") == "theirs" for name in theirs)
    run(config, copied, progress=lambda *a: pytest.fail("something was done"))


@pytest.mark.parametrize("name", [".DS_Store", "games-LAPTOP7.jsonl", "model/.x"])
@pytest.mark.parametrize("now", ["changed", None])
def test_a_list_of_the_first_edition_may_name_them(copied, config, name, now):
    here = copied / "round-01"
    listed = json.loads((here / "done").read_text("utf-8")) | {name: "0" * 64}
    (here / "done").write_text(json.dumps(listed), "utf-8")
    if now:
        put(here, name, now)
    assert len(read_rounds(copied)) == 3
    run(config, copied, progress=lambda *a: pytest.fail("something was done"))


@pytest.mark.parametrize("text", ["null", "[1, 2]", "3", '"x"', '{"games.jsonl":'])
def test_a_done_that_lists_nothing_is_no_whole_round(copied, text):
    (copied / "round-02" / "done").write_text(text, "utf-8")
    assert len(read_rounds(copied)) == 2
    (copied / "round-02" / "done").write_text("{}", "utf-8")
    with pytest.raises(RunError, match=r"games\.jsonl, metrics\.json are not what"):
        read_rounds(copied)


def test_a_round_that_two_programs_left_without_its_model(copied, config):
    here = copied / "round-02"
    listed = json.loads((here / "done").read_text("utf-8"))
    kept = {k: v for k, v in listed.items() if not k.startswith("model/")}
    (here / "done").write_text(json.dumps(kept), "utf-8")
    shutil.rmtree(here / "model")
    with pytest.raises(RunError, match=r"without its model.*delete round-02"):
        run(replace(config, rounds=3), copied)


def test_a_configuration_saved_with_a_byte_order_mark(copied, config):
    where = copied / "config.json"
    where.write_text(where.read_text("utf-8"), "utf-8-sig")
    assert len(run(config, copied)) == 3
    where.write_text("[]", "utf-8")
    with pytest.raises(RunError, match=r"holds .*no configuration"):
        run(config, copied)


def test_one_program_writes_a_folder_at_a_time(config, whole, tmp_path):
    """A second tab is told who writes; it neither waits nor clears what is half done.
    The lock of a program that was killed holds nobody up."""
    folder, refused = tmp_path / "run", []

    def second_tab(what, done, of):
        if what == "round 1: train" and not refused:
            before = files(folder)
            with pytest.raises(RunError) as e:
                run(config, folder)
            refused.append(str(e.value))
            assert files(folder) == before

    run(replace(config, rounds=1), folder, progress=second_tab)
    assert f"process {os.getpid()} on " in refused[0] and "since 20" in refused[0]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(asdict(config)), folder, "2: play"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert child.returncode in (-signal.SIGTERM, -9, 1), child.stderr
    run(config, folder)
    assert outcome(folder) == outcome(whole)
    assert not list(folder.glob(".lock.json"))


def a_game(text):
    s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    game = Game(s, SEMI).submit(f"[message] {text}")
    return game.submit(propose((1, 0, 1))).submit(propose((2, 1, 0))).transcript()


def test_a_truncated_line_is_named_by_its_number(tmp_path):
    lines = [a_game(f"game {n}").to_json() for n in range(3)]
    path = tmp_path / "games.jsonl"
    path.write_text("\n".join(lines)[:-30], "utf-8")
    with pytest.raises(ValueError, match=r"games\.jsonl, line 3: .*The 2 before"):
        read_games(path)
    path.write_text("\n".join([lines[0], lines[1][:40], lines[2]]) + "\n", "utf-8")
    with pytest.raises(ValueError, match="line 2"):
        read_games(path)


ODD = [
    "\u2028",
    "\x85",
    "\u2029",
    "\r",
    "\x0c",
    "é",
    "\ud83d",
    "\udc00\ud800",
    "\ufeff",
]


@pytest.mark.parametrize("sign", ODD)
def test_games_file_holds_any_text(tmp_path, sign):
    games = [a_game(f"one {sign} two"), a_game("three")]
    path = tmp_path / "games.jsonl"
    rounds.files.write_text(path, "".join(t.to_json() + "\n" for t in games))
    assert read_games(path) == games


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n", "\n \t\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_games_file_as_editors_leave_it(tmp_path, end, mark):
    games = [a_game("one é"), a_game("two")]
    line = "\r\n" if "\r" in end else "\n"
    text = mark + (line + mark).join(t.to_json() for t in games) + end
    (tmp_path / "games.jsonl").write_bytes(text.encode("utf-8"))
    assert read_games(tmp_path / "games.jsonl") == games


def test_half_an_emoji_reaches_a_model_as_text_it_can_read(lm):
    t = a_game("hi \ud83d")
    assert t.replay().moves[0].text == "[message] hi \ud83d", "the record keeps it"
    assert summarise([t])["words"]["value"] == 2
    for v in views([t]):
        make_sample(v, lm)
        for line in v.transcript.replay().position(v.seat).lines:
            line.text.encode("utf-8")


def test_an_illegal_scenario_in_a_file_is_named(tmp_path):
    line = a_game("hi").to_json().replace("[3,1,1]", "[3,1,2]")
    (tmp_path / "games.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(ValueError, match="line 1: the whole pool is worth exactly 10"):
        read_games(tmp_path / "games.jsonl")


def test_a_model_with_words_of_its_own_keeps_them(config, tiny_base, tmp_path):
    """A round's model is read with the tokenizer of its base, whatever that is."""
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    text = (base / "tokenizer.json").read_text("utf-8")
    (base / "tokenizer.json").write_text(text.replace('"sorry"', '"pardon"'), "utf-8")
    mine = replace(config, base=str(base), rounds=1, games=12)
    last = run(mine, tmp_path / "run")[-1].model(mine)
    assert "pardon" in last.tokenizer.get_vocab()
    assert "sorry" not in last.tokenizer.get_vocab()
