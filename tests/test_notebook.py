"""What stands beside the story: checks, tables, a table to play at, progress."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import SEMI, Scenario
from selfplay_kit.games.deal.scripted import Blind, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.teach import notebook
from selfplay_kit.teach.notebook import check, play_by_typing, show_game, table

from . import strategies

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))


def is_four(answer):
    return None if answer == 4 else f"{answer} is not 2 + 2"


# Checks -----------------------------------------------------------------------------


def test_a_check_says_right_wrong_or_not_yet(capsys):
    assert check("sum", 4, is_four) is True
    assert check("sum", 5, is_four) is False
    assert check("sum", None, is_four) is False
    assert capsys.readouterr().out.splitlines() == [
        "sum: right!",
        "sum: 5 is not 2 + 2",
        "sum: not solved yet",
    ]


def test_a_check_survives_whatever_a_student_wrote(capsys):
    assert check("sum", lambda: None, lambda f: f(1)) is False
    assert "it raised TypeError" in capsys.readouterr().out
    assert check("sum", lambda: None, lambda f: f() or notebook.NOT_SOLVED) is False
    assert "not solved yet" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [5, None, "x"])
def test_in_the_solutions_anything_but_right_stops(monkeypatch, answer):
    monkeypatch.setenv("SELFPLAY_KIT_STRICT", "1")
    with pytest.raises(AssertionError, match="sum: "):
        check("sum", answer, is_four)
    assert check("sum", 4, is_four)


# Where runs are kept -----------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout, and one that does not."""
    for folder in ("kit/notebooks/solutions", "plain/mine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "kit" / "run.py").write_text("", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "runs"),
    [
        ("kit", "kit/runs"),
        ("kit/notebooks", "kit/runs"),
        ("kit/notebooks/solutions", "kit/runs"),
        ("plain/mine", "plain/mine/runs"),
    ],
)
@pytest.mark.parametrize("told_by", ["cwd", "vs code", "jupyter"])
def test_runs_are_kept_by_the_notebook_not_by_the_working_directory(
    checkout, monkeypatch, capsys, place, runs, told_by
):
    path = str(checkout / place / "05.ipynb")
    monkeypatch.chdir(checkout / place if told_by == "cwd" else checkout)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if told_by == "vs code":
        main = sys.modules["__main__"]
        monkeypatch.setattr(main, "__vsc_ipynb_file__", path, raising=False)
    if told_by == "jupyter":
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
        monkeypatch.setenv("JPY_SESSION_NAME", path)
    here = notebook.setup("ci")
    assert here.runs == checkout.resolve() / runs
    assert here.folder == checkout.resolve() / place
    assert "Runs are kept" not in capsys.readouterr().out


@pytest.mark.parametrize("told", ["notebook-1", "/nowhere/at/all/05.ipynb", ""])
def test_a_session_that_is_no_notebook_is_not_believed(checkout, monkeypatch, told):
    monkeypatch.chdir(checkout / "plain")
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setenv("JPY_SESSION_NAME", told)
    assert notebook.Setup("ci").runs == checkout.resolve() / "plain" / "runs"


@pytest.mark.parametrize(
    ("memory", "limit", "enough"),
    [
        (2e9, "/sys/fs/cgroup/memory.max", False),
        (4.0e9, "", False),
        (4.1e9, "", True),
        (float("inf"), "", True),
    ],
)
def test_what_memory_does_not_hold_is_recorded_only(
    monkeypatch, capsys, memory, limit, enough
):
    monkeypatch.setattr(
        "selfplay_kit.lm.precision.memory_and_limit", lambda: (memory, limit)
    )
    assert notebook.has_memory(4.05e9, "SmolLM2") is enough
    told = capsys.readouterr().out
    assert ("*Recorded only*: SmolLM2 took 4." in told) is not enough
    assert ("limit in /sys" in told) is bool(limit)


def test_in_colab_runs_go_to_drive_if_that_is_mounted(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    drive = tmp_path / "MyDrive"
    monkeypatch.setattr(notebook, "DRIVE", drive)
    assert notebook.setup("ci").runs == Path("runs")
    assert "drive.mount('/content/drive')" in capsys.readouterr().out
    drive.mkdir()
    assert notebook.setup("ci").runs == drive / "selfplay_kit" / "runs"
    assert "drive.mount" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "old"),
    [("7.7.1", True), ("7.10.2", True), ("8.0.7", True), ("8.1.0", False)]
    + [("8.1.9", False), ("8.10", False), ("9.0.0rc1", False), ("odd", False)],
)
def test_ipywidgets_that_are_too_old_get_a_sentence(monkeypatch, capsys, version, old):
    import ipywidgets

    monkeypatch.setattr(ipywidgets, "__version__", version)
    notebook.setup("ci")
    told = capsys.readouterr().out
    assert (f"ipywidgets {version} is loaded" in told) == old
    assert ("play_by_typing" in told) == old


# Tables -----------------------------------------------------------------------------

EVIL = "<script>alert('x')</script><img src=x onerror=y>"


def test_every_cell_of_a_table_is_escaped():
    page = table([EVIL, "b"], [[EVIL, 2], [None, "&"]], EVIL)
    assert "<script" not in page and "<img" not in page
    assert page.count("&lt;script&gt;") == 3 and "<td>&amp;</td>" in page
    assert page._repr_html_() == str(page)
    assert page.count("<tr>") == 3 and "<caption>" in page


def evil_game():
    game = Game(S, SEMI).submit(f"[message] {EVIL}").submit(EVIL)
    return game.submit(propose((1, 0, 1))).submit(propose((2, 1, 0)))


def test_a_game_is_shown_escaped_with_what_the_parser_saw():
    page = show_game(evil_game().transcript())
    assert "<script" not in page and "<img" not in page
    assert "invalid: no_prefix" in page and page.count("<tr>") == 5
    assert "Pool: 3 books, 1 hat, 1 ball." in page
    assert "deal, 5 and 2 points" in page
    assert EVIL not in show_game(evil_game().transcript(), caption=EVIL)


def test_ends_are_told_apart():
    over = Game(S, SEMI).submit("[message] a")
    none = over.submit(propose((1, 1, 1))).submit(propose((1, 1, 1))).transcript()
    aborted = Game(S, SEMI)
    for _ in range(5):
        aborted = aborted.submit("?")
    assert "no deal, 0 and 0" in show_game(none)
    assert "aborted, 0 and 0" in show_game(aborted.transcript())


@given(strategies.transcripts())
@settings(max_examples=30)
def test_no_text_of_a_game_becomes_markup(t):
    page = show_game(t)
    for tag in ("table", "caption", "thead", "tbody", "tr", "th", "td"):
        page = page.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in page and ">" not in page


# Playing by typing --------------------------------------------------------------------


def typed(*lines, seat=0, seed=0, partner=None):
    told, asked = [], []
    answers = iter(lines)

    def ask(prompt):
        asked.append(prompt)
        return next(answers)

    t = play_by_typing(
        partner or Blind(), S, SEMI, seat=seat, seed=seed, ask=ask, tell=told.append
    )
    return t, told, asked


def test_a_person_plays_to_a_deal():
    t, told, asked = typed(
        "[message] deal , i take 1 book 0 hats 1 ball .",
        "",
        "   ",
        propose((1, 0, 1)),
    )
    assert t.agreed and t.points == (5, 8) and t.replay().over
    assert t.players == ("person", "blind") and len(asked) == 4
    pool = "3 books worth 1 each, 1 hat worth 3 each, 1 ball worth 4 each"
    assert told[0] == f"The pool: {pool} to you."
    assert told[-1] == "Deal: you get 5 points."
    assert "(your partner has proposed; now you must propose)" in told


def test_a_person_hears_of_errors_and_sees_nothing_of_the_partners_values():
    t, told, _ = typed(*["what?"] * 5)
    assert t.aborted and told[-1] == "No deal: you get 0 points."
    assert sum(line.startswith("(invalid: ") for line in told) == 5
    assert not any("worth 2" in line for line in told)


def test_the_partner_may_speak_first_and_the_person_sit_in_seat_one():
    t, told, _ = typed(
        "[message] deal , i take 2 books 1 hat 0 balls .",
        propose((2, 1, 0)),
        propose((2, 1, 0)),
        seat=1,
        seed=2,
        partner=Teller(),
    )
    assert t.first == 0 and t.moves[0].seat == 0
    assert "worth 2 each" in told[0] and told[1].startswith("partner: ")
    assert "worth 1 each" not in told[0]
    assert told[-1].endswith(f"you get {t.points[1]} points.")


def test_a_headless_twin_plays_as_a_person_would():
    lines = ("[message] hi", *[propose((1, 0, 1))] * 5)
    assert typed(*lines, seed=4)[0] == typed(*lines, seed=4)[0]


# Set-up, progress, records ------------------------------------------------------------


def test_setup_rejects_an_unknown_profile():
    with pytest.raises(ValueError, match="ci, cpu, gpu; got 'tpu'"):
        notebook.setup("tpu")


def test_setup_says_what_is_here_and_picks_sizes(capsys, monkeypatch):
    import matplotlib

    with matplotlib.rc_context():
        found = notebook.setup("ci")
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert "profile 'ci'" in capsys.readouterr().out
    assert found.pick(ci=1, cpu=2, gpu=3) == 1
    assert notebook.Setup("cpu").pick(ci=1, cpu=2, gpu=3) == 2
    assert notebook.Setup("gpu").pick(ci=1, cpu=2, gpu=3) == 3
    assert notebook.Setup("gpu").pick(ci=1, cpu=2) == 2


def test_setup_with_torch_names_its_version(capsys):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import matplotlib

    threads = torch.get_num_threads()
    try:
        with matplotlib.rc_context():
            notebook.setup("ci", torch=True)
    finally:
        torch.set_num_threads(threads)
    assert f"torch {torch.__version__}" in capsys.readouterr().out


def test_progress_prints_one_line_a_step_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setenv("CI", "1")
    report = notebook.progress("semi ")
    for what, of in (("round 0: play", 3), ("round 1: train", 2)):
        for done in range(1, of + 1):
            report(what, done, of)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("semi round 0: play: 3 of 3, ")
    assert lines[1].startswith("semi round 1: train: 2 of 2, ")


def test_progress_shows_a_bar_where_somebody_looks(capsys, monkeypatch):
    monkeypatch.setattr(notebook, "watched", lambda: True)
    report = notebook.progress()
    for done in (1, 2, 3):
        report("play", done, 3)
    report("train", 1, 1)
    assert "play" in capsys.readouterr().err


def test_ended_games_are_counted():
    told = []
    count = notebook.on_end(lambda *a: told.append(a), "play", 3)
    play_games(Blind(), [S] * 3, SEMI, seed=0, on_end=count)
    assert told == [("play", 1, 3), ("play", 2, 3), ("play", 3, 3)]


def test_records_are_kept_only_where_a_build_listens(monkeypatch, tmp_path):
    where = tmp_path / "results.jsonl"
    monkeypatch.delenv("SELFPLAY_KIT_RESULTS", raising=False)
    notebook.record("x", 1)
    assert not where.exists()
    monkeypatch.setenv("SELFPLAY_KIT_RESULTS", str(where))
    notebook.record("x", 1.5)
    notebook.record("é", [1, 2])
    lines = where.read_text("utf-8").splitlines()
    assert [json.loads(x) for x in lines] == [
        {"name": "x", "value": 1.5},
        {"name": "é", "value": [1, 2]},
    ]


@pytest.mark.parametrize("seat", [0, 1])
def test_a_person_is_named_in_the_seat_that_it_had(seat):
    t, _, _ = typed(*["what?"] * 5, seat=seat, seed=seat)
    assert t.players[seat] == "person" and t.players[1 - seat] == "blind"
    assert all(m.seat == seat for m in t.moves) and t.aborted


def test_a_game_may_be_shown_with_names():
    t, _, _ = typed(*["what?"] * 5)
    assert "<td>player 0</td>" in show_game(t)
    named = show_game(t, names=("ann", "bob"))
    assert "<td>ann</td>" in named and "(2, 4, 0) (bob)" in named


@pytest.mark.parametrize("flags, told", [([], False), (["-O"], True), (["-OO"], True)])
def test_a_python_that_skips_assertions_is_told_of(flags, told):
    code = "from selfplay_kit import notebook; notebook.setup()"
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True
    )
    assert ("skips `assert`" in done.stdout) is told


def test_no_check_of_the_package_is_an_assertion():
    """``python -O`` skips assertions: in the package they may only narrow a type."""
    top = Path(__file__).parents[1]
    for folder in ("selfplay_kit", "selfplay_study", "experiments", "benchmarks"):
        for path in (top / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Assert):
                    narrows = "is not None" in ast.unparse(node.test)
                    assert narrows, f"{path}, line {node.lineno}"
