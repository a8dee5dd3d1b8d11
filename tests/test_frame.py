"""What stands around every notebook: badges, help, and the cell that fetches the
kit."""

import importlib.metadata
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import derive  # noqa: E402
import frame  # noqa: E402

ADDRESS = "https://github.com/someone/selfplay-kit"
PROJECT = '[project]\nname = "x"\n[project.urls]\n'
SOURCE = '# %% [markdown]\n# # One\n#\n# [help](guide/glossary.md)\n\n# %%\nX = "cpu"\n'
README = "# Kit\n\n<!-- badges -->\n<!-- /badges -->\n\nText.\n"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "notebooks"
    (place / "source").mkdir(parents=True)
    (place / "source" / "00_one.py").write_text(SOURCE, "utf-8")
    (tmp_path / "README.md").write_text(README, "utf-8")
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    return place


def opening(path):
    return nbformat.read(path, as_version=4).cells[0].source


# Badges -----------------------------------------------------------------------------


def test_without_an_address_there_are_no_badges(folder):
    derive.make(folder)
    for path in (folder / "00_one.ipynb", folder / "solutions/00_one.ipynb"):
        assert opening(path).startswith("# One") and "http" not in opening(path)
    assert (folder.parent / "README.md").read_text("utf-8") == README
    assert derive.drift(folder) == []


def test_an_address_stamps_badges_everywhere_and_they_go_again(folder):
    derive.make(folder)
    project = folder.parent / "pyproject.toml"
    project.write_text(f'{PROJECT}Repository = "{ADDRESS}"\n', "utf-8")
    told = "\n".join(derive.drift(folder))
    assert "badges in ../README.md are out of date" in told and "00_one" in told
    derive.make(folder)
    for place in ("00_one.ipynb", "solutions/00_one.ipynb"):
        text = opening(folder / place)
        assert text.startswith("[![Open in Binder]") and "\n\n# One" in text
        colab = f"google.com/github/someone/selfplay-kit/blob/main/notebooks/{place})"
        assert colab in text
        assert (
            f"main?urlpath=lab%2Ftree%2Fnotebooks%2F{place}".replace(
                "solutions/", "solutions%2F"
            )
            in text
        )
    readme = (folder.parent / "README.md").read_text("utf-8")
    assert readme.count("mybinder.org/v2/gh/someone/selfplay-kit/") == 1
    assert "# Kit\n" in readme and "Text.\n" in readme
    project.write_text(PROJECT, "utf-8")
    derive.make(folder)
    assert (folder.parent / "README.md").read_text("utf-8") == README


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_the_address_may_end_as_people_write_it(tmp_path, end):
    file = tmp_path / "pyproject.toml"
    file.write_text(f'{PROJECT}Repository = "{ADDRESS}{end}"\n', "utf-8")
    row = frame.badges(frame.address(tmp_path), "notebooks/00_one.ipynb")
    assert "gh/someone/selfplay-kit/main" in row and ".git/" not in row


def test_an_address_elsewhere_is_refused():
    with pytest.raises(ValueError, match="OWNER/NAME only"):
        frame.badges("https://gitlab.example/a/b", "notebooks/x.ipynb")


def test_links_of_the_solutions_lead_to_the_same_guide(folder):
    derive.make(folder)
    assert "(guide/glossary.md)" in opening(folder / "00_one.ipynb")
    solved = opening(folder / "solutions/00_one.ipynb")
    assert "(../guide/glossary.md)" in solved and "(guide/" not in solved


# The cell that fetches the kit ------------------------------------------------------


def run_fetch(
    monkeypatch, *, address="", kit=False, colab=True, have=(), extras=("lm",)
):
    """Run the cell where the kit is missing or not; pip's arguments, or None."""
    called = []
    found = {"selfplay_kit"} if kit else set()
    found |= set(have)

    def pip(arguments, check):
        called.append(arguments)
        run_fetch.check = check

    monkeypatch.setattr(importlib.util, "find_spec", lambda n: n in found or None)
    monkeypatch.setattr(importlib.metadata, "version", dict(have).get)
    monkeypatch.setattr(subprocess, "run", pip)
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    else:
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    cells = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell("x")]
    frame.put(cells, "notebooks/00_one.ipynb", address, list(extras))
    exec(cells[1].source, {})
    return called[0] if called else None


HAVE = {"numpy": "2.0.2", "torch": "2.8.0+cu126"}


def test_numpy_and_torch_are_named_with_the_version_that_is_there(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    pip = run_fetch(monkeypatch, address=ADDRESS, have=HAVE)
    assert pip[-1] == f"selfplay-kit[lm] @ git+{ADDRESS}"
    assert "numpy==2.0.2" in pip and "torch==2.8.0+cu126" in pip
    bare = [a for a in pip if a.startswith(("numpy", "torch"))]
    assert len(bare) == 2 and "--upgrade" not in pip and "-U" not in pip
    assert pip[:4] == [sys.executable, "-m", "pip", "install"]


def test_what_is_not_there_is_not_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    pip = run_fetch(monkeypatch, address=ADDRESS, extras=())
    assert pip[-1] == f"selfplay-kit @ git+{ADDRESS}"
    assert not [a for a in pip if a.startswith(("numpy", "torch"))]


def test_a_wheel_that_was_uploaded_comes_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    wheel = tmp_path / "selfplay_kit-0.1.0-py3-none-any.whl"
    wheel.touch()
    for address in ("", ADDRESS):
        pip = run_fetch(monkeypatch, address=address, have=HAVE)
        assert pip[-1] == f"selfplay-kit[lm] @ {wheel.as_uri()}"


def test_with_the_kit_pip_is_asked_for_what_may_be_too_old(monkeypatch):
    pip = run_fetch(monkeypatch, kit=True, have=HAVE)
    assert pip[4:] == ["-q", "torch==2.8.0+cu126", "numpy==2.0.2", "ipywidgets>=8.1"]


def test_what_reads_a_quantised_model_is_asked_for_by_name(monkeypatch):
    pip = run_fetch(monkeypatch, kit=True, have=HAVE, extras=["lm", "quant"])
    assert pip[-3:] == ["ipywidgets>=8.1", "gguf>=0.10", "bitsandbytes>=0.46"]
    assert "numpy==2.0.2" in pip and "torch==2.8.0+cu126" in pip


@pytest.mark.parametrize("kit", [True, False])
def test_a_pip_that_fails_stops_only_who_has_no_kit(monkeypatch, tmp_path, kit):
    monkeypatch.chdir(tmp_path)
    run_fetch(monkeypatch, address=ADDRESS, kit=kit)
    assert run_fetch.check is not kit


def test_what_a_notebook_needs_is_what_the_extra_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra, needs in frame.NEEDS.items():
        assert set(needs) == set(project["optional-dependencies"][extra])
    assert "ipywidgets>=8.1" in project["dependencies"]


def test_notebook_06_asks_for_the_reader_and_the_others_do_not():
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        (cell,) = (c for c in nbformat.read(path, 4).cells if c.id == "fetch-the-kit")
        assert ("selfplay-kit[lm,quant] @ git+" in cell.source) == (
            path.name[:2] == "06"
        )
        assert ('"gguf>=' in cell.source) == (path.name[:2] == "06")


def test_outside_colab_with_the_kit_nothing_is_done(monkeypatch):
    have = HAVE | {"ipywidgets": "7.7.1"}
    assert run_fetch(monkeypatch, kit=True, colab=False, have=have) is None


def test_without_address_and_wheel_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match="Upload its wheel"):
        run_fetch(monkeypatch, have=HAVE)


def test_a_bare_jupyter_is_told_the_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match=r"python run\.py lab"):
        run_fetch(monkeypatch, address=ADDRESS, colab=False)


def test_the_cell_stands_before_all_other_code(folder):
    derive.make(folder)
    cells = nbformat.read(folder / "00_one.ipynb", as_version=4).cells
    first = next(c for c in cells if c.cell_type == "code")
    assert first.metadata.tags == ["fetch"] and "selfplay-kit @" in first.source
    assert len(first.source.splitlines()) <= 20
    assert max(map(len, first.source.splitlines())) <= 76
