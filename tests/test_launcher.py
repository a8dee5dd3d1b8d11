"""The launcher: what it decides, what it says, and that it needs nothing installed.

Nothing here touches the network or installs; the real installation is what runs
these tests (`run.py test`).
"""

import argparse
import ast
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

RUN = Path(__file__).resolve().parents[1] / "run.py"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The launcher as a module, its .venv in an empty folder."""
    spec = importlib.util.spec_from_file_location("launcher_under_test", RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    return module


# What it is made of ---------------------------------------------------------------


def test_imports_only_the_standard_library():
    names = set()
    for node in ast.walk(ast.parse(RUN.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    assert "argparse" in names  # the walk does see imports
    assert names <= set(sys.stdlib_module_names)


def test_old_python_can_read_the_file():
    ast.parse(RUN.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13)])
def test_old_python_gets_one_sentence(monkeypatch, version):
    text = ".".join(map(str, version))
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "version", text + " (old)")
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(RUN))
    assert "needs Python 3.11 or newer, not " + text in stop.value.code
    assert "\n" not in stop.value.code


def make_python(monkeypatch, version=(3, 12, 1), free=0, bits=64):
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr("platform.python_version", lambda: ".".join(map(str, version)))
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: free)
    monkeypatch.setattr(sys, "maxsize", 2 ** (bits - 1) - 1)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"version": (3, 15, 0)}, "3.15.0 is newer than the tested pins"),
        ({"version": (4, 0, 0)}, "4.0.0 is newer than the tested pins"),
        ({"version": (3, 14, 2), "free": 1}, "is a free-threaded build"),
        ({"version": (3, 13, 0), "bits": 32}, "has 32 bits"),
    ],
)
def test_an_unusual_python_is_told_what_to_take(run, monkeypatch, capsys, how, said):
    make_python(monkeypatch, **how)
    monkeypatch.setattr(run, "make_venv", lambda: run.VENV.mkdir(exist_ok=True))
    monkeypatch.setattr(run, "step", lambda title, arguments: None)
    run.install(("lm",), options())
    assert said in run.tell_python()
    told = capsys.readouterr().out
    assert said in told and "take Python 3.13" in told and "--unpinned" in told


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_the_pythons_of_the_pins_get_no_word(run, monkeypatch, minor):
    make_python(monkeypatch, (3, minor, 0))
    assert run.python_word() == ""


def test_the_newest_python_is_that_of_the_pins_and_the_workflows(run):
    newest = ".".join(map(str, run.NEWEST))
    assert f"3.11 to {newest} " in run.PINS.read_text("utf-8")
    assert f"Python :: {newest}" in run.PROJECT.read_text("utf-8")
    for workflow in (run.ROOT / ".github" / "workflows").iterdir():
        assert f'"{newest}"' in workflow.read_text("utf-8"), workflow


# When it installs again -----------------------------------------------------------


@pytest.mark.parametrize("changed", range(4))
def test_fingerprint_changes_with_each_part(run, changed):
    parts = ["torch==2.13.0\n", "[project]", "/a/folder", False]
    before = run.fingerprint(*parts)
    assert run.fingerprint(*parts) == before
    parts[changed] = parts[changed] + "x" if changed < 3 else True
    assert run.fingerprint(*parts) != before


def test_ready_only_for_what_was_installed_to_its_end(run):
    run.VENV.mkdir()
    assert not run.is_ready(run.VENV, ("lm",), "mark")
    run.stamp(run.VENV, ("lm", "notebooks")).write_text("mark", encoding="utf-8")
    assert run.is_ready(run.VENV, ("lm",), "mark")
    assert run.is_ready(run.VENV, ("notebooks", "lm"), "mark")
    assert not run.is_ready(run.VENV, ("lm", "test"), "mark")
    assert not run.is_ready(run.VENV, ("lm",), "other pins")


def options(**given):
    defaults = dict(unpinned=False, no_torch=False, wheelhouse=None)
    return argparse.Namespace(**(defaults | given))


def test_failed_installation_leaves_no_stamp(run, monkeypatch, capsys):
    monkeypatch.setattr(run, "make_venv", run.VENV.mkdir)
    steps = iter([None, "ERROR: connection broken"])  # torch works, the rest does not
    monkeypatch.setattr(run, "step", lambda title, arguments: next(steps))
    with pytest.raises(SystemExit) as stop:
        run.install(("lm",), options())
    assert "HTTPS_PROXY" in stop.value.code and "--wheelhouse" in stop.value.code
    assert "connection broken" in capsys.readouterr().out
    assert list(run.VENV.iterdir()) == []


def test_second_installation_does_nothing(run, monkeypatch):
    titles = []
    monkeypatch.setattr(run, "make_venv", lambda: run.VENV.mkdir(exist_ok=True))
    monkeypatch.setattr(run, "step", lambda title, arguments: titles.append(title))
    run.install(("lm",), options())
    first = len(titles)
    assert first == 2
    monkeypatch.setattr(run, "venv_trouble", lambda venv: None)
    run.install(("lm",), options())
    assert len(titles) == first


# Which torch ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "machine", "nvidia", "asked"),
    [
        ("Linux", "x86_64", False, ["torch==2.0+cpu", "torch==2.0+cpu", "torch==2.0"]),
        ("Linux", "aarch64", False, ["torch==2.0+cpu", "torch==2.0+cpu", "torch==2.0"]),
        ("Linux", "x86_64", True, ["torch==2.0"]),
        ("Windows", "AMD64", False, ["torch==2.0"]),
        ("Darwin", "arm64", False, ["torch==2.0"]),
        ("Darwin", "x86_64", False, []),
    ],
)
def test_torch_by_system(run, system, machine, nvidia, asked):
    attempts = run.torch_attempts("2.0", system, machine, nvidia)
    assert [arguments[0] for _, arguments in attempts] == asked
    for _, arguments in attempts[:-1]:  # a try that may be in vain gives up quickly
        assert arguments[arguments.index("--retries") + 1] == "0"
        assert int(arguments[arguments.index("--timeout") + 1]) <= 15


def test_unpinned_torch_asks_one_index_at_a_time(run):
    cpu, plain = run.torch_attempts(None, "Linux", "x86_64", False)
    assert cpu[1][:3] == ["torch", "--index-url", run.CPU_INDEX]
    assert plain[1] == ["torch"]


def test_each_failed_try_is_followed_by_the_next(run, monkeypatch):
    asked = []

    def step(title, arguments):
        asked.append(arguments[1])
        return None if len(asked) == 3 else "No matching distribution"

    monkeypatch.setattr(run, "step", step)
    monkeypatch.setattr(run, "has_nvidia", lambda: False)
    monkeypatch.setattr(run.platform, "system", lambda: "Linux")
    monkeypatch.setattr(run.platform, "machine", lambda: "x86_64")
    run.get_torch(["pip"], options())
    pin = "torch==" + run.pinned_torch(run.PINS.read_text(encoding="utf-8"))
    assert asked == [pin + "+cpu", pin + "+cpu", pin]


def test_pins_are_exact_and_portable(run):
    lines = run.PINS.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    for pin in pins:
        name, version = pin.split("==")
        assert name and version and not set("+@/ ") & set(pin), pin


def test_every_extra_exists(run):
    for extras in run.EXTRAS.values():
        wanted = run.requirements(extras)
        assert any(line.startswith("numpy") for line in wanted)
        assert any(line.startswith("hatchling") for line in wanted)


# The environment ------------------------------------------------------------------


def test_missing_and_broken_environments_are_told_apart(run):
    assert "none" in run.venv_trouble(run.VENV)
    python = run.python_in(run.VENV)
    python.parent.mkdir(parents=True)
    assert "missing" in run.venv_trouble(run.VENV)
    if sys.platform != "win32":
        python.write_text("#!/bin/sh\necho no pip here >&2\nexit 1\n")
        python.chmod(0o755)
        assert run.venv_trouble(run.VENV) == "no pip here"


def test_broken_environment_is_made_again(run, monkeypatch, capsys):
    (run.VENV / "leftover").mkdir(parents=True)
    made = []
    monkeypatch.setattr(run, "step", lambda title, arguments: made.append(arguments))
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: "found")
    run.make_venv()
    assert made == [[sys.executable, "-m", "venv", str(run.VENV)]]
    assert not run.VENV.exists()
    assert "broken" in capsys.readouterr().out


def test_without_ensurepip_says_what_to_do(run, monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        run.make_venv()
    for hint in ("ensurepip", "apt install python3-venv", "uv venv --seed .venv"):
        assert hint in stop.value.code


def test_children_are_offline_unless_asked(run, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    env = run.child_env()
    assert env["HF_HUB_OFFLINE"] == "1" and env["PYTHONUTF8"] == "1"
    assert "MPLBACKEND" not in env and "PYTHONOPTIMIZE" not in env
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert run.child_env()["HF_HUB_OFFLINE"] == "0"


# The commands ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "runs"),
    [
        ("test -x tests/test_a.py -k b", "-m pytest -x tests/test_a.py -k b"),
        ("lab", "-m jupyterlab notebooks"),
        ("lab --allow-root", "-m jupyterlab notebooks --allow-root"),
        (
            "lab --port 9000 notebooks/guide",
            "-m jupyterlab --port 9000 notebooks/guide",
        ),
        ("study my/class", "-m selfplay_study serve my/class"),
        (
            "study my/class --host 0.0.0.0 --port 80",
            "-m selfplay_study serve my/class --host 0.0.0.0 --port 80",
        ),
        ("study delete f K7M-4TP", "-m selfplay_study delete f K7M-4TP"),
        (
            "study new f --partners fair,blind",
            "-m selfplay_study new f --partners fair,blind",
        ),
        ("reference --quick", "-m experiments spine --quick"),
        (
            "tutorial --profile ci --only 01 05",
            "notebooks/build.py run --profile ci --out build --only 01 05",
        ),
        (
            "tutorial --no-torch",
            "notebooks/build.py run --profile cpu --out build --only 00 01 02",
        ),
    ],
)
def test_what_a_command_runs(run, typed, runs):
    assert " ".join(run.what_to_run(*run.parse(typed.split()))) == runs


def test_misspelt_option_is_refused(run, capsys):
    with pytest.raises(SystemExit) as stop:
        run.parse(["tutorial", "--profil", "ci"])
    assert stop.value.code == 2
    assert "--profil" in capsys.readouterr().err


def test_intel_mac_runs_the_notebooks_without_torch(run, monkeypatch, capsys):
    asked = SimpleNamespace()
    monkeypatch.setattr(run.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(run.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(run, "install", lambda extras, _: setattr(asked, "e", extras))
    monkeypatch.setattr(run, "inside", lambda arguments: arguments)
    assert run.main(["tutorial"])[-3:] == ["00", "01", "02"]
    assert asked.e == ("notebooks",)
    assert "Colab" in capsys.readouterr().out


def test_missing_wheelhouse_is_named(run):
    with pytest.raises(SystemExit) as stop:
        run.main(["test", "--wheelhouse", "no-such-folder"])
    assert "no-such-folder" in stop.value.code


def test_help_names_every_command():
    told = subprocess.run(
        [sys.executable, "-I", str(RUN), "--help"], capture_output=True, text=True
    )
    assert told.returncode == 0
    for name in (
        "tutorial",
        "test",
        "lab",
        "study",
        "reference",
        "doctor",
        "wheelhouse",
    ):
        assert f"\n    {name}" in told.stdout


@pytest.mark.parametrize("level", ["1", "2"])
@pytest.mark.parametrize(
    "command",
    [
        [str(RUN), "--help"],
        [str(RUN.parent / "notebooks" / "build.py"), "run", "--help"],
        ["-m", "selfplay_study", "new", "--help"],
        ["-m", "selfplay_study", "serve", "nowhere"],
    ],
)
def test_an_optimised_python_changes_no_command(command, level):
    env = os.environ | {"PYTHONPATH": str(RUN.parent), "PYTHONOPTIMIZE": ""}
    plain, optimised = (
        subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            env=env | {"PYTHONOPTIMIZE": o},
        )
        for o in ("", level)
    )
    assert (optimised.returncode, optimised.stdout) == (plain.returncode, plain.stdout)
    assert optimised.stderr == plain.stderr and "Traceback" not in plain.stderr


def test_doctor_needs_nothing_installed():
    start = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-I", str(RUN), "doctor"],
        capture_output=True, text=True, encoding="utf-8", timeout=180,
    )  # fmt: skip
    assert told.returncode == 0 and told.stderr == ""
    titles = {line.split()[0] for line in told.stdout.splitlines() if line.strip()}
    assert {"Python", "memory", "disk", "GPU", ".venv", "notebooks"} <= titles
    assert "could not tell" not in told.stdout
    assert time.monotonic() - start < 60


def recorded(name):
    return json.loads((RUN.parent / "data/reference" / name).read_text("utf-8"))


def test_memory_asked_for_follows_from_recorded_peaks(run):
    notebooks = recorded("binder.json")["notebooks"]
    seen = {n: r["peak_memory_bytes"] / 1e9 for n, r in notebooks.items()}
    tiny = max(peak for n, peak in seen.items() if n[:2] >= "03")
    assert run.TINY_GB - 1 < tiny <= run.TINY_GB  # and Binder has 2 GB
    smollm = recorded("smollm.json")["precision"]["fp32"]["peak"] / 1e9
    assert run.SMOLLM_GB - 1 < smollm <= run.SMOLLM_GB


@pytest.mark.parametrize(
    ("there", "told"), [(1.5, "hardly"), (2, "yes, one"), (9, "y")]
)
def test_doctor_says_what_memory_allows(run, monkeypatch, there, told):
    monkeypatch.setattr(run, "memory_gb", lambda: there)
    monkeypatch.setattr(run, "is_intel_mac", lambda *_: False)
    line = run.tell_notebooks().splitlines()[1]
    assert line.split("tiny model")[1].strip().startswith(told)


@pytest.mark.skipif(os.name == "nt", reason="containers of Linux")
@pytest.mark.parametrize(("limit", "small"), [("2147483648", True), ("max", False)])
def test_a_container_has_the_memory_that_it_is_given(
    run, monkeypatch, tmp_path, limit, small
):
    (tmp_path / "memory.max").write_text(limit + "\n", encoding="utf-8")
    limits = (tmp_path / "memory.max", tmp_path / "not there")
    monkeypatch.setattr(run, "MEMORY_LIMITS", limits)
    assert (run.memory_gb() == pytest.approx(2.147, abs=0.001)) == small


def test_doctor_survives_a_probe_that_fails(run, monkeypatch, capsys):
    def fails():
        raise OSError("no such counter")

    monkeypatch.setattr(run, "memory_gb", fails)
    monkeypatch.setattr(run, "answers", lambda url: False)
    run.doctor()
    told = capsys.readouterr().out
    assert "memory     could not tell (OSError: no such counter)" in told
    assert "does not answer" in told and "Next:" in told
    assert f"{run.TUTORIAL[0]} to {run.TUTORIAL[-1]}" in told.partition("Next:")[2]
