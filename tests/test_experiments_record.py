"""Recorded files say where they come from."""

import shutil
import subprocess

import pytest

from experiments import record


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small repository with the folders of this one, all committed."""
    if shutil.which("git") is None:
        pytest.skip("no git here")
    for name in (
        "selfplay_kit/a.py",
        "data/reference/x.json",
        "data/tiny/w",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1", "utf-8")
    (tmp_path / ".gitignore").write_text("build/\n__pycache__/\n", "utf-8")
    me = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*me, "commit", "-q", "-m", "x")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(record, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "dirty"),
    [
        (None, False),
        ("selfplay_kit/a.py", True),
        ("selfplay_kit/new.py", True),
        ("experiments/new.py", True),
        ("data/tiny/w", True),
        ("constraints.txt", True),
        ("data/reference/x.json", False),
        ("runs/spine/round-00/games.jsonl", False),
        ("notes.txt", False),
        ("README", False),
        ("selfplay_kit/__pycache__/a.pyc", False),
    ],
)
def test_provenance_says_whether_the_checkout_was_changed(
    checkout, monkeypatch, tmp_path_factory, name, dirty
):
    if name:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("2", "utf-8")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    made = record.provenance()
    assert made["dirty"] is dirty and len(made["commit"]) == 40


def test_without_a_checkout_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    made = record.provenance()
    assert made["commit"] is None and made["dirty"] is None
