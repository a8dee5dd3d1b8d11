"""The house: light imports, floors, lint, examples in docstrings, shipped data."""

import doctest
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time

import pytest

import selfplay_kit
from selfplay_kit import data

from .conftest import ROOT

LIGHT = ["rules", "protocol", "phrasebook", "game", "play", "scripted", "metrics"]
LIGHT += ["ledger"]
HEAVY = {"torch", "transformers", "matplotlib", "scipy", "numpy", "IPython", "peft"}
PACKAGE = ROOT / "selfplay_kit"
MODULES = sorted(
    ".".join(f.relative_to(PACKAGE).with_suffix("").parts)
    for f in PACKAGE.rglob("*.py")
    if not f.stem.startswith("__")
)


def loaded_after(code):
    """Top-level modules that stand in ``sys.modules`` after ``code``."""
    child = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in child.stdout.split()}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import selfplay_kit") & HEAVY


def test_every_name_of_the_package_is_found_and_no_other():
    pytest.importorskip("torch")
    for name in selfplay_kit.__all__:
        assert getattr(selfplay_kit, name)
    assert selfplay_kit.run.__module__ == "selfplay_kit.learn.rounds"
    assert set(selfplay_kit.__all__) <= set(dir(selfplay_kit))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = selfplay_kit.nothing


def test_light_names_load_nothing_heavy():
    light = "Scenario, Objective, SEMI, all_scenarios, pareto, play_games, summarise"
    assert not loaded_after(f"from selfplay_kit import {light}") & HEAVY


def test_the_first_notebooks_modules_load_nothing_heavy():
    code = "from selfplay_kit import data, notebook, plots, " + ", ".join(LIGHT)
    found = loaded_after(code)
    assert not found & HEAVY
    assert "selfplay_kit" in found


def test_torch_is_seen_where_it_is_loaded():
    """The two tests above can fail."""
    pytest.importorskip("torch")
    assert "torch" in loaded_after("import selfplay_kit.lm.decode.rows")


def test_the_import_is_quick():
    started = time.perf_counter()
    loaded_after("import selfplay_kit")
    assert time.perf_counter() - started < 5  # a second, on a machine at rest


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    source = (PACKAGE / f"{name.replace('.', '/')}.py").read_text("utf-8")
    if re.search(r"^(import|from) torch", source, re.MULTILINE):
        pytest.importorskip("torch")
    try:
        module = importlib.import_module(f"selfplay_kit.{name}")
    except ImportError as e:
        pytest.skip(f"needs {e.name}")
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0 or ">>> " not in source


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_does(name):
    module = (PACKAGE / f"{name.replace('.', '/')}.py").read_text("utf-8")
    assert module.startswith('"""') and "from __future__ import annotations" in module


def test_the_rules_stand_on_the_standard_library_alone():
    source = (PACKAGE / "games/deal/rules.py").read_text("utf-8")
    names = re.findall(r"^(?:from|import) ([\w.]+)", source, re.MULTILINE)
    names = [n for n in names if n != "..base"]  # the objective, for every game
    assert names and {n.partition(".")[0] for n in names} <= sys.stdlib_module_names


def test_the_contract_stands_on_the_registry_alone():
    names = re.findall(
        r"^from (\.[\w.]+)", (PACKAGE / "games/base.py").read_text("utf-8"), re.M
    )
    assert names == ["..registry"]


def test_the_floors_hold():
    tool = shutil.which("lint-imports") or shutil.which(
        "lint-imports", path=str(sys.executable).rpartition("/")[0]
    )
    if tool is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


def test_ruff_has_nothing_to_say():
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "selfplay_kit",
                "selfplay_study",
                "experiments",
                "tests",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_stands_in_one_place_or_agrees():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{selfplay_kit.__version__}"' in project


# Shipped data -----------------------------------------------------------------


def test_a_name_that_is_not_shipped_is_an_error_that_says_where_it_looked():
    with pytest.raises(FileNotFoundError) as e:
        data.path("tiny/no-such-model")
    said = str(e.value)
    assert "'tiny/no-such-model'" in said and "git status data" in said
    assert str(ROOT / "data") in said and "_data" in said


def test_the_installed_copy_comes_before_the_checkout(tmp_path, monkeypatch):
    package = tmp_path / "selfplay_kit"
    monkeypatch.setattr(data, "_HERE", package)
    (tmp_path / "data").mkdir()
    checkout = tmp_path / "data" / "card.md"
    checkout.write_text("checkout", "utf-8")
    assert data.path("card.md") == checkout
    (package / "_data").mkdir(parents=True)
    installed = package / "_data" / "card.md"
    installed.write_text("installed", "utf-8")
    assert data.path("card.md") == installed


# python -O --------------------------------------------------------------------------


REFUSED = {
    "a pool": "from selfplay_kit.games.deal.rules import Scenario; "
    "Scenario((9, 9, 9), ((1,) * 3,) * 2)",
    "a wheel": "from selfplay_kit.lm.weights import _must_be; "
    "from pathlib import Path; "
    "_must_be(Path('README.md'), '0' * 64, 'a wheel')",
    "a precision": "from selfplay_kit.lm.precision import Machine, choose; "
    "choose('int3', Machine('cpu', 1e9, True, True), 9)",
    "an interval of nothing": "from selfplay_kit.measure.language import rarefied; "
    "rarefied('aab', 0)",
}


@pytest.mark.parametrize("optimise", ["-O", "-OO"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_refused_without_assertions_too(what, optimise):
    run = [sys.executable, optimise, "-c", REFUSED[what]]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Error: " in done.stderr.splitlines()[-1]
    assert "AssertionError" not in done.stderr


@pytest.mark.parametrize("optimise", ["-O", "-OO"])
def test_the_commands_explain_themselves_without_docstrings(optimise):
    run = [sys.executable, optimise, "-m", "selfplay_kit", "play", "--help"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--out" in done.stdout


def test_the_modules_of_the_first_edition_are_found_under_their_old_names():
    from selfplay_kit.moved import MOVED

    assert "rounds" in MOVED and "rules" in MOVED
    for old, new in MOVED.items():
        try:
            module = importlib.import_module(f"selfplay_kit.{new}")
        except ImportError as e:
            pytest.skip(f"needs {e.name}")
        assert importlib.import_module(f"selfplay_kit.{old}") is module
        assert module.__name__ == module.__spec__.name == f"selfplay_kit.{new}"
    assert importlib.import_module("selfplay_kit.crossplay").best_response
    assert importlib.import_module("selfplay_kit.cloning").above_mean
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("selfplay_kit.no_such_module")


def test_a_folder_has_at_most_twelve_modules():
    for folder in {p.parent for p in PACKAGE.rglob("*.py")}:
        assert len(list(folder.glob("[!_]*.py"))) <= 12, folder
