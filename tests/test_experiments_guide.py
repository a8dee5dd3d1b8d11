"""What is measured for the guide: the pieces that need no network and no browser."""

import os
from pathlib import Path

import pytest

from experiments import binder, downloads, guide

ROOT = Path(__file__).resolve().parent.parent


def state(**changed):
    return {"code": 9, "ran": 9, "errors": [], "kernel": "idle"} | changed


@pytest.mark.parametrize(
    ("changed", "over"),
    [
        ({}, True),
        ({"kernel": "busy"}, False),
        ({"ran": 8}, False),
        ({"ran": 3, "errors": ["NameError: x"]}, True),
        ({"ran": 3, "errors": ["NameError: x"], "kernel": "busy"}, False),
        ({"ran": 3, "kernel": "dead"}, True),
        ({"ran": 3, "kernel": "autorestarting"}, True),
    ],
)
def test_a_notebook_is_over_when_all_ran_or_one_failed_or_the_kernel_is_gone(
    changed, over
):
    assert binder.ended(state(**changed)) is over


def test_the_rehearsal_sees_its_own_environment_only(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    env = binder.inside(tmp_path)
    assert env["PATH"].startswith(f"{tmp_path / 'bin'}{os.pathsep}")
    assert "PYTHONPATH" not in env and "VIRTUAL_ENV" not in env


def test_a_step_that_fails_says_what_it_said():
    with pytest.raises(RuntimeError, match="no-such-branch"):
        binder.timed("git", "-C", ROOT, "rev-parse", "no-such-branch", "--")
    assert binder.timed("git", "--version") < 60


def test_bytes_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"123")
    (tmp_path / "y").write_bytes(b"45")
    assert binder.size(tmp_path) == 5


def test_binder_installs_the_pinned_torch_for_the_cpu():
    script = (ROOT / "binder/postBuild").read_text("utf-8")
    assert "grep '^torch==' constraints.txt" in script and "}+cpu" in script
    assert "set -euo pipefail" in script
    assert (ROOT / "binder/runtime.txt").read_text("utf-8").strip() == "python-3.11"
    if os.name != "nt":
        for name in ("postBuild", "start"):
            assert os.access(ROOT / "binder" / name, os.X_OK), name


def test_what_is_not_measured_is_said_to_be_so(tmp_path):
    assert set(guide.blocks(tmp_path).values()) == {guide.NOT_YET}


def notebook(**changed):
    usual = {"seconds": 9.5, "first_cells_seconds": 1.24, "ran": 9, "code": 9}
    usual |= {"errors": [], "killed": False, "peak_memory_bytes": 1_260_000_000}
    return usual | changed


def test_a_notebook_that_stopped_is_no_success():
    found = {
        "notebooks": {
            "00": notebook(),
            "05": notebook(killed=True),
            "11": notebook(ran=3, errors=["E: x"]),
        },
        "environment": {
            "whole_bytes": 3_000_000_000,
            "base_bytes": 500_000_000,
            "versions": {"jupyterlab": "4.6.6"},
        },
        "limit_bytes": 2_000_000_000,
        "cores": 2,
        "processor": "X",
    }
    told = guide.binder_block(found)
    assert "| 00 | 1.2 | 10 | 1.26 GB |" in told or "| 00 | 1.2 | 9 | 1.26 GB |" in told
    assert told.count("(stopped)") == 2 and "add 2.5 GB" in told


def test_a_class_at_once_is_told_with_its_slips():
    seconds = {"median": 0.42, "p95": 1.94, "n": 90}
    found = {
        "provenance": {"cores": 2, "processor": "X"},
        "people": 30,
        "games": 60,
        "lost": [],
        "mixed": ["K7M4TP: ..."],
        "reply_seconds": seconds,
        "page_seconds": seconds,
        "server_bytes": {"peak": 2_345_000_000},
        "load": [1.0, 7.6],
    }
    told = guide.class_block(found)
    assert "30 people at once" in told and "nothing lost, 1 mixed up" in told
    assert "0.4 s" in told and "1.9 s" in told and "2.3 GB" in told


def test_downloads_are_a_table():
    found = {
        "sets": {"all": {"files": 3, "bytes": 12_600_000}},
        "system": "Linux x86_64",
        "python": "3.11.7",
    }
    assert "| all | 3 | 13 MB |" in guide.downloads_block(found)


def test_the_launcher_is_read_as_it_is():
    launcher = downloads.load_launcher()
    assert "lm" in launcher.EXTRAS["tutorial"]
    assert "lm" not in launcher.without_torch(launcher.EXTRAS["tutorial"])
