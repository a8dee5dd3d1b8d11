"""Things to look at that move: a viewer, a live run, figures that follow a slider.

A :class:`Viewer` steps through transcripts, a :class:`Dashboard` shows a run of
``rounds`` while it goes on, an :class:`Explorer` draws a figure anew as its controls
move. All are widgets as in ``widgets``; what they show is plain HTML from ``shown``,
which stays in pages where no widget can run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from math import exp, log2
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from ..games.base import kind
from ..games.deal.rules import Objective, Scenario, Share, all_scenarios
from . import plots, shown
from .notebook import progress, show_game, table, watched
from .widgets import MAIN, ROW, TIGHT, Panel, button

if TYPE_CHECKING:
    from ..learn.rounds import Config, Round


class Viewer(Panel):
    """Step through transcripts: both private views, what the parser saw, and what
    each offer would have paid. Raises ``ValueError`` where there is none."""

    def __init__(self, transcripts: Sequence[Any]):
        if not transcripts:
            raise ValueError("no transcripts: there is nothing to step through")
        self.transcripts = list(transcripts)
        most = len(self.transcripts) - 1
        self._game = w.BoundedIntText(
            description=f"game (0 to {most})", max=most, **TIGHT
        )
        self._move = w.BoundedIntText(**TIGHT)
        self._body = w.HTML()
        back = button("Back", lambda: self.step(-1))
        ahead = button("Next move", lambda: self.step(1), **MAIN)
        self._game.observe(lambda _: self._turn_to(), "value")
        self._move.observe(lambda _: self._show(), "value")
        controls = w.HBox([self._game, self._move, back, ahead], layout=ROW)
        super().__init__([controls, self._body])
        self._turn_to()

    @property
    def transcript(self) -> Any:
        """The game in view."""
        return self.transcripts[self._game.value]

    def step(self, by: int) -> None:
        """Go on (or back) by so many moves, as far as there are any."""
        self._move.value = max(0, min(self._move.value + by, self._move.max))

    def _turn_to(self) -> None:
        moves = len(self.transcript.moves)
        self._move.value, self._move.max = 0, moves
        self._move.description = f"moves (0 to {moves})"
        self._show()

    def _show(self) -> None:
        self._body.value = shown.steps(self.transcript, self._move.value)

    def still(self) -> str:
        """The whole game in view, for pages without a kernel."""
        return shown.steps(self.transcript, len(self.transcript.moves))


SHORT = {"agreement": "deals"}  # what a column is called


class Dashboard(Panel):
    """A live view of a run: hand ``progress`` and ``on_round`` to ``rounds.run``.

    It shows itself below the cell that starts the run: curves of ``metric`` and of
    the share of deals (in another game: of its first share), what each round kept of
    the one before, the first game of the latest round, and the time left, estimated
    from the phases so far. Where nobody watches (or ``live`` is false) it prints plain
    lines, ``label`` before each. With ``fold`` a complete run takes one line: the rest
    folds away, or was not printed.
    """

    def __init__(
        self,
        config: Config,
        metric: str = "mean_points",
        *,
        label: str = "",
        live: bool | None = None,
        fold: bool = False,
    ):
        self.config, self.metric, self.label = config, metric, label
        self.fold = fold
        self.share = kind(getattr(config, "game", "deal")).shares[0]
        self.shared = SHORT.get(self.share, self.share.replace("_", " "))
        self.rounds: list[Round] = []
        quiet = not (watched() if live is None else live)
        self._line = progress(label) if quiet else None
        self._bar = w.FloatProgress(max=1, layout={"width": "auto"})
        self._said, self._body = w.HTML(), w.HTML()
        self._placed, self._said_at, self._drawn_at = quiet, 0.0, 0.0
        super().__init__([self._said, self._bar, self._body])

    def _place(self) -> None:
        if not self._placed:
            from IPython.display import display

            display(self)
            self._placed = True

    def progress(self, what: str, done: int, of: int) -> None:
        """Note a step, such as ``("round 3: play", 120, 500)``."""
        if self._line:
            return None if self.fold else self._line(what, done, of)
        self._place()
        now = time.perf_counter()
        if done < of and now - self._said_at < 0.25:
            return None
        self._said_at, self._bar.value = now, done / of
        told = f"{self.label}{what}: {done} of {of}. {self._left(what, done / of)}"
        self._said.value = shown.note(told, role="")
        return None

    def _left(self, what: str, part: float) -> str:
        """The time left in words: unknown until a round has been trained."""
        spent = [r.metrics["seconds"] for r in self.rounds]
        if len(spent) < 2:
            return "How long it takes is known after round 1."
        play = sum(s["play"] for s in spent) / len(spent)
        train = sum(s["train"] for s in spent) / (len(spent) - 1)  # not in round 0
        seconds = (self.config.rounds - len(spent)) * (play + train)
        training = what.endswith("train")
        seconds += (1 - part) * (train if training else play) + training * play
        return f"About {seconds / 60:.1f} minutes left."

    def on_round(self, whole: Round) -> None:
        """Note a whole round, just played or found in the folder."""
        self.rounds.append(whole)
        last = whole.number >= self.config.rounds
        if self._line:
            row = "round {}: {} points, {} {}, kept {}".format(*self._named(whole))
            if last or not self.fold:
                row = self._summary() if self.fold else row
                print(f"{self.label}{row}", flush=True)
            return
        self._place()
        now = time.perf_counter()
        if last or now - self._drawn_at > 1:  # a folder's rounds come all at once
            self._body.value, self._drawn_at = self.still(), now
        if last and self.fold:
            told = f"<summary>{escape(self._summary())}</summary>"
            self._body.value = f"<details>{told}{self._body.value}</details>"
        if last:
            told = f"{self.label}the run is complete."
            self._said.value = shown.note(told[0].upper() + told[1:])
            self._bar.value = 1

    def _summary(self) -> str:
        """A run in one line: its first round and its last."""
        ends = [self._row(self.rounds[i]) for i in (0, -1)]
        points, deals = (" → ".join(row[i] for row in ends) for i in (1, 2))
        name = self.metric.replace("_", " ")
        ending = f"{name} {points}, {self.shared} {deals}"
        return f"rounds 0 to {self.rounds[-1].number}: {ending}"

    def _named(self, r: Round) -> tuple[str, ...]:
        number, value, share, kept = self._row(r)
        return number, value, self.shared, share, kept

    def _row(self, r: Round) -> tuple[str, ...]:
        kept = r.metrics["training"]
        share = f"{100 * kept['kept'] / kept['of']:.0f} %" if kept else "–"
        value, deals = (r.metrics[m]["value"] for m in (self.metric, self.share))
        told = "–" if value is None else f"{value:.2f}"
        return str(r.number), told, f"{100 * deals:.0f} %", share

    def still(self) -> str:
        """The rounds so far: figures, table, a game."""
        if not self.rounds:
            return f'{shown.STYLE}<div class="spk">No round is whole yet.</div>'
        rows = [self._row(r) for r in self.rounds]
        name, last = self.metric.replace("_", " "), self.rounds[-1]
        head = ("round", name, self.shared, "kept of the round before")
        curves = [
            shown.picture(partial(self._curve, metric, title), (4.6, 3))
            for metric, title in ((self.metric, name), (self.share, self.shared))
        ]
        game = show_game(last.games()[0])
        tables = [
            table(head, rows, "Rounds so far"),
            f"<b>The first game of round {last.number}</b>{game}",
        ]
        both = shown.columns(curves) + shown.columns(tables)
        return f'{shown.STYLE}<div class="spk">{both}</div>'

    def _curve(self, metric: str, name: str, figure: Any) -> str:
        found = [r.metrics for r in self.rounds]
        ax = plots.over_rounds({name: found}, metric, ax=figure.subplots(), ylabel=name)
        ax.set(title=name, ylim=(0, 1) if metric == self.share else None)
        ax.locator_params("x", integer=True)
        ax.get_legend().remove()
        given = (f[metric]["value"] for f in found)
        values = ", ".join("none" if v is None else f"{v:.2f}" for v in given)
        return f"{name} over rounds, with the interval over scenarios: {values}"


class Explorer(Panel):
    """A figure that follows its controls: ``draw(ax, **values)`` draws it on an empty
    axes and returns its words; a ``ValueError`` of it is shown as a sentence. What
    stands ``beside`` the controls is shown with them, such as a slider of one."""

    def __init__(
        self,
        draw: Callable[..., str],
        *beside: Any,
        size: tuple[float, float] = (6, 3.6),
        **controls: Any,
    ):
        self.draw, self.size, self.controls = draw, size, controls
        self._figure = w.HTML()
        for control in controls.values():
            control.observe(lambda _: self._show(), "value")
        one, *others = controls.values()
        super().__init__([w.HBox([one, *beside, *others], layout=ROW), self._figure])
        self._show()

    def _show(self) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        try:
            inside = shown.picture(
                lambda f: self.draw(f.subplots(), **values), self.size
            )
        except ValueError as e:
            inside = shown.note(str(e))
        self._figure.value = f'{shown.STYLE}<div class="spk">{inside}</div>'

    def still(self) -> str:
        """The figure at the present values."""
        return self._figure.value


def _dial(text: str, value: float, low: float, high: float) -> tuple[Any, Any]:
    """A number and its slider. The number has the name: ipywidgets gives a slider's
    handle none, so a screen reader would say nothing but its value."""
    ends = {"value": value, "min": low, "max": high, "step": 0.05}
    width = {"width": "12em"}
    number = w.BoundedFloatText(description=text, layout=width, **ends, **TIGHT)
    slider = w.FloatSlider(readout=False, continuous_update=False, **ends)
    slider.observe(lambda c: setattr(number, "value", round(c.new, 2)), "value")
    number.observe(lambda c: setattr(slider, "value", c.new), "value")
    return number, slider


def explore_lambda(scenario: Scenario, lam: float = 0.0) -> Explorer:
    """The deals of a pool, with a slider for λ and both players' values to choose:
    which deal each player wants, and how many both prefer to no deal. It starts with
    ``scenario``; only legal values can be chosen, and an illegal pair says why."""
    counts = scenario.counts
    legal = sorted({s.values[0] for s in all_scenarios() if s.counts == counts})

    def draw(ax: Any, lam: float, mine: Share, theirs: Share) -> str:
        s, objective = Scenario(counts, (mine, theirs)), Objective(lam)
        rewards = {pair: objective.rewards(*s.pays(pair)) for pair in s.allocations()}
        marks = {}
        for p in (0, 1):
            best = max(rewards, key=lambda pair: rewards[pair][p])
            marks[f"player {p}'s choice, reward {rewards[best][p]:g}"] = best
        liked = sum(min(pair) > 0 for pair in rewards.values())
        told = f"{liked} of {len(rewards)} deals beat no deal for both"
        plots.frontier(s, marks, ax=ax).set_title(f"λ = {objective.lam:g}: {told}")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
        return f"At λ = {objective.lam:g} {told}; {'; '.join(marks)}"

    mine, theirs = (
        w.Dropdown(options=legal, value=v, description=f"values of {p}", **TIGHT)
        for p, v in enumerate(scenario.values)
    )
    number, slider = _dial("λ", lam, -1, 1)
    return Explorer(draw, slider, size=(5.4, 5.8), lam=number, mine=mine, theirs=theirs)


def explore_temperature(
    logits: Mapping[str, float], temperature: float = 1
) -> Explorer:
    """Probabilities of the words in ``logits`` and a slider for the temperature."""

    def draw(ax: Any, temperature: float) -> str:
        top = max(logits.values())
        heights = [exp((x - top) / temperature) for x in logits.values()]
        chances = [h / sum(heights) for h in heights]
        bits = -sum(p * log2(p) for p in chances if p > 0)
        ax.bar(list(logits), chances, color=plots.BLUE)
        ax.set(ylim=(0, 1), ylabel="probability")
        title = f"temperature {temperature:g}: {bits:.2f} bits of surprise a draw"
        ax.set_title(title)
        ax.tick_params("x", rotation=30)
        return title

    number, slider = _dial("temperature", temperature, 0.05, 3)
    return Explorer(draw, slider, temperature=number)
