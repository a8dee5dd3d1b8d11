"""What a notebook needs beside its story: set-up, progress, checks, records.

Every notebook begins with one call, :func:`setup`. Text that comes from
a person or a model is escaped before it is shown. Nothing below imports this.
"""

from __future__ import annotations

import html
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import legible
from ..games.deal.game import Game, Transcript
from ..games.deal.protocol import ERRORS, Move, share_text
from ..games.play import on_end as on_end  # notebooks find it here, too

PROFILES = ("ci", "cpu", "gpu")
DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a person's Drive


@dataclass(frozen=True)
class Setup:
    """The profile that a notebook runs in; :meth:`pick` chooses its sizes."""

    profile: str

    def pick(self, *, ci: Any, cpu: Any, gpu: Any = None) -> Any:
        """The value for this profile (``gpu`` falls back to ``cpu``'s)."""
        if self.profile == "ci":
            return ci
        return cpu if self.profile == "cpu" or gpu is None else gpu

    @property
    def runs(self) -> Path:
        """Where a notebook keeps its runs, whatever the working directory: ``runs/`` at
        the top of its checkout, without one beside it; in Colab on Drive, if that is
        mounted, else in the session's own folder."""
        if _in_colab():
            return DRIVE / "selfplay_kit" / "runs" if DRIVE.is_dir() else Path("runs")
        for top in (self.folder, *self.folder.parents):
            if (top / "run.py").is_file() and (top / "notebooks").is_dir():
                return top / "runs"
        return self.folder / "runs"

    @property
    def folder(self) -> Path:
        """The notebook's folder, where the front end tells it (VS Code in a variable,
        Jupyter's server in the environment), else the working directory."""
        told = vars(sys.modules["__main__"]).get("__vsc_ipynb_file__")
        if not told and "ipykernel" in sys.modules:
            told = os.environ.get("JPY_SESSION_NAME")
        folder = Path(told or "").parent
        sure = told and folder.is_absolute() and folder.is_dir()
        return (folder if sure else Path.cwd()).resolve()


def setup(
    profile: str = "cpu", *, torch: bool = False, threads: int | None = 1
) -> Setup:
    """Set the notebook up: the profile, the figures' style, and with ``torch`` the
    model's libraries. Raises ``ValueError`` for an unknown profile.

    ``threads`` is how many torch computes with on the CPU (``None``: its own
    choice). One is right for the tiny model: its products are small, and threads
    that wait for each other make it many times slower on a busy machine.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"PROFILE must be one of {', '.join(PROFILES)}; got {profile!r}"
        )
    import matplotlib

    from .plots import STYLE

    matplotlib.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")
    except ImportError:
        pass  # outside IPython there is no inline backend to set
    line = f"selfplay_kit, profile {profile!r}, Python {sys.version.split()[0]}"
    if torch:
        line += f", {_torch_line(threads)}"
    print(line)
    if sys.flags.optimize:
        print(UNCHECKED)
    here = Setup(profile)
    if note := _widgets_note():
        print(note)
    if _in_colab():
        print(f"Runs are kept in {here.runs}." + ("" if DRIVE.is_dir() else COLAB))
    return here


UNCHECKED = (
    "This Python skips `assert` (PYTHONOPTIMIZE or -O), so the notebook's exact checks "
    "check nothing. Restart Jupyter without it."
)
COLAB = (
    " Colab forgets them when it disconnects. To keep them, before you run on: "
    "from google.colab import drive; drive.mount('/content/drive')"
)


def _widgets_note() -> str:
    """What to do where ipywidgets is older than the kit asks for, as Colab's own is;
    "" where it is new enough."""
    import ipywidgets

    try:
        old = [int(n) for n in ipywidgets.__version__.split(".")[:2]] < [8, 1]
    except ValueError:  # a version unlike all others: take it as it is
        old = False
    if not old:
        return ""
    return (
        f"ipywidgets {ipywidgets.__version__} is loaded; 8.1 or newer is wanted: "
        "run the first cell, restart the session, run again. Where a table or viewer "
        "stays empty, notebook.play_by_typing and notebook.show_game do it in text."
    )


def _in_colab() -> bool:
    return "google.colab" in sys.modules


def _torch_line(threads: int | None) -> str:
    try:
        import torch
        import transformers
    except ImportError as e:
        raise ImportError(
            f"this notebook needs {e.name}, which is not installed. In a checkout: "
            "`python run.py tutorial`. Elsewhere: `pip install 'selfplay-kit[lm]'`. "
            "Notebooks 00 to 02 run without it."
        ) from e
    if threads:
        torch.set_num_threads(threads)
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return (
        f"torch {torch.__version__} on {where}, transformers {transformers.__version__}"
    )


def has_memory(needed: float, what: str) -> bool:
    """Whether there are ``needed`` bytes of memory for ``what``, as the machine or a
    container's limit (Binder's, say) has it; where not, it says *recorded only*."""
    from ..lm.precision import memory_and_limit

    memory, limit = memory_and_limit()
    if memory >= needed:
        return True
    where = f" (the limit in {limit})" if limit else ""
    print(
        f"*Recorded only*: {what} took {needed / 1e9:.1f} GB when it was recorded; "
        f"there are {memory / 1e9:.1f} GB here{where}."
    )
    return False


def progress(label: str = "") -> Callable[[str, int, int], None]:
    """A progress callback ``(what, done, of)`` for ``rounds.run`` and its like.

    A bar with the time left where somebody looks; one plain line for each step
    that is whole where nobody does.
    """
    if watched():
        return _Bars(label)
    started = time.perf_counter()

    def line(what: str, done: int, of: int) -> None:
        if done == of:
            spent = time.perf_counter() - started
            print(f"{label}{what}: {done} of {of}, {spent:.1f} s so far", flush=True)

    return line


class _Bars:
    def __init__(self, label: str):
        self.label, self.what = label, ""
        self.bar: Any = None

    def __call__(self, what: str, done: int, of: int) -> None:
        from tqdm.auto import tqdm

        if what != self.what:
            if self.bar is not None:
                self.bar.close()
            self.what = what
            self.bar = tqdm(total=of, desc=f"{self.label}{what}", leave=False)
        self.bar.update(done - self.bar.n)
        if done == of:
            self.bar.close()


def watched() -> bool:
    if os.environ.get("CI") or os.environ.get("SELFPLAY_KIT_QUIET"):
        return False
    return "ipykernel" in sys.modules or sys.stderr.isatty()


def check(name: str, answer: Any, test: Callable[[Any], str | None]) -> bool:
    """Check an exercise: ``test(answer)`` says what is wrong, or ``None``.

    An answer of ``None`` (or a function that returns ``None`` where ``test`` says
    so) is *not solved yet*. Never stops a student's notebook; where
    ``SELFPLAY_KIT_STRICT`` is set, as for the solutions, anything but a right
    answer raises ``AssertionError``.
    """
    wrong: str | None
    if answer is None:
        wrong = NOT_SOLVED
    else:
        try:
            wrong = test(answer)
        except Exception as e:  # a student's code may do anything
            wrong = f"it raised {type(e).__name__}: {e} (is it of the form asked for?)"
    print(f"{name}: " + ("right!" if wrong is None else wrong))
    if wrong is not None and os.environ.get("SELFPLAY_KIT_STRICT"):
        raise AssertionError(f"{name}: {wrong}")
    return wrong is None


NOT_SOLVED = "not solved yet"


def record(name: str, value: Any) -> None:
    """Note a number for ``build/results.json`` (only where a build listens)."""
    where = os.environ.get("SELFPLAY_KIT_RESULTS")
    if where:
        with Path(where).open("a", encoding="utf-8") as f:
            f.write(json.dumps({"name": name, "value": value}) + "\n")


class _Html(str):
    def _repr_html_(self) -> str:
        return str(self)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> _Html:
    """An HTML table with a caption; every cell is escaped."""

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(f"<{tag}>{html.escape(legible(str(c)))}</{tag}>" for c in row)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return _Html(
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    )


def show_game(
    t: Any,
    *,
    caption: str | None = None,
    names: tuple[str, str] = ("player 0", "player 1"),
) -> _Html:
    """A transcript as a table: who, what was said, what the parser saw. ``names`` are
    those of seats 0 and 1."""
    rows = []
    for m in t.moves:
        seen = f"invalid: {m.error}" if m.error else ""
        who = f"player {m.seat}" if m.seat is None else names[m.seat]
        rows.append((who, m.text, seen))
    told = caption or t.summary(names)
    return table(("who", "said", "parser"), rows, told)


def play_by_typing(
    partner,
    scenario,
    objective,
    *,
    seat: int = 0,
    seed: int = 0,
    ask: Callable[[str], str] = input,
    tell: Callable[[str], None] = print,
) -> Transcript:
    """A person in ``seat`` plays ``partner`` by typing; returns the transcript.

    ``ask`` gets the prompt and returns what was typed: a list's iterator makes a
    headless twin of a person. An empty line asks again.
    """
    game = Game(scenario, objective, first=seed % 2)
    table_ = partner.sit(1, seed=seed)
    mine = ", ".join(
        f"{some} worth {value} each"
        for some, value in zip(
            share_text(scenario.counts).split(", "), scenario.values[seat], strict=True
        )
    )
    tell(f"The pool: {mine} to you.")
    while not game.over:
        if game.turn == seat:
            typed = ask("you: ")
            if not typed.strip():
                continue
            game = game.submit(Move(typed))
            if game.moves[-1].error:
                tell(f"(invalid: {ERRORS[game.moves[-1].error]})")
        else:
            game = game.submit(table_.reply([game.position()])[0])
            last = game.position(seat).lines[-1:]
            if last and last[0].by == "theirs":
                tell(f"partner: {last[0].text}")
            elif last and last[0].by == "proposed":
                tell("(your partner has proposed; now you must propose)")
    table_.close()
    tell(f"{'Deal' if game.agreed else 'No deal'}: you get {game.points[seat]} points.")
    names = ("person", partner.name)
    return game.transcript(names if seat == 0 else names[::-1], seed)
