"""Notebooks: as their source says, well formed, and running to their end.

The machinery is tested on a small made-up source, then every real notebook,
student's and solutions', is executed in profile `ci`.
"""

import copy
import json
import sys
from pathlib import Path

import nbformat
import pytest

from tests.lint_notebooks import problems, tagged

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import derive  # noqa: E402
import execute  # noqa: E402
import pages  # noqa: E402
import tutorial  # noqa: E402

NAMES = sorted(path.stem for path in (NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))
BOTH = [pytest.param(name, False, id=name) for name in NAMES]
BOTH += [pytest.param(name, True, id=f"{name}-solutions") for name in NAMES]

GOOD = """\
# %% [markdown]
# # 01 · Counting to three
#
# About 6 minutes, 5 of them for the exercises (an estimate).
#
# In this notebook you will
#
# - count
# - predict $\\lambda$
# - check

# %% tags=["parameters"]
PROFILE = "cpu"

# %%
import os
print("profile", PROFILE)

# %% [markdown] tags=["exercise"]
# ## One more
#
# ### Exercise 1.1: add one · easy · 2 minutes
#
# <details><summary>Hint</summary>
#
# A zeppelin is a hint.
#
# </details>

# %% id="stub" tags=["exercise"]
answer = None

# %% tags=["solution"]
answer = 1 + 1

# %% tags=["check"]
# Exercise 1.1
if answer is None:
    print("not solved yet")
    assert "SELFPLAY_KIT_STRICT" not in os.environ
else:
    assert answer == 2

# %% [markdown]
# ### Exercise 1.2: take one away · hard · 3 minutes
#
# <details><summary>Hint</summary>
#
# Backwards.
#
# </details>

# %% tags=["exercise"]
less = None

# %% tags=["solution"]
less = 1 - 1

# %% tags=["check"]
# Exercise 1.2
print("not solved yet" if less is None else "right!")

# %% [markdown]
# ## Recap
#
# - Two.

# %% [markdown]
# ## Next
#
# [More](02_more.ipynb), [the source](source/01_count.py)
"""
MORE = GOOD.replace("01 · Counting to three", "02 · More")
MORE = MORE.replace("Exercise 1.", "Exercise 2.").replace("02_more", "01_count")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A made-up notebooks folder with two sources, notebooks written."""
    place = tmp_path / "notebooks"
    (place / "source").mkdir(parents=True)
    for name, text in {"01_count": GOOD, "02_more": MORE}.items():
        (place / "source" / f"{name}.py").write_text(text, encoding="utf-8")
    derive.make(place)
    return place


def edit(folder: Path, old: str, new: str, name: str = "01_count") -> None:
    source = folder / "source" / f"{name}.py"
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new), encoding="utf-8")


def code(path: Path) -> str:
    return "\n".join(c.source for c in pages.read(path).cells if c.cell_type == "code")


def printed(cell: dict) -> str:
    return "".join(output.get("text", "") for output in cell["outputs"])


# From source to notebooks


def test_exercise_is_for_students_and_solution_for_solutions(folder):
    student, solved = folder / "01_count.ipynb", folder / "solutions/01_count.ipynb"
    assert "answer = None" in code(student) and "1 + 1" not in code(student)
    assert "1 + 1" in code(solved) and "answer = None" not in code(solved)
    for path in (student, solved):
        text = path.read_text(encoding="utf-8")
        assert "Exercise 1.1: add one" in text and "assert answer == 2" in text


def test_same_source_same_bytes(folder):
    path = folder / "01_count.ipynb"
    before = path.read_bytes()
    assert derive.make(folder) == []
    path.unlink()
    assert derive.make(folder) == [path]
    assert path.read_bytes() == before
    assert b"\r" not in before and before.endswith(b"}\n")


def test_drift_is_found_and_says_what_to_run(folder):
    assert derive.drift(folder) == []
    edit(folder, "1 + 1", "3 - 1")
    (told,) = derive.drift(folder)
    assert "solutions/01_count.ipynb" in told and "build.py make" in told
    (folder / "02_more.ipynb").unlink()
    (folder / "07_stray.ipynb").write_text("{}", encoding="utf-8")
    told = "\n".join(derive.drift(folder))
    assert "02_more.ipynb is missing" in told
    assert "07_stray.ipynb has no source" in told


def test_ids_stay_when_a_cell_is_put_elsewhere(folder):
    def ids() -> dict[str, str]:
        cells = pages.read(folder / "01_count.ipynb").cells
        return {cell.source: cell.id for cell in cells}

    before = ids()
    assert before["answer = None"] == "stub"
    edit(folder, "# %%\nimport os", "# %%\nprint(0)\n\n# %%\nimport os")
    derive.make(folder)
    after = ids()
    assert len(after) == len(before) + 1
    assert {source: after[source] for source in before} == before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id="stub" tags=["exercise"]', 'id="stub"', "without an exercise"),
        ('tags=["solution"]', "", "without a solution"),
        ("# %%\nimport", '# %% id="stub"\nimport', "two cells have the id"),
        ('id="stub"', 'id="a b"', "letters, digits"),
    ],
)
def test_a_source_that_cannot_be_right_is_refused(folder, old, new, told):
    edit(folder, old, new)
    with pytest.raises(derive.SourceError, match=rf"01_count\.py.*{told}"):
        derive.make(folder)


def test_no_source_is_an_error(tmp_path):
    with pytest.raises(derive.SourceError, match="No notebook source"):
        derive.make(tmp_path)


def test_equal_cells_get_different_ids():
    cell = {"cell_type": "code", "source": "x", "metadata": {}}
    ids = derive.cell_ids([cell, cell, cell])
    assert len(set(ids)) == 3


# Execution and the site


def test_a_run_writes_results_and_pages_and_the_next_one_is_up_to_date(
    folder, tmp_path, capsys
):
    note = (
        "import json\nwith open(os.environ['SELFPLAY_KIT_RESULTS'], 'a') as f:\n"
        "    print(json.dumps({'name': 'points', 'value': 5.5}), file=f)\n"
        "    print('{half a li', file=f)\n"
    )
    edit(folder, "import os\n", "import os\n" + note)
    derive.make(folder)
    out = tmp_path / "build"
    assert tutorial.run(folder, out, "ci") == 0
    entry = json.loads((out / "results.json").read_text())["notebooks"]["01_count"]
    assert entry["status"] == "ok" and entry["profile"] == "ci"
    assert entry["records"] == {"points": 5.5}
    assert entry["seconds"] > 0 and entry["peak_memory_bytes"] > 10_000_000
    told = capsys.readouterr().out
    assert "left out: {half a li" in told and "up to date" not in told

    page = (out / "01_count.html").read_text(encoding="utf-8")
    assert "profile ci" in page and "not solved yet" in page
    assert '<a rel="next" href="02_more.html">' in page and 'rel="prev"' not in page
    assert 'href="02_more.html">More</a>' in page
    assert 'href="../notebooks/source/01_count.py"' in page
    assert "zeppelin" in page.split("<details>")[1].split("</details>")[0]
    assert 'aria-label="\\lambda"' in page and "$\\lambda$" not in page
    last = (out / "02_more.html").read_text(encoding="utf-8")
    assert '<a rel="prev" href="01_count.html">' in last and 'rel="next"' not in last
    for path in out.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert '<html lang="en">' in text and "Skip to the content" in text
        assert "http://" not in text and "https://" not in text
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "Counting to three" in index and "<li>count</li>" in index

    text = (out / "search.js").read_text(encoding="utf-8")
    records = json.loads(text.removeprefix("window.searchIndex = ").rstrip(";\n"))
    (hit,) = [r for r in records if "zeppelin" in r["text"] and "01" in r["page"]]
    assert f'id="{hit["anchor"]}"' in page
    assert hit["section"] == "One more"

    assert tutorial.run(folder, out, "ci") == 0
    assert capsys.readouterr().out.count("up to date") == 2
    edit(folder, "import os\n", "import os, sys\n", "02_more")
    derive.make(folder)
    assert tutorial.run(folder, out, "ci") == 0
    assert capsys.readouterr().out.count("up to date") == 1


def quick(monkeypatch, ran):
    """Notebooks are noted in ``ran`` and not executed."""

    def execute(path, output, profile, **options):
        ran.append(path.stem)
        output.write_bytes(path.read_bytes())
        return {"status": "ok", "seconds": 0.1, "peak_memory_bytes": 1, "records": {}}

    monkeypatch.setattr(tutorial, "execute", execute)
    monkeypatch.setattr(tutorial.pages, "write", lambda *_: None)


@pytest.mark.parametrize(
    "file",
    [
        "selfplay_kit/rules.py",
        "selfplay_kit/new/deep.py",
        "selfplay_study/page.py",
        "experiments/said.py",
        "data/reference/x.json",
        "data/tiny/base/model.safetensors",
        "notebooks/execute.py",
        "constraints.txt",
        "pyproject.toml",
    ],
)
def test_whatever_a_notebook_imports_or_reads_is_in_the_key(tmp_path, file):
    seen = [tutorial.content_hash(tmp_path / "notebooks")]
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    for content in ("# one", "# two"):
        path.write_text(content)
        seen.append(tutorial.content_hash(tmp_path / "notebooks"))
    path.rename(path.with_name("moved.py"))
    seen.append(tutorial.content_hash(tmp_path / "notebooks"))
    assert len(set(seen)) == (3 if path.parent == tmp_path else 4)


@pytest.mark.parametrize(
    "file",
    [
        "selfplay_kit/__pycache__/rules.pyc",
        "selfplay_kit/.DS_Store",
        "data/.cache/x",
        "README.md",
        "runs/05/games.jsonl",
        "tests/test_x.py",
    ],
)
def test_what_no_notebook_reads_is_not_in_the_key(tmp_path, file):
    before = tutorial.content_hash(tmp_path / "notebooks")
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")
    assert tutorial.content_hash(tmp_path / "notebooks") == before


def test_profile_versions_and_the_own_source_count(folder, tmp_path, monkeypatch):
    ran = []
    quick(monkeypatch, ran)

    def again(profile="ci", **options):
        ran.clear()
        tutorial.run(folder, tmp_path / "build", profile, **options)
        return list(ran)

    both = ["01_count", "02_more"]
    monkeypatch.setattr(tutorial, "content_hash", lambda _: "one")
    assert again() == both and again() == []
    assert again("cpu") == both
    edit(folder, "A zeppelin", "An airship")  # and the notebook not made anew
    assert again("cpu") == ["01_count"]
    monkeypatch.setattr(tutorial, "content_hash", lambda _: "two")
    assert again("cpu") == both
    monkeypatch.setattr(tutorial, "installed", lambda: "numpy==99")
    assert again("cpu") == both
    monkeypatch.setattr(tutorial, "machine", lambda: {"python": "3.99.0"})
    assert again("cpu") == both and again("cpu", torch=False) == both
    monkeypatch.undo()
    assert "\nnumpy==" in tutorial.installed()


def test_a_widget_leaves_its_plain_html_and_no_state(folder, tmp_path):
    show = "from selfplay_kit.teach.widgets import Table\n"
    show += (
        "from selfplay_kit.games.deal.scripted import Fair\ndisplay(Table(Fair()))\n"
    )
    edit(folder, "import os\n", f"import os\n{show}")
    derive.make(folder)
    out = tmp_path / "build"
    assert tutorial.run(folder, out, "ci", only=["01"]) == 0
    page = (out / "01_count.html").read_text(encoding="utf-8")
    assert "Divide these" in page and "a table to play at" in page
    assert "vnd.jupyter.widget" not in page and "https://" not in page


def test_a_failing_cell_is_reported_and_the_others_run(folder, tmp_path, capsys):
    edit(folder, "answer = None", "answer = None\nmisspelt")
    derive.make(folder)
    out = tmp_path / "build"
    assert tutorial.run(folder, out, "ci") == 1
    told = capsys.readouterr().out
    assert "cell 6 (id stub), section 'One more': NameError" in told
    assert str(out / "01_count.ipynb") in told and "02_more ok" in told
    assert "Stopped with an error" in (out / "index.html").read_text(encoding="utf-8")
    assert "NameError" in (out / "01_count.html").read_text(encoding="utf-8")


def test_a_wrong_solution_fails(folder, tmp_path):
    edit(folder, "answer = 1 + 1", "answer = 3")
    derive.make(folder)
    path = folder / "solutions" / "01_count.ipynb"
    outcome = execute.execute(path, tmp_path / "out.ipynb", "ci", strict=True)
    assert outcome["status"] == "failed"
    assert "AssertionError" in outcome["error"]["what"]


def test_without_torch_it_cannot_be_imported(folder, tmp_path, capsys):
    needs = "# ---\n# jupyter:\n#   torch: true\n# ---\n\n"
    edit(
        folder,
        "# %% [markdown]\n# # 02",
        needs + "# %% [markdown]\n# # 02",
        "02_more",
    )
    edit(folder, "import os\n", "import os\nimport torch\n")
    derive.make(folder)
    assert tutorial.run(folder, tmp_path / "build", "ci", torch=False) == 1
    told = capsys.readouterr().out
    assert "02_more … left out, it needs torch" in told
    assert "ModuleNotFoundError" in told


def test_a_name_that_is_no_notebook_is_refused(folder, tmp_path):
    with pytest.raises(derive.SourceError, match="01_count, 02_more"):
        tutorial.run(folder, tmp_path / "build", "ci", only=["09"])


def test_money_and_code_are_no_formulas():
    page = '<p title="$x$">It costs 5 $ or 6 $ in <code>$x$</code>.</p>'
    assert pages.draw_formulas(page) == page
    assert "tex" in pages.draw_formulas("<p>$\\nosuchthing{x}$</p>")


# What a notebook looks like


def test_the_made_up_notebook_is_well_formed(folder):
    assert problems(pages.read(folder / "01_count.ipynb")) == []
    assert problems(pages.read(folder / "solutions/01_count.ipynb"), True) == []


def test_every_rule_can_be_broken(folder):
    good = pages.read(folder / "01_count.ipynb")

    def told(change) -> str:
        notebook = copy.deepcopy(good)
        change(notebook)
        return "\n".join(problems(notebook))

    def put(place: int, **fields):
        return lambda notebook: notebook.cells[place].update(fields)

    def more(text: str):
        return lambda notebook: notebook.cells.insert(3, markdown(text))

    def markdown(text: str):
        return nbformat.v4.new_markdown_cell(text, id="new")

    stream = nbformat.v4.new_output("stream", text="x")
    first, last = good.cells[0].source, len(good.cells) - 1
    assert "has outputs" in told(put(3, outputs=[stream]))
    assert "has outputs" in told(put(3, execution_count=1))
    assert "has 21 lines" in told(put(3, source="x\n" * 21))
    assert "has a line of 89" in told(put(3, source="x" * 89))
    assert "without alt text" in told(more("![](a.png)"))
    assert "without alt text" in told(more('<img src="a.png">'))
    assert "2 first-level" in told(more("# Again"))
    assert "does not start with" in told(put(0, source="#" + first))
    assert "skips from heading level 1 to 3" in told(more("### Deep"))
    assert "does not open" in told(put(0, source="Hello.\n\n" + first))
    badge = "[![open](a.svg)](b)\n[![run](c.svg)](d)\n\n"
    assert told(put(0, source=badge + first)) == ""
    assert "does not say" in told(put(0, source="# Title"))
    assert "has 2 goals" in told(put(0, source=first.replace("- count\n", "")))
    assert "no section 'Recap'" in told(put(last - 1, source="## Summary"))
    assert "what is Next" in told(put(last, source="## More"))
    assert told(put(last, source="Read on. **Next**: [a](02_players.ipynb)")) == ""
    assert "without a link" in told(put(last, source="**Next**: players"))
    assert "more than 45" in told(
        lambda n: n.cells.extend(markdown("x") for _ in range(45))
    )
    assert "has 0 cells tagged" in told(put(2, metadata={}))
    assert 'no PROFILE = "cpu"' in told(put(2, source='PROFILE = "ci"'))
    assert "two cells with one id" in told(put(3, id="stub"))
    assert "widgets" in told(lambda n: n.metadata.update(widgets={}))
    assert "tagged 'solution'" in told(put(3, metadata={"tags": ["solution"]}))
    assert "exercise without a check" in told(put(6, metadata={}))
    task = good.cells[4].source
    for lost, what in (
        ("easy", "no header"),
        ("2 minutes", "no header"),
        ("Exercise 1.1", "no header"),
        ("<details>", "no collapsed hint"),
    ):
        assert what in told(put(4, source=task.replace(lost, "-")))
    assert "no header, or several" in told(put(4, source=task.replace("1.1", "1.3")))
    assert "which take 9" in told(put(4, source=task.replace("2 min", "6 min")))
    assert "which take 5" in told(put(0, source=first.replace("6 min", "5 min")))
    assert "does not say 'about" in told(put(0, source=first.replace("About", "At")))
    assert "isn't of 1.1" in told(put(6, source="# Exercise 1.2"))
    assert "such as 1.2" in told(more("See exercise 2."))
    assert "such as" not in told(more("See exercise 1.2."))
    assert "has 1 exercises, fewer than 2" in told(put(5, metadata={}))
    assert "lacks 'torch: true'" in told(put(3, source="import torch"))
    assert told(lambda n: None) == ""


# The notebooks of this kit


def test_no_notebook_has_drifted():
    if not NAMES:
        pytest.skip("there is no notebook yet")
    assert derive.drift(NOTEBOOKS) == []


def notebook_path(name: str, solved: bool) -> Path:
    return NOTEBOOKS / ("solutions" if solved else "") / f"{name}.ipynb"


@pytest.mark.parametrize(("name", "solved"), BOTH)
def test_notebook_is_well_formed(name, solved):
    notebook = pages.read(notebook_path(name, solved))
    nbformat.validate(notebook)
    assert problems(notebook, solved) == []


@pytest.mark.parametrize("name", NAMES)
def test_student_notebook_holds_no_solution(name):
    solutions = tagged(pages.read(notebook_path(name, True)), "solution")
    student = code(notebook_path(name, False))
    assert [c.source for c in solutions if c.source.strip() in student] == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "solved"), BOTH)
def test_notebook_runs_to_its_end(name, solved, tmp_path, record_property):
    output = tmp_path / "executed.ipynb"
    path = notebook_path(name, solved)
    outcome = execute.execute(path, output, "ci", strict=solved, timeout=600)
    record_property("seconds", outcome["seconds"])
    assert outcome["status"] == "ok", outcome["error"]
    notebook = pages.executed(output)
    for cell in tagged(notebook, "check"):
        assert ("not solved yet" in printed(cell)) != solved, cell.source
    silent = [cell.id for cell in notebook.cells if lacks_alt(cell)]
    assert silent == [], 'these figures need alt text: # %% alt="What it shows"'


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "people"), [("semi", 3), ("coop", 1)])
def test_the_class_study_is_read_from_its_folder(objective, people, tmp_path):
    """Of any objective and any number of people, with the partners by their names."""
    from selfplay_study import Settings, Study
    from selfplay_study.simulated import scripted_people, simulate

    settings = Settings(("fair", "blind"), (objective,), games=4)
    study = Study.new(tmp_path / "class", settings)
    simulate(study, scripted_people(people))
    text = notebook_path("10_a_class_study", False).read_text("utf-8")
    assert text.count('STUDY = \\"\\"') == 1
    path = tmp_path / "notebooks" / "10.ipynb"
    path.parent.mkdir()
    where = study.folder.as_posix()
    path.write_text(text.replace('STUDY = \\"\\"', f'STUDY = \\"{where}\\"'), "utf-8")
    outcome = execute.execute(path, tmp_path / "executed.ipynb", "ci", timeout=600)
    assert outcome["status"] == "ok", outcome["error"]
    shown = (tmp_path / "executed.ipynb").read_text("utf-8")
    assert "blind \u2212 fair" in shown and "trained \u2212 base" not in shown


def lacks_alt(cell: dict) -> bool:
    """Whether the cell shows a picture that nothing describes in words."""
    for shown in cell.get("outputs", []):
        for kind in ("image/svg+xml", "image/png"):
            described = shown.get("metadata", {}).get(kind, {}).get("alt")
            if kind in shown.get("data", {}) and not described:
                return not cell["metadata"].get("alt")
    return False


def test_a_picture_needs_words():
    picture = nbformat.v4.new_output("display_data", {"image/png": "x"})
    cell = nbformat.v4.new_code_cell("plot()", outputs=[picture])
    assert lacks_alt(cell)
    cell.metadata.alt = "A line that climbs"
    assert not lacks_alt(cell)
