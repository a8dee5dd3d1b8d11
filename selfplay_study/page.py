"""What a participant sees: consent, code, rules, games, results, thanks.

One column that suits a phone. A :class:`Page` is a widget, so it runs wherever those
do; ``serve`` shows it by Voilà. The partner's name and values are nowhere in the
page, and neither is anything of another participant.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets as w

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.rules import ITEMS
from selfplay_kit.games.play import Player
from selfplay_kit.teach.widgets import MAIN, Table, button, focus

from .folder import Deal, Session, Study, StudyError, clean_code, show_code
from .partners import players_of
from .results import transcript_of

FOLDER = "SELFPLAY_KIT_STUDY"
CSS = """<style>
#rendered_cells > div, .jp-Notebook, .jp-OutputArea-output {padding: 0 !important}
.jp-OutputPrompt, .jp-OutputArea-prompt {display: none !important}
.study {max-width: 34em; margin: 0 auto; padding: 8px 12px; font-size: 16px;
  box-sizing: border-box; overflow: hidden}
.study .widget-html, .study .widget-html-content {width: 100%; line-height: 1.45;
  font-size: 16px; margin: 0; height: auto; color: #111}
.study h1 {font-size: 22px; margin: 4px 0} .study h2 {font-size: 19px; margin: 10px 0}
.study .spk, .study .spk table {font-size: 16px}
.study .spk-talk {max-height: 38vh}
.study .bar {color: #333; font-size: 15px; border-bottom: 1px solid #bbb}
.study .code {font: bold 34px monospace; letter-spacing: 3px; margin: 12px 0}
.study .hint, .study summary {font-size: 15px; color: #333}
.study summary {line-height: 44px}
.study .trouble {background: #fdf0d5; border-left: 4px solid #8a5a00; padding: 8px}
.study .widget-button {height: auto; min-height: 48px; width: 100%; margin: 6px 0;
  font-size: 17px; line-height: 1.2; white-space: normal; border-radius: 6px}
.study .widget-text, .study .widget-text input {height: 48px; font-size: 16px;
  width: 100%; max-width: none; margin: 2px 0}
.study .step {flex-flow: row nowrap; align-items: center; width: 100%}
.study .step .widget-html {flex: 1 1 auto; width: auto}
.study .step .widget-button {font-size: 24px}
.study .step .widget-label {position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%)}
.study .acts, .study .say, .study .step {gap: 6px}
.study .acts .widget-button {flex: 1 1 40%; margin: 0}
.study .say {flex-wrap: nowrap} .study .say .widget-button {width: 84px}
.study .widget-label {font-size: 16px; height: auto}
.study .step input {text-align: center; font-size: 20px}
</style>"""
GOALS = {
    "semi": "Your points are what your share is worth to you. Get as many as you can.",
    "coop": "Your points and your partner's are added up. Make the sum as large as "
    "you can; your partner is there for the same sum.",
    "strict": "What counts are your points minus your partner's. Make that as large "
    "as you can.",
}
RULES = """You and a partner divide some books, hats and balls. You see what each is \
worth to you. To your partner they are worth something else, and neither of you sees \
the other's values.

Talk first. Your partner is a computer program with few words: short offers work best, \
such as "I take 1 book and 2 balls". The button "Ask for this" writes one for you.

Then propose, in private, what you take. Once one of you has proposed, the other must \
too. If the two proposals together are exactly all there is, it is a deal. If not, \
nobody gets a point.

{goal}

You play {games} games, each with other things and other values. The program need not \
be the same in each; which it was is not told before the study is over."""

HINT = (
    '<p class="hint"><b>Ask</b> tells your partner what you would like to take. '
    "<b>Propose</b> is private and final: talk first.</p>"
)
END, SURE = "End without a deal", "0 points for both: press again to end"


def paragraphs(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, everything escaped."""
    return "".join(f"<p>{escape(p)}</p>" for p in text.split("\n\n") if p.strip())


class Seat(Table):
    """The table of one game of a study: every move is kept, nothing is revealed.

    ``done`` is told of the end; ``lost`` of whatever keeps the game from going on.
    """

    def __init__(
        self,
        deal: Deal,
        player: Player,
        session: Session,
        *,
        done: Callable[[Transcript], None],
        lost: Callable[[str], None],
    ):
        self._session, self._kept = session, 0
        self._done, self._lost = done, lost
        game = deal.game
        super().__init__(
            player,
            game.scenario,
            game.objective,
            seat=deal.seat,
            first=game.first,
            seed=deal.seed,
        )
        message, _, worth, acts = self._play.children
        p = game.position(deal.seat)
        rows = zip(self._counts, ITEMS, p.counts, p.values, strict=True)
        steppers = [stepper(*row) for row in rows]
        self._give_up.description = END
        self._box.placeholder = "write to your partner"
        message.add_class("say")
        acts.add_class("acts")
        take, hint = w.HTML("What do you take?"), w.HTML(HINT)
        self._play.children = (message, take, *steppers, worth, acts, hint)
        self._head.layout.display = "none"  # each kind's row says it already
        self.children = (self._head, self._talk, self._note, self._play)

    def _after(self) -> None:
        try:
            for move in self.game.moves[self._kept :]:
                self._session.move(move)
                self._kept += 1
        except (StudyError, OSError) as e:
            self._lost(str(e))
        else:
            super()._after()

    def give_up(self) -> bool:
        """End the game, at the second press: the button stands below *Propose*, and
        a thumb that slips must not cost a game."""
        if self._give_up.description == END:
            self._give_up.description = SURE
            return False
        return super().give_up()

    def _show(self) -> None:
        super()._show()
        self._give_up.description = END
        if self.trouble:
            self._lost(self.trouble)

    def _show_worth(self) -> None:
        """The own points and no more: what else could be worked out is part of what
        people do or don't do, and is studied."""
        p, share = self.game.position(self.seat), self.picked
        points = sum(v * k for v, k in zip(p.values, share, strict=True))
        self._worth.value = f"<p>Together worth {points} of 10 points to you.</p>"

    def _finish(self) -> None:
        self._seated.close()
        names = ("person", self.partner.name)
        t = self.game.transcript(names if self.seat == 0 else names[::-1], self._seed)
        try:
            self._session.end(t)
        except (StudyError, OSError) as e:
            self._lost(str(e))
        else:
            self._done(t)


def stepper(count: w.BoundedIntText, item: str, there: int, value: int) -> w.HBox:
    """A row to choose how many of a kind to take, by thumb or by keyboard."""

    def step(by: int) -> None:
        count.value = min(max(count.value + by, 0), there)

    less, more = button("−", lambda: step(-1)), button("+", lambda: step(1))
    for control, width in ((less, "56px"), (count, "64px"), (more, "56px")):
        control.layout = {"width": width, "flex": f"0 0 {width}"}
    less.tooltip, more.tooltip = f"one fewer of the {item}", f"one more of the {item}"
    count.description = f"{item} that I take"
    worth = f"worth {value} each" if there > 1 else f"worth {value}"
    told = w.HTML(f"<b>{there} {item if there > 1 else item[:-1]}</b><br>{worth}")
    row = w.HBox([told, less, count, more])
    row.add_class("step")
    return row


class Page(w.VBox):
    """A participant's way through a study, on one page.

    ``players`` are the partners by name; by default those that ``partners`` finds.
    """

    def __init__(self, study: Study, players: Mapping[str, Player] | None = None):
        self.study, self.settings = study, study.settings
        self.players = players_of(self.settings) if players is None else players
        self.session: Session | None = None
        self.seat: Seat | None = None
        self._top, self._body = w.HTML(), w.VBox(layout={"width": "100%"})
        super().__init__([w.HTML(CSS), self._top, self._body])
        self.add_class("study")
        self.welcome()

    def _button(self, text: str, act: Callable[[], Any], **style: str) -> w.Button:
        """A wide button; what goes wrong behind it is told, not swallowed. A second
        tap, when the first has led on, does nothing."""

        def safely() -> None:
            if made not in self._body.children:
                return
            try:
                act()
            except (StudyError, OSError) as e:
                self.trouble(str(e))
            except Exception:
                self.trouble("Something went wrong here. Please tell who runs this.")
                raise

        made = button(text, safely, **style)
        made.layout.width = "100%"
        return made

    def _show(self, text: str, *children: w.Widget, games: bool = True) -> None:
        """One screen: words, then controls."""
        bar = ""
        if self.session:
            me = self.session.me()
            at = min(len(me.finished) + 1, self.settings.games)
            bar = f"Your code: <b>{show_code(self.session.code)}</b>"
            bar += f" · game {at} of {self.settings.games}" if games else ""
        self._top.value = (
            f"<h1>{escape(self.settings.title)}</h1>"
            f'<div class="bar" role="status">{bar}</div>'
        )
        self._body.children = ([w.HTML(text)] if text else []) + list(children)

    def welcome(self) -> None:
        """The consent, and the way in for those who have a code."""
        code = w.Text(
            description="Your code",
            placeholder="such as K7M-4TP",
            style={"description_width": "initial"},
            layout={"width": "100%"},
        )
        told = w.HTML()

        def go_on() -> None:
            try:
                clean_code(code.value)
                self.session = self.study.resume(code.value)
            except StudyError as e:
                told.value = f'<p class="trouble" role="alert">{escape(str(e))}</p>'
            else:
                self.between()

        def no() -> None:
            self._show(
                "<h2>You do not take part</h2><p>That is quite all right. Nothing was "
                "kept. You may close this page.</p>",
                self._button("Back", self.welcome),
            )

        self._show(
            paragraphs(self.settings.consent_text()),
            self._button("I have read this and take part", self.consent, **MAIN),
            self._button("I do not take part", no),
            w.HTML("<h2>You have a code already?</h2>"),
            code,
            told,
            self._button("Go on with my code", go_on),
        )

    def consent(self) -> None:
        """Somebody takes part: a code and a place."""
        if self.session is None:
            self.session = self.study.join()
        code = show_code(self.session.code)
        self._show(
            f'<h2>This is your code</h2><p class="code">{code}</p>'
            "<p>It stands for you; we do not know your name. Write it down: with it "
            "you go on if this page closes, and your games can be deleted.</p>",
            self._button("I have written it down", self.rules, **MAIN),
            games=False,
        )

    def rules(self) -> None:
        """The rules in plain words."""
        assert self.session is not None
        self._show(
            f"<h2>How it goes</h2>{self._rules_text()}",
            self._button("Start the first game", self.play, **MAIN),
        )

    def _rules_text(self) -> str:
        assert self.session is not None
        text = RULES.replace("{goal}", GOALS[self.session.objective])
        return paragraphs(text.replace("{games}", str(self.settings.games)))

    def play(self) -> None:
        """The next game, or the thanks."""
        assert self.session is not None
        deal = self.session.begin()
        if deal is None:
            self.thanks()
        else:
            player = self.players[deal.player]
            self.seat = Seat(
                deal, player, self.session, done=self.between, lost=self.trouble
            )
            goal = GOALS[self.session.objective].partition(". ")[0]
            again = "<details><summary>The rules again</summary>"
            again = w.HTML(f"{again}{self._rules_text()}</details>")
            self._show(f"<p>You divide what is below. {goal}.</p>", self.seat, again)

    def between(self, t: Transcript | None = None) -> None:
        """After a game, ``t``, or when somebody comes back."""
        assert self.session is not None
        me, text = self.session.me(), "<h2>Welcome back</h2>"
        if t is not None:
            text = self._result(t)
        elif me.begun and not me.begun[-1]["end"]:
            text += "<p>The game that you left does not count; you play another.</p>"
        left = self.settings.games - len(me.finished)
        if not me.begun:
            self.rules()
        elif not left:
            self.thanks(text if t else "")
        else:
            still = f"{left} game{'s' if left > 1 else ''} to go."
            go = self._button("Next game", self.play, **MAIN)
            gone = [] if t else [self._button("Delete my games", self.delete)]
            self._show(f"{text}<p>{still}</p>", go, *gone, games=False)
            focus(go)

    def _result(self, t: Transcript) -> str:
        if not self.settings.show_points:
            return "<h2>The game is over</h2><p>It is saved.</p>"
        assert self.seat is not None
        mine, theirs = t.points[self.seat.seat], t.points[1 - self.seat.seat]
        if not t.agreed:
            return "<h2>No deal</h2><p>Nobody gets a point in this game.</p>"
        joint = f" Together {mine + theirs}." if t.objective.lam == 1 else ""
        return (
            f"<h2>Deal</h2><p>{mine} of 10 points for you, {theirs} for your "
            f"partner.{joint}</p>"
        )

    def thanks(self, text: str = "") -> None:
        """All games are played."""
        assert self.session is not None
        me, told = self.session.me(), ""
        if self.settings.show_points:
            games = [(transcript_of(g), g["seat"]) for g in me.finished]
            points = sum(t.rewards[seat] for t, seat in games)
            deals = sum(t.agreed for t, _ in games)
            told = (
                f"<p>Your total: <b>{points:g} points</b>, with a deal in {deals} of "
                f"{len(games)} games.</p>"
            )
        self._show(
            f"{text}<h2>That was the last game</h2>{told}"
            f"{paragraphs(self.settings.thanks)}<p>You may close this page.</p>",
            self._button("Delete my games", self.delete),
            games=False,
        )

    def delete(self) -> None:
        """Ask once more, then delete."""
        assert self.session is not None
        code = self.session.code

        def yes() -> None:
            self.study.delete(code)
            self.session = None
            self._show("<h2>Deleted</h2><p>Your games are no longer kept.</p>")

        self._show(
            "<h2>Delete your games?</h2><p>All that is kept under your code will be "
            "removed. It can't be brought back.</p>",
            self._button("Yes, delete them", yes, **MAIN),
            self._button("No, keep them", self.between),
            games=False,
        )

    def trouble(self, what: str) -> None:
        """Something outside the game went wrong: say so, offer the way back."""
        code = show_code(self.session.code) if self.session else ""
        self.session = None
        self._show(
            f'<p class="trouble" role="alert">{escape(what)}</p><p>The games that '
            f"you finished are saved. Your code: <b>{code}</b></p>",
            self._button("Go on with my code", self.welcome, **MAIN),
        )


def page() -> Page:
    """The page of the study that the environment names."""
    return Page(Study(os.environ[FOLDER]))
