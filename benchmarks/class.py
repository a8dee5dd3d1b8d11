"""A class at once: so many people in a real browser on the page of a study.

    python benchmarks/class.py [--people 30] [--games 2] --out FILE

Each is a browser context of its own (a phone's window, 390 pixels wide), driven by
Playwright. They open the page two at a time (a page whose browser gets no time to
draw gives up on its widgets), then all play at the same time. Each writes a
sentence that nobody else writes, asks for something, proposes. Between two moves
it waits for ``--think`` seconds on average, as a quick person would.

Recorded: whether anything was lost or mixed up, the time from a tap to the partner's
answer on the page (taken in the page itself), the time until the page is there, and
the memory of the server with all its pages (PSS, sampled). Server and browsers share
this machine, so these times are longer than those of a class that brings its own
phones. `load` is the mean number of waiting processes, before and after. Needs Voilà,
Playwright, psutil and a Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.binder import BROWSERS
from experiments.record import provenance, save
from selfplay_study import Settings, Study, results

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 400_000  # milliseconds: a busy machine is no failure
DOOR = 2  # pages that open at the same time: here their browsers share two cores
# What the participant sees at each moment, with its time: the number of lines said,
# the note below them, or "over"; and each tap on a button that moves.
WATCH = """() => {
  if (window.seen) return;
  window.seen = [];
  const now = () => {
    const end = document.querySelector('.study h2');
    const note = document.querySelector('.study p.alert');
    const lines = document.querySelectorAll('.study .spk-talk p').length;
    return note ? `${lines}|${note.innerText}` : end ? `over|${end.innerText}` : '';
  };
  let last = '';
  new MutationObserver(() => {
    const what = now();
    if (what !== last) window.seen.push([performance.now(), 'saw', last = what]);
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
  document.addEventListener('click', e => {
    const tapped = e.target.closest('button')?.innerText;
    if (['Send', 'Ask for this', 'Propose this'].includes(tapped))
      window.seen.push([performance.now(), 'tap', last]);
  }, true);
}"""
SHOWN = """() => [
  document.querySelector('.study p.alert')?.innerText ?? null,
  [...document.querySelectorAll('.study .spk-talk p')].map(p => p.innerText)]"""
FREE = ("Your turn", "You speak first", "has proposed")


def main() -> None:
    """Serve a study, send a class to it, check and record."""
    given = arguments()
    out = given.out.resolve()
    result: dict[str, Any] = {"provenance": provenance(), "load": [load()]}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        settings = Settings(tuple(given.partners.split(",")), games=given.games)
        study = Study.new(Path(home) / "class", settings)
        with served(study, Path(home), given.people) as (url, server):
            with memory_of(server) as memory:
                people = asyncio.run(play(url, given))
        result["load"].append(load())
        result |= {
            "people": given.people,
            "games_each": given.games,
            "partners": list(settings.partners),
            "think_seconds": given.think,
            **verdict(study, people),
            "reply_seconds": spread([x for p in people for x in p.get("replies", [])]),
            "page_seconds": spread([p["page"] for p in people if "page" in p]),
            "server_bytes": memory,
        }
    result["errors"] = [p["error"] for p in people if "error" in p]
    save(result, out, compact=True)
    print({k: v for k, v in result.items() if k != "provenance"})
    sys.exit(bool(result["lost"] or result["mixed"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A class at once on a study's page.")
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--games", type=int, default=2, help="each, at least one")
    parser.add_argument("--partners", default="tiny-weak,tiny-middling")
    parser.add_argument("--think", type=float, default=3, help="seconds, on average")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def spread(found: list[float]) -> dict[str, Any]:
    """Median, 95th percentile and number of some seconds."""
    if len(found) < 2:
        return {"median": found[0] if found else None, "p95": None, "n": len(found)}
    p95 = statistics.quantiles(found, n=20, method="inclusive")[-1]
    return {"median": statistics.median(found), "p95": p95, "n": len(found)}


# The server -------------------------------------------------------------------------


@contextmanager
def served(study: Study, home: Path, people: int) -> Iterator[tuple[str, Any]]:
    """The study's page on a free port, as the command serves it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "selfplay_study", "serve", str(study.folder)]
    command += ["--port", str(port), "--people", str(people), "--ready", "2"]
    own = {f"JUPYTER_{k}_DIR": str(home / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    env = os.environ | own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    log = (home / "server.log").open("wb")
    group = {"start_new_session": True} if os.name != "nt" else {}
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log, **group)
    try:
        until = time.monotonic() + 300
        while not answers(f"{url}voila/static/voila.js"):
            if server.poll() is not None or time.monotonic() > until:
                said = (home / "server.log").read_text("utf-8", errors="replace")
                raise RuntimeError(f"the page is not served:\n{said[-2000:]}")
            time.sleep(0.5)
        yield url, server
    finally:
        if os.name == "nt":
            server.terminate()
        else:  # its pages, too
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def memory_of(server: Any) -> Iterator[dict[str, Any]]:
    """The peak of the server with its pages, and of each of the two kinds then."""
    import psutil

    peak: dict[str, Any] = {"peak": 0, "pages": 0, "processes": 0}
    over = threading.Event()

    def watch() -> None:
        top = psutil.Process(server.pid)
        while not over.wait(3):
            used = {}
            for p in [top, *top.children(recursive=True)]:
                try:
                    used[p.pid] = p.memory_full_info().pss
                except psutil.Error:
                    pass
            total = sum(used.values())
            if total > peak["peak"]:
                pages = total - used.get(server.pid, 0)
                peak.update(peak=total, pages=pages, processes=len(used) - 1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


# The people -------------------------------------------------------------------------


def sentence(number: int) -> str:
    """What this participant writes, and nobody else."""
    return f"participant {number:03d} would like the hats {number * 7919}"


async def play(url: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """All people at once: what each saw. Nobody begins before all have a code."""
    from playwright.async_api import async_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    named = os.environ.get("SELFPLAY_KIT_BROWSER", "required")
    path = path if named == "required" else named
    args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    people: list[dict[str, Any]] = [{"number": i} for i in range(given.people)]
    here, door = asyncio.Barrier(given.people), asyncio.Semaphore(DOOR)
    async with async_playwright() as p:
        browser = await p.chromium.launch(executable_path=path, args=args)

        async def one(me: dict[str, Any]) -> None:
            try:
                await person(browser, url, me, given, here, door)
            except Exception as e:  # one person's trouble is not the others'
                me["error"] = f"{type(e).__name__}: {e}"[:300]
                await here.abort()

        await asyncio.gather(*map(one, people))
        await browser.close()
    return people


async def person(browser, url: str, me: dict, given, here, door) -> None:
    """One participant, from the address to the thanks."""
    rng = random.Random(me["number"])
    window = {"width": 390, "height": 844}
    context = await browser.new_context(viewport=window, is_mobile=True, has_touch=True)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)

    def button(name: str):
        return page.get_by_role("button", name=name, exact=True)

    async with door:
        started = time.monotonic()
        await page.goto(url, timeout=PATIENCE)
        await button("I have read this and take part").wait_for()
        me["page"] = time.monotonic() - started
    await button("I have read this and take part").tap()
    shown = (await page.locator(".code").inner_text()).strip()
    me["code"] = shown.replace("-", "")
    await button("I have written it down").tap()
    await button("Start the first game").wait_for()
    try:
        await asyncio.wait_for(here.wait(), PATIENCE / 1000)
    except (asyncio.BrokenBarrierError, TimeoutError):
        pass  # somebody could not come: the others play
    await page.evaluate(WATCH)
    await button("Start the first game").tap()
    me["games"] = []
    while True:
        me["games"].append(await one_game(page, button, me, given, rng))
        if len(me["games"]) == given.games:
            break
        await button("Next game").tap()
        await button("Propose this").wait_for()
    await page.get_by_text("That was the last game").wait_for()
    total = page.get_by_text(re.compile(r"Your total: "))
    me["total"] = await total.inner_text()
    me["others"] = await page.locator("body").inner_text()
    me["replies"] = replies(await page.evaluate("window.seen"))
    await context.close()


async def one_game(page, button, me, given, rng) -> list[str]:
    """A sentence of its own, a demand, a proposal; the lines that the page showed."""
    lines: list[str] = []
    said = asked = False
    await button("Propose this").wait_for()
    while True:
        text, shown = await page.evaluate(SHOWN)
        if text is None:
            return lines
        lines = shown or lines
        if not any(free in text for free in FREE):
            await asyncio.sleep(0.2)
            continue
        await asyncio.sleep(rng.uniform(0, 2 * given.think))
        if (await page.evaluate(SHOWN))[0] != text:  # it was just changing
            continue
        if "has proposed" in text or asked:
            await more(button("+").nth(rng.randrange(3)))
            await button("Propose this").tap()
        elif not said:
            await page.get_by_label("Message").fill(sentence(me["number"]))
            await button("Send").tap()
            said = True
        else:
            await more(button("+").nth(rng.randrange(3)))
            await button("Ask for this").tap()
            asked = True
        await page.wait_for_function(
            "old => document.querySelector('.study p.alert')?.innerText !== old"
            " || document.querySelectorAll('.study .spk-talk p').length > "
            f"{len(lines)}",
            arg=text,
        )


async def more(plus) -> None:
    """One more of a kind, where there is one more to have."""
    if await plus.is_enabled():
        await plus.tap()


def replies(seen: list[list[Any]]) -> list[float]:
    """Seconds from each tap to what the partner answered.

    >>> replies([[0, "tap", "1|Your turn."], [20, "saw", "2|… thinking …"],
    ...          [250, "saw", "3|Your turn."]])
    [0.25]
    """
    found: list[float] = []
    tapped: float | None = None
    for at, kind, what in seen:
        if kind == "tap":
            # after the partner's proposal nothing is left for it to answer
            tapped = None if "has proposed" in what else at
        elif tapped is not None and "thinking" not in what and what:
            if what.startswith("over") or any(free in what for free in FREE):
                found.append((at - tapped) / 1000)
                tapped = None
    return found


# Nothing lost, nothing mixed up -------------------------------------------------------


def verdict(study: Study, people: list[dict[str, Any]]) -> dict[str, Any]:
    """What is in the folder beside what the pages showed: sentences for each slip."""
    lost, mixed, moves = [], [], 0
    kept = {p.code: p for p in study.participants()}
    codes = Counter(p["code"] for p in people if "code" in p)
    mixed += [f"{code} was given to {n}" for code, n in codes.items() if n > 1]
    slots = [p.slot for p in kept.values()]
    mixed += ["two participants share a place"] if len(set(slots)) < len(slots) else []
    for me in people:
        own = sentence(me["number"])
        if me.get("code") not in kept:
            lost.append(f"participant {me['number']}: nothing is kept")
            continue
        found = kept[me["code"]]
        if len(found.finished) != study.settings.games:
            lost.append(f"{found.code}: {len(found.finished)} games are whole")
        points = 0.0
        for shown, game in zip(me.get("games", []), found.finished, strict=False):
            t, seat = results.transcript_of(game), game["seat"]
            t.replay()
            points += t.rewards[seat]
            moves += len(t.moves)
            there = [m.text for m in t.moves if m.seat == seat]
            theirs = [m.text for m in t.moves]
            mixed += [
                f"{found.code}: {text!r} is not of this person"
                for text in theirs
                if "participant" in text and own not in text
            ]
            if not any(own in text for text in there) and any(own in x for x in shown):
                lost.append(f"{found.code}: the page shows a sentence that is not kept")
            if [m["text"] for m in game["moves"]] != theirs:
                lost.append(f"{found.code}: moves and transcript differ")
            for line in shown:  # "You: …", "Partner: …"; proposals are not shown
                said = line.partition(": ")[2]
                if said and not any(said in text for text in theirs):
                    mixed.append(f"{found.code}: the page shows {said!r}, from nowhere")
        if "total" in me and f"{points:g} points" not in me["total"]:
            mixed.append(f"{found.code}: {me['total']!r}, kept: {points:g}")
        for code in codes:
            if code != found.code and code in me.get("others", "").replace("-", ""):
                mixed.append(f"{found.code}: the page shows the code {code}")
    rows = results.rows(study)
    whole = sum(bool(r["finished"]) for r in rows)
    return {
        "games": whole,
        "left": len(rows) - whole,
        "moves": moves,
        "codes": len(codes),
        "lost": lost,
        "mixed": mixed,
    }


if __name__ == "__main__":
    main()
