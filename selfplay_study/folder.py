"""What is kept of a study: a file a participant, under a random code.

Nobody is asked for a name. A study is a folder::

    settings.json        texts, partners, objectives, number of games, seed
    slots/0007           an empty file: the eighth place in the order of assignment
    games/K7M4TP.jsonl   all of one participant; only that participant's page writes it

Two processes never write one file: a place is taken by *making* its file, and what
a participant does is appended to a file of its own, a whole line at a time. So thirty
people may play at once, and whatever stops in mid-game leaves every line before it.

Left out: pay, accounts, a clock.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selfplay_kit.files import foreign, json_line, read_json, replacing, write_text
from selfplay_kit.games.deal.game import Game, Transcript
from selfplay_kit.games.deal.protocol import Move
from selfplay_kit.games.deal.rules import OBJECTIVES, scenarios

from .plan import Settings

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that looks like another
CODE_LENGTH = 6
_CODE = re.compile(f"[{CODE_LETTERS}]{{{CODE_LENGTH}}}")


class StudyError(RuntimeError):
    """The study can't do what was asked; the message says why and what to do."""


class Superseded(StudyError):
    """The participant's code was opened elsewhere; this page may write no more."""


@dataclass(frozen=True)
class Deal:
    """What a participant is dealt: a game to be played, and against whom."""

    place: int  # 0 to games - 1
    attempt: int  # how many games of this place were abandoned before
    partner: str  # the arm
    player: str  # whose name this is under the game's objective
    seat: int  # the participant's
    game: Game
    seed: str


@dataclass(frozen=True)
class Participant:
    """One participant's file, as read."""

    code: str
    slot: int
    simulated: bool
    consented: str  # when, UTC
    begun: tuple[dict[str, Any], ...]  # each game: its begin, moves, and end or None

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The games that were played to their end, in order."""
        return [g for g in self.begun if g["end"]]


def now() -> str:
    """The time in UTC, in seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clean_code(typed: str) -> str:
    """A code as it is kept, from however it was typed: ``" k7m-4tp "``.

    Raises :class:`StudyError` for what can be no code.

    >>> clean_code(" k7m-4tp ")
    'K7M4TP'
    """
    code = "".join(c for c in typed.upper() if c not in " -\t\n")
    if len(code) != CODE_LENGTH or not set(code) <= set(CODE_LETTERS):
        raise StudyError(
            f"a code is {CODE_LENGTH} letters and digits, such as K7M-4TP; got "
            f"{typed[:20]!r}. It has no 0, O, 1, I or L."
        )
    return code


def show_code(code: str) -> str:
    """A code as people read it: ``K7M-4TP``."""
    return f"{code[:3]}-{code[3:]}"


class Study:
    """A study folder that is there. :meth:`new` makes one."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        where = self.folder / "settings.json"
        if not where.is_file():
            raise StudyError(
                f"{self.folder} is no study folder: it has no settings.json. Make one: "
                f"python -m selfplay_study new {self.folder} --partners ..."
            )
        try:
            self.settings = Settings.of(read_json(where))
        except (ValueError, TypeError) as e:
            names = ", ".join(f.name for f in fields(Settings))
            where_it_is = "" if str(where) in str(e) else f"{where}: "
            raise StudyError(f"{where_it_is}{e}. What may stand there: {names}") from e

    @classmethod
    def new(cls, folder: str | Path, settings: Settings) -> Study:
        """Make the folder; one that holds anything is left alone (an error)."""
        folder = Path(folder)
        if folder.exists() and (
            not folder.is_dir() or any(not foreign(f.name) for f in folder.iterdir())
        ):
            raise StudyError(
                f"{folder} is there and not empty. Nothing was touched: choose a new "
                "folder for a new study."
            )
        for part in ("slots", "games"):
            (folder / part).mkdir(parents=True)
        text = json.dumps(asdict(settings), indent=1, ensure_ascii=False)
        write_text(folder / "settings.json", text + "\n")
        return cls(folder)

    def join(self, *, simulated: bool = False) -> Session:
        """A new participant, who has consented: a code, and a place by chance."""
        slot = self._take_slot()
        while True:
            code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
            try:
                with self._file(code).open("xb"):
                    break
            except FileExistsError:
                continue
        who = {"event": "consent", "slot": slot, "simulated": simulated}
        line = who | {"code": code, "time": now()}
        _append(self._file(code), line, sync=not simulated)
        return Session(self, code)

    def resume(self, typed: str) -> Session:
        """The participant with that code goes on; a game left open is abandoned."""
        code = clean_code(typed)
        if not self._file(code).is_file():
            raise StudyError(
                f"There are no games under the code {show_code(code)}. Was it mistyped?"
            )
        return Session(self, code)

    def delete(self, typed: str) -> int:
        """Remove all that this folder keeps of a participant: its file, copies of it
        that a sync service or an editor made, its rows in exported tables. Returns how
        many lines its file had. What left the folder is not reached; files of other
        kinds that hold the code are named by :meth:`mentions`."""
        code, lines, gone = clean_code(typed), 0, False
        for path in self.mentions(code):
            if code in path.name.upper() or _is_of(path, code):
                if path == self._file(code):
                    lines = path.read_bytes().count(b"\n")
                path.unlink(missing_ok=True)
                gone = True
            elif path.suffix.lower() == ".csv":
                gone |= _drop_rows(path, code)
        if not gone:
            raise StudyError(
                f"There is nothing under the code {show_code(code)}: it is mistyped, "
                "or was deleted before."
            )
        return lines

    def mentions(self, code: str) -> list[Path]:
        """The files of this folder that hold ``code``, in name or content."""
        forms = (code, show_code(code))
        raw = [f.encode(e) for f in forms for e in ("utf-8", "utf-16-le", "utf-16-be")]

        def holds(file: Path) -> bool:
            content = file.read_bytes()
            return code in file.name.upper() or any(form in content for form in raw)

        return [f for f in sorted(self.folder.rglob("*")) if f.is_file() and holds(f)]

    def participants(self) -> list[Participant]:
        """All participants, in the order of their places. A participant's file has the
        code for its name; any other (see :meth:`copies`) is none."""
        found = [read(path) for path in self._games() if _CODE.fullmatch(path.stem)]
        return sorted((p for p in found if p), key=lambda p: p.slot)

    def copies(self) -> list[Path]:
        """Files beside the participants' that are none of theirs, such as the copies
        that a sync service makes when two computers wrote one file."""
        return [path for path in self._games() if not _CODE.fullmatch(path.stem)]

    def _games(self) -> list[Path]:
        return sorted((self.folder / "games").glob("*.jsonl"))

    def _file(self, code: str) -> Path:
        return self.folder / "games" / f"{code}.jsonl"

    def _take_slot(self) -> int:
        slots = (self.folder / "slots").iterdir()
        slot = sum(bool(re.fullmatch(r"\d{4,}", f.name)) for f in slots)
        while True:  # making a file is one step: of two who try, one makes it
            try:
                with (self.folder / "slots" / f"{slot:04d}").open("xb"):
                    return slot
            except FileExistsError:
                slot += 1


class Session:
    """One participant at the page. Of several with one code, the latest writes."""

    def __init__(self, study: Study, code: str):
        self.study, self.code = study, code
        self.id = secrets.token_hex(4)
        self.path = study._file(code)
        self.simulated = bool((who := read(self.path)) and who.simulated)
        _append(self.path, {"event": "session", "session": self.id, "time": now()})

    def me(self) -> Participant:
        """What the file holds now."""
        found = read(self.path)
        if found is None:
            raise StudyError(f"the games of {show_code(self.code)} can't be read")
        return found

    @property
    def objective(self) -> str:
        """The name of this participant's objective."""
        return self.study.settings.group(self.me().slot)[0]

    def begin(self) -> Deal | None:
        """The next game, noted as begun; ``None`` when all are played."""
        me, settings = self.me(), self.study.settings
        place = len(me.finished)
        if place >= settings.games:
            return None
        attempt = sum(g["place"] == place for g in me.begun)
        seed = f"{settings.seed}/slot {me.slot}/game {place}/attempt {attempt}"
        rng = random.Random(seed)
        scenario = rng.choice(scenarios(settings.split))
        seat, first = rng.randrange(2), rng.randrange(2)
        objective = OBJECTIVES[settings.group(me.slot)[0]]
        game = Game(scenario, objective, first)
        partner = settings.plan(me.slot)[place]
        player = settings.player(partner, objective.name)
        deal = Deal(place, attempt, partner, player, seat, game, seed)
        self._write(
            "begin",
            place=place,
            attempt=attempt,
            partner=deal.partner,
            objective=objective.name,
            seat=seat,
            first=first,
            counts=scenario.counts,
            values=scenario.values,
        )
        return deal

    def move(self, move: Move) -> None:
        """Note a move that the game has taken, so that one left open is not lost."""
        self._write("move", seat=move.seat, text=move.text, error=move.error)

    def end(self, transcript: Transcript) -> None:
        """Note a game that has ended."""
        self._write("end", transcript=json.loads(transcript.to_json()))

    def _write(self, event: str, **what: Any) -> None:
        latest = [e["session"] for e in _events(self.path) if e["event"] == "session"]
        if latest[-1:] != [self.id]:
            raise Superseded("These games go on in another window, or were deleted.")
        line = {"event": event, "session": self.id, **what, "time": now()}
        _append(self.path, line, sync=event == "end" and not self.simulated)


def _append(path: Path, event: dict[str, Any], *, sync: bool = False) -> None:
    """Add one line, whole, and never to a file that was deleted; with ``sync`` it
    survives a power cut as well."""
    line = json_line(event) + "\n"
    mode = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, mode)
    except FileNotFoundError:
        raise Superseded("These games were deleted.") from None
    try:
        size = os.fstat(file).st_size
        if size:
            os.lseek(file, size - 1, os.SEEK_SET)
            if os.read(file, 1) != b"\n":  # a line was cut: it stays, by itself
                line = "\n" + line
        os.write(file, line.encode("utf-8"))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def _is_of(path: Path, code: str) -> bool:
    """Whether a file under any name is a copy of the file of ``code``."""
    consents = (e for e in _events(path) if e["event"] == "consent")
    return any(e.get("code") == code for e in consents)


def _drop_rows(path: Path, code: str) -> bool:
    """Write a table again without the rows of ``code``, in its own encoding; whether
    there were any."""
    raw = path.read_bytes()
    for encoding in ("utf-8", "utf-16", "latin-1"):  # a spreadsheet may have saved it
        with suppress(UnicodeError):
            text = raw.decode(encoding)
            break
    head = text.partition("\n")[0]
    sign = max(",;\t", key=head.count)
    table = list(csv.reader(io.StringIO(text, newline=""), delimiter=sign))
    forms = (code, show_code(code))  # in the first column
    kept = [row for row in table if not row or row[0].strip() not in forms]
    if len(kept) == len(table):
        return False
    with io.StringIO(newline="") as out:
        csv.writer(out, delimiter=sign).writerows(kept)
        again = out.getvalue().encode(encoding)
    with replacing(path, "wb") as f:
        f.write(again)
    return True


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file; one that was cut is passed over."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return
    for line in text.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            yield event


def read(path: Path) -> Participant | None:
    """A participant's file; ``None`` for one whose consent was never whole. What an
    older window wrote after a newer one had opened does not count."""
    who: dict[str, Any] | None = None
    games: list[dict[str, Any]] = []
    session = None
    for event in _events(path):
        kind = event["event"]
        if kind == "consent":
            who = who or event
        elif kind == "session":
            session = event["session"]
        elif event["session"] != session:
            continue
        elif kind == "begin":
            games.append(event | {"moves": [], "end": None})
        elif games and games[-1]["session"] == session and not games[-1]["end"]:
            if kind == "move":
                games[-1]["moves"].append(event)
            elif kind == "end":
                games[-1]["end"] = event
    if who is None:
        return None
    return Participant(
        who["code"], who["slot"], who["simulated"], who["time"], tuple(games)
    )
