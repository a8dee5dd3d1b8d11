"""The study's page in a phone's window: a whole study by touch, several people at once,
a tab that is closed in mid-game, text that stays text, and code that is not run.

The partners are scripts, so the games are quick and need no torch.
"""

import asyncio
import csv
import json
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter

import pytest

from selfplay_study import Settings, Study, results

from .conftest import NARROW, axe, free_port, served, shot

pytest.importorskip("voila")

GAMES = 3
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> 🎩"


class Room:
    """A study that is being served; ``url`` is its address."""

    def __init__(self, study, url):
        self.study, self.url = study, url


def serving(tmp_path_factory, *more):
    home = tmp_path_factory.mktemp("room")
    settings = Settings(("fair", "blind"), ("coop",), GAMES, title="Käse & <i>Brot</i>")
    study = Study.new(home / "class", settings)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "selfplay_study", "serve"]
    command += [str(study.folder), "--port", str(port), *more]
    ready = f"{url}voila/static/voila.js"  # the page itself would take a place
    return served(command, ready, home, seconds=120), Room(study, url)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    server, room = serving(tmp_path_factory, "--ready", "3")
    with server:
        yield room


def phone(browser_page, room):
    page = browser_page(room.url, NARROW, has_touch=True, is_mobile=True)
    page.alerts = []
    page.on("dialog", lambda d: (page.alerts.append(d.message), d.dismiss()))
    button(page, "I have read this and take part").wait_for()
    return page


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def tap(page, name):
    button(page, name).tap()


def join(page):
    """From the consent to the first game; returns the code."""
    tap(page, "I have read this and take part")
    code = page.locator(".code").inner_text()
    tap(page, "I have written it down")
    tap(page, "Start the first game")
    button(page, "Propose this").wait_for()
    return code.replace("-", "")


def at_end(page):
    nexts = button(page, "Next game"), page.get_by_text("That was the last game")
    return any(n.is_visible() for n in nexts)


def play(page):
    """One game by touch: ask for something once, then propose it."""
    asked = False
    while not at_end(page):
        seen = page.locator(".study").inner_text()
        what = None
        if "has proposed" in seen or (asked and "Your turn" in seen):
            what = "Propose this"
        elif "Your turn" in seen or "You speak first" in seen:
            what, asked = "Ask for this", True
        if what is None:
            page.wait_for_timeout(100)
        elif press(page, what):
            page.wait_for_function(  # the kernel has heard of it
                "seen => document.querySelector('.study').innerText !== seen", arg=seen
            )


def finish(page):
    """All games that are left, up to the thanks."""
    while not page.get_by_text("That was the last game").is_visible():
        play(page)
        if button(page, "Next game").is_visible():
            press(page, "Next game")
            page.wait_for_timeout(300)


def press(page, name):
    """Tap what is there; it may go at that moment, as the game goes on."""
    from playwright.sync_api import TimeoutError

    try:
        button(page, name).tap(timeout=3000)
    except TimeoutError:
        return False
    return True


def comfortable(page, name):
    """A picture of the screen; nothing wider than it, nothing too small to touch."""
    page.mouse.move(0, 0)
    shot(page, f"study {name}")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.study, .study *')]
        .filter(e => !e.closest('.widget-label') && e.tagName !== 'STYLE')
        .map(e => e.getBoundingClientRect())
        .filter(r => r.width && (r.right > innerWidth + 1 || r.left < 0)).length"""
    )
    assert wide == 0, f"{name}: {wide} things stand out of the window"
    for control in page.locator(".study button, .study input").all():
        if control.is_visible():
            box = control.bounding_box()
            assert box["height"] >= 44 and box["width"] >= 44, (name, box)
    assert axe(page, ".study") == []


def test_one_person_plays_a_whole_study_by_touch(browser_page, room):
    page = phone(browser_page, room)
    comfortable(page, "consent")
    page.get_by_text("free to say no").wait_for()
    assert page.locator("h1").inner_text() == "Käse & <i>Brot</i>"
    tap(page, "I do not take part")
    page.get_by_text("Nothing was kept").wait_for()
    assert list((room.study.folder / "games").iterdir()) == []
    tap(page, "Back")
    tap(page, "I have read this and take part")
    comfortable(page, "code")
    code = page.locator(".code").inner_text().replace("-", "")
    tap(page, "I have written it down")
    page.get_by_text("Make the sum as large as you can").wait_for()
    comfortable(page, "rules")
    tap(page, "Start the first game")
    for number in range(GAMES):
        button(page, "Propose this").wait_for()
        page.get_by_text(f"game {number + 1} of {GAMES}").wait_for()
        if number == 0:
            button(page, "+").first.tap()
            page.get_by_text(re.compile(r"worth \d+ of 10")).wait_for()
            comfortable(page, "game")
        play(page)
        if number == 0:
            comfortable(page, "result")
        if number < GAMES - 1:
            tap(page, "Next game")
    page.get_by_text("That was the last game").wait_for()
    comfortable(page, "thanks")
    assert page.errors == [] or all("shared module" in e for e in page.errors)
    me = room.study.resume(code).me()
    assert len(me.finished) == GAMES and len(me.begun) == GAMES
    points = [sum(t.points) for _, t in ended(me)]  # coop: the sum is what counts
    total = page.locator(".study b", has_text="points").inner_text()
    assert total == f"{sum(points)} points"
    assert [g["partner"] for g in me.finished] == room.study.settings.plan(me.slot)


def ended(me):
    return [(g, results.transcript_of(g)) for g in me.finished]


def test_several_at_once_one_leaves_and_comes_back(browser_page, room, tmp_path):
    pages = [phone(browser_page, room) for _ in range(3)]
    codes = [join(page) for page in pages]
    assert len(set(codes)) == 3
    leaver, nasty, third = pages
    # One writes what would be a program on a careless page.
    while "partner is thinking" in nasty.locator(".study p.alert").inner_text():
        nasty.wait_for_timeout(100)
    nasty.get_by_label("Message").fill(NASTY)
    tap(nasty, "Send")
    nasty.locator("p.mine", has_text=NASTY).wait_for()
    shot(nasty, "study nasty")
    play(third)
    # One closes the tab in mid-game, and comes back with the code on another phone.
    if "Your turn" in (note := leaver.locator(".study p.alert")).inner_text() or (
        "You speak first" in note.inner_text()
    ):
        tap(leaver, "Ask for this")
        leaver.locator("p.mine").wait_for()
    leaver.context.close()
    back = phone(browser_page, room)
    back.get_by_label("Your code").fill("abc")
    tap(back, "Go on with my code")
    back.get_by_text("a code is 6 letters and digits").wait_for()
    back.get_by_label("Your code").fill(codes[0].lower())
    tap(back, "Go on with my code")
    back.get_by_text("does not count").wait_for()
    comfortable(back, "back")
    pages = [back, nasty, third]
    for page in pages:
        finish(page)
    assert [page.alerts for page in pages] == [[], [], []]
    assert nasty.locator(".study script, .study img").count() == 0
    # Nothing of one is on the page of another.
    for page, code in zip(pages, codes, strict=True):
        text = page.locator("body").inner_text().replace("-", "")
        assert [c for c in codes if c in text] == [code]
    games, moves = (read_csv(p) for p in results.to_csv(room.study, tmp_path))
    mine = [g for g in games if g["code"] in codes]
    whole = Counter(g["code"] for g in mine if g["finished"] == "True")
    assert whole == {code: GAMES for code in codes}
    left = [g["code"] for g in mine if g["finished"] == "False"]
    assert left == [codes[0]]
    said = [m for m in moves if NASTY in m["text"]]
    assert [(m["code"], m["by"], m["text"]) for m in said] == [
        (codes[1], "person", f"[message] {NASTY}")
    ]
    for p in room.study.participants():
        for _, t in ended(p):
            t.replay()


def test_a_participant_deletes_the_games(browser_page, room):
    page = phone(browser_page, room)
    code = join(page)
    finish(page)
    tap(page, "Delete my games")
    comfortable(page, "delete")
    tap(page, "Yes, delete them")
    page.get_by_text("Your games are no longer kept").wait_for()
    assert not (room.study.folder / "games" / f"{code}.jsonl").exists()


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as f:
        return list(csv.DictReader(f))


# What a visitor can't do --------------------------------------------------------------


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read().decode(errors="replace")


def in_thread(coroutine):
    """Run a coroutine beside Playwright, which has the main thread's loop."""
    found = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(coroutine)))
    thread.start()
    thread.join(120)
    return found[0]


async def tell_kernel(url, kernel, messages):
    """Send messages as a hostile page would; what the kernel answers."""
    from tornado.websocket import websocket_connect

    where = url.replace("http", "ws") + f"api/kernels/{kernel}/channels?session_id=x"
    socket = await websocket_connect(where)
    for kind, content, channel in messages:
        header = {"msg_id": uuid.uuid4().hex, "username": "", "session": "x"}
        header |= {"msg_type": kind, "version": "5.3", "date": "2020-01-01T00:00:00Z"}
        parts = {"header": header, "parent_header": {}, "metadata": {}, "buffers": []}
        parts |= {"content": content, "channel": channel}
        await socket.write_message(json.dumps(parts))
    seen = []
    while True:
        try:
            told = await asyncio.wait_for(socket.read_message(), 5)
        except TimeoutError:
            return seen
        if told is None:
            return seen
        told = json.loads(told)
        seen.append((told["parent_header"].get("msg_type"), told["msg_type"]))


def test_code_from_a_visitor_is_not_run(room, tmp_path):
    _, headers, text = status(room.url)
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "selfplay_study" not in text and "SELFPLAY_KIT" not in text
    kernel = re.search(r'"kernelId": "([0-9a-f-]+)"', text).group(1)
    file = tmp_path / "was_run"
    code = f"open({str(file)!r}, 'w').close()"
    ask = {"code": code, "silent": False, "user_expressions": {"a": code}}
    debug = {"command": "evaluate", "arguments": {"expression": code}, "seq": 1}
    messages = [
        ("execute_request", ask, "shell"),
        ("execute_request", ask, "control"),
        ("inspect_request", {"code": "open", "cursor_pos": 2}, "shell"),
        ("history_request", {"hist_access_type": "tail", "n": 9}, "shell"),
        ("debug_request", debug | {"type": "request"}, "control"),
        ("comm_info_request", {}, "shell"),  # this one is answered: the way is open
    ]
    seen = in_thread(tell_kernel(room.url, kernel, messages))
    assert ("comm_info_request", "comm_info_reply") in seen
    asked = {parent for parent, _ in seen}
    assert not asked & {"execute_request", "inspect_request", "history_request"}
    assert "debug_request" not in asked and not file.exists()


@pytest.mark.parametrize(
    "path",
    [
        "api/kernels",
        "api/contents",
        "voila/files/page.ipynb",
        "voila/files/../settings.json",
        "voila/files/%2e%2e/%2e%2e/settings.json",
        "voila/tree",
        "settings.json",
        "class/settings.json",
        "page.ipynb",
    ],
)
def test_no_file_and_no_list_is_served(room, path):
    assert status(room.url + path)[0] in (403, 404)


def test_a_word_keeps_strangers_out_and_the_room_has_its_size(tmp_path_factory):
    server, room = serving(
        tmp_path_factory, "--word", "k3f9qx", "--people", "1", "--ready", "1"
    )
    with server:
        code, _, text = status(room.url)
        assert "kernelId" not in text and code in (200, 403)
        wrong = status(room.url + "?token=wrong")[2]
        assert "kernelId" not in wrong and "not the word" in wrong
        door = status(room.url)[2]
        assert 'name="token"' in door and "password" not in door.lower()
        assert "{" not in door.partition("<body>")[2] and "not the word" not in door
        with pytest.raises(urllib.error.HTTPError, match=r"40[34]"):
            urllib.request.urlopen(room.url + "login", b"password=x&new_password=x")
        inside = room.url + "?token=k3f9qx"
        deadline = time.monotonic() + 60  # until the one waiting page has started
        while "kernelId" not in (text := status(inside)[2]):
            assert "All places are taken" in text and time.monotonic() < deadline
            time.sleep(0.2)
        code, _, text = status(inside)
        assert code == 503 and "All places are taken" in text


# As on a phone whose browser does not tell that a page closes.
SILENT = "addEventListener('beforeunload', e => e.stopImmediatePropagation(), true)"


@pytest.mark.parametrize("silent", [False, True])
def test_a_page_that_is_loaded_again_or_closed_gives_its_place_back(
    browser_page, tmp_path_factory, silent
):
    def there(page):
        taken = page.get_by_text("All places are taken")
        consent = button(page, "I have read this and take part")
        consent.or_(taken).first.wait_for()
        return consent.is_visible()

    server, room = serving(tmp_path_factory, "--people", "2", "--ready", "1")
    with server:
        one = browser_page("about:blank", NARROW)
        if silent:
            one.add_init_script(SILENT)
        one.goto(room.url)
        for _ in range(4):
            assert there(one)
            one.wait_for_timeout(2000)  # the next waiting page is begun after 1 s
            one.reload()
        assert there(one)
        two, three = (browser_page(room.url, NARROW) for _ in range(2))
        assert there(two) and not there(three)
        one.context.close()
        until = time.monotonic() + 60
        while not there(three):  # nobody is told that a place is free again
            assert time.monotonic() < until
            three.wait_for_timeout(500)
            three.reload()
        button(two, "I have read this and take part").click()
        two.locator(".code").wait_for()  # whoever is still there loses nothing
