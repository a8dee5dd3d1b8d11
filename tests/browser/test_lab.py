"""In JupyterLab: play by clicking, play by keyboard, watch a run, move a slider."""

import json

import nbformat
import pytest

from selfplay_kit.learn.rounds import read_games

from ..conftest import ROOT
from .conftest import NARROW, WIDE, axe, chromium_path, lacking, shot, until

OUT = ".jp-OutputArea-output"
TABLE = f"{OUT}:has(.spk-talk):has(button)"
RUDE = "<script>document.title='broken'</script> 🎩 <b>mine</b>"


def write_notebook(folder, name, *cells):
    """A notebook of these code cells."""
    book = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(book, folder / name)


def look(page, name, selector):
    """Pictures of it at both widths; what axe finds is an error."""
    for size in (NARROW, WIDE):
        page.set_viewport_size({"width": size[0], "height": 1500})
        page.locator(selector).first.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        shot(page, name, selector)
        # A slider's handle is ipywidgets' own; ours stands beside it with a name.
        assert axe(page, selector, leave=".noUi-handle") == [], (name, size)


@pytest.fixture
def players(lab, open_notebook):
    """Notebook 02, all run, in profile ci; the folder that its games go to."""
    book = json.loads((ROOT / "notebooks" / "02_players.ipynb").read_text("utf-8"))
    for cell in book["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            source = "".join(cell["source"])
            assert 'PROFILE = "cpu"' in source
            cell["source"] = source.replace('PROFILE = "cpu"', 'PROFILE = "ci"')
    (lab.folder / "02_players.ipynb").write_text(json.dumps(book), "utf-8")
    page = open_notebook("02_players.ipynb")
    page.locator(TABLE).scroll_into_view_if_needed()
    return page, lab.folder / "runs" / "02" / "games.jsonl"  # no checkout around it


def wait_for_turn(page, said):
    """Until the partner has answered ``said``; its last line, or "" at the end."""
    page.locator(f"{TABLE} p.mine", has_text=said).last.wait_for()
    page.locator(f"{TABLE} p.alert", has_text="thinking").wait_for(state="detached")
    lines = page.locator(f"{TABLE} .spk-talk p")
    return lines.last.inner_text()


def test_play_by_clicking_and_then_by_keyboard_alone(players):
    page, games = players
    table = page.locator(TABLE)
    look(page, "table start", TABLE)

    # By clicking. The partner, fair, takes 5 points or more sooner or later.
    table.get_by_label("Message").fill(RUDE)
    table.get_by_role("button", name="Send").click()
    wait_for_turn(page, "🎩")
    assert page.locator(f"{TABLE} p.mine", has_text=RUDE).count() == 1  # as text
    table.get_by_label("balls").fill("1")
    table.get_by_text("0 books, 0 hats, 1 ball: worth").wait_for()
    for _ in range(8):
        answer = wait_for_turn(page, "")
        if "deal" in answer or "proposal" in answer:
            break
        table.get_by_role("button", name="Ask for this").click()
    look(page, "table talk", TABLE)
    table.get_by_role("button", name="Propose this").click()
    again = table.get_by_role("button", name="New game")
    again.wait_for()
    assert "Your partner's values were" in table.inner_text()
    assert table.locator("img").get_attribute("alt").startswith("Every deal by your")
    look(page, "table end", TABLE)
    (t,) = read_games(games)
    assert t.replay().points == t.points and RUDE in t.moves[t.first].text
    assert page.title() != "broken"

    # By keyboard alone. "New game" has the focus; then the box has it.
    press, cells = page.keyboard.press, page.locator(".jp-Cell").count()
    assert page.evaluate("document.activeElement.innerText") == "New game"
    press("Enter")
    again.wait_for(state="hidden")
    page.wait_for_function("document.activeElement.type === 'text'")
    page.keyboard.type("hello, i would like to talk")
    press("Enter")
    answer = wait_for_turn(page, "hello, i would like to talk")
    if "proposal" not in answer:
        for _ in range(2):  # Send, then the first count
            press("Tab")
    press("ArrowUp")
    table.get_by_text("1 book, 0 hats, 0 balls: worth").wait_for()
    for _ in range(3 if "proposal" in answer else 4):
        press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Propose this"
    press("Enter")
    again.wait_for()
    second = read_games(games)[1]
    mine = [m.text for m in second.moves if m.seat == 0]
    assert mine[0] == "[message] hello, i would like to talk"
    assert mine[-1] == "[propose] (1 book, 0 hats, 0 balls)"
    assert page.locator(".jp-Cell").count() == cells  # no key went to the notebook
    assert page.errors == []


def test_viewer_and_explorers(lab, open_notebook):
    write_notebook(
        lab.folder,
        "watch.ipynb",
        "from selfplay_kit.games.play import play_games\n"
        "from selfplay_kit.games.deal.rules import SEMI, scenarios\n"
        "from selfplay_kit.games.deal.scripted import Liar, Teller\n"
        "from selfplay_kit.teach.watch import *\n"
        "pool = scenarios('development')[:3]\n"
        "Viewer(play_games((Teller(), Liar()), pool, SEMI, seed=3))",
        "explore_lambda(pool[0])",
        "explore_temperature({'deal': 2.0, 'no': 0.5, 'maybe': 0.0})",
    )
    page = open_notebook("watch.ipynb")
    viewer, lam = f"{OUT}:has(.spk-columns)", f"{OUT}:has(select)"
    page.get_by_role("button", name="Next move").click()
    page.get_by_text("Moves 1 to 1 of").wait_for()
    page.get_by_label("moves (0").fill("4")
    page.keyboard.press("Enter")
    page.get_by_text("Moves 1 to 4 of").wait_for()
    look(page, "viewer", viewer)
    figure = page.locator(f"{lam} img")
    assert figure.get_attribute("alt").startswith("At λ = 0 ")
    page.locator(f"{lam} .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => !!document.querySelector('img[alt^=\"At λ = 0.0\"]')")
    look(page, "explore lambda", lam)
    page.get_by_label("temperature").fill("0.1")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !!document.querySelector('img[alt*=\" 0.1:\"]')")
    shot(page, "explore temperature", f"{OUT}:has(img[alt^=temp])")
    assert page.errors == []


def test_a_run_on_the_dashboard(lab, open_notebook, tiny_base):
    write_notebook(
        lab.folder,
        "run.ipynb",
        "from selfplay_kit.learn.rounds import Config, run\n"
        "from selfplay_kit.teach.watch import Dashboard\n"
        f"c = Config({str(tiny_base)!r}, 1.0, 2, 24, temperature=0.7,\n"
        "    filter='top_quarter', epochs=1, batch=4)\n"
        "board = Dashboard(c, 'mean_joint')\n"
        "done = run(c, 'mine', progress=board.progress, on_round=board.on_round)",
    )
    page = open_notebook("run.ipynb")
    until(page, "The run is complete")
    board = f"{OUT}:has(.spk)"
    rows = page.locator(f"{board} table").first.locator("tbody tr")
    assert rows.count() == 3
    alt = page.locator(f"{board} img").first.get_attribute("alt")
    assert alt.startswith("mean joint over rounds")
    look(page, "dashboard", board)
    assert page.errors == []


def test_where_there_is_no_browser_the_reason_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SELFPLAY_KIT_BROWSER", str(tmp_path / "none"))
    assert "no Chromium on the PATH" in lacking()
    (tmp_path / "chromium").write_text("")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("SELFPLAY_KIT_BROWSER", "required")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lacking() is None and chromium_path() == str(tmp_path / "chromium")
