"""A table to play at, by clicking or by keyboard alone.

A :class:`Seat` puts a person opposite any player, at any game of the contract, and
drives one game by events; a :class:`Table` is that of Deal or No Deal. It is a box of
ipywidgets, all of it on the kernel's side, so it works wherever those do: JupyterLab,
Colab, Voilà. The partner thinks in a thread, so the kernel stays free. What the person
sees is made in ``shown``, escaped. Left out: several people at one table.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import RLock, Thread, Timer
from typing import Any

import ipywidgets as w

from ..games.base import SEMI, Move, Objective, kind
from ..games.deal.phrasebook import OFFERS_MINE, split_words
from ..games.deal.protocol import MESSAGE, Position, parse, propose
from ..games.deal.rules import ITEMS, Share
from ..games.play import Player
from . import plots, shown

ROW = {"flex_flow": "row wrap", "align_items": "center"}
MAIN = {"button_color": plots.BLUE, "text_color": "white"}
TIGHT: dict[str, Any] = {"style": {"description_width": "initial"}}


VIEW = "application/vnd.jupyter.widget-view+json"


def button(text: str, act: Callable[[], Any], **style: str) -> w.Button:
    looks: dict[str, Any] = {"style": style}
    if style and "text_color" not in w.ButtonStyle.class_trait_names():
        looks = {"button_style": "primary"}  # ipywidgets 7, as in Colab
    button = w.Button(description=text, layout={"width": "auto"}, **looks)
    button.on_click(lambda _: act())
    return button


def focus(control: w.DOMWidget) -> None:
    """Lead the keyboard to ``control``, which ipywidgets 7 can't."""
    if hasattr(control, "focus"):
        control.focus()


class Panel(w.VBox):
    """A box of widgets that leaves plain HTML, ``still()``, where none can run, and
    ``words`` where there is no HTML either. ipywidgets 7 shows it as 8 does."""

    words = "This front end draws no widgets: use JupyterLab, Colab or Binder for it."
    _ipython_display_: Any = None  # ipywidgets 7 would show no HTML

    def still(self) -> str:
        """What an exported page shows."""
        return ""

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = {"text/plain": self.words, "text/html": self.still()}
        return bundle | {VIEW: self.get_view_spec()}


class Seat(Panel):
    """A person in ``seat`` plays any game of the contract against ``partner``.

    The first game is of ``task``, further ones and a ``None`` are drawn from the first
    split of ``game`` by ``seed``; so is who moves ``first`` where that is ``None``.
    ``save_to`` is a folder: each game is added to its ``games.jsonl`` as it ends and
    handed to ``on_end``. What the buttons do, :meth:`say`, :meth:`give_up` and
    :meth:`new_game` do as well; ``transcripts`` are the games that ended. Raises
    ``ValueError`` for a seat that is not 0 or 1.
    """

    words = (
        "In a running notebook that draws widgets this is a table to play at. Where "
        "none are drawn, notebook.play_by_typing(partner, scenario, objective) plays "
        "the same game in text."
    )

    def __init__(
        self,
        partner: Player,
        task: Any = None,
        objective: Objective = SEMI,
        *,
        game: str = "deal",
        seat: int = 0,
        first: int | None = None,
        seed: int | str = 0,
        save_to: str | Path | None = None,
        on_end: Callable[[Any], None] | None = None,
    ):
        if seat not in (0, 1):
            raise ValueError(f"seat must be 0 or 1; got {seat!r}")
        self.partner, self.objective, self.seat = partner, objective, seat
        self.first, self.seed, self.on_end = first, seed, on_end
        self.kind = kind(game if task is None else task.kind)
        self.save_to = None if save_to is None else Path(save_to)
        self.transcripts: list[Any] = []
        self.number, self.trouble = 0, ""
        self._lock, self._thread = RLock(), Thread()
        self.game: Any
        self._next_task = task
        self._head, self._talk, self._note = w.HTML(), w.HTML(), w.HTML()
        self._end = w.HTML()
        wide = {"flex": "1 1 14em", "width": "auto", "max_width": "44em"}
        self._box = w.Text(
            description="Message",
            placeholder="say something; Enter sends it",
            continuous_update=False,  # else a late keystroke can miss its Enter
            layout=wide,
            **TIGHT,
        )
        self._box.on_msg(self._heard_enter)
        self._box.observe(lambda _: self._enter(), "value")
        self._entered = False
        self._send_button = button("Send", lambda: self.say(self._box.value), **MAIN)
        self._give_up = button("Give up", self.give_up)
        self._again = button("New game", self.new_game, **MAIN)
        self._again.layout.align_self = "flex-start"
        self._play = w.VBox(self._controls())
        super().__init__(
            [self._head, self._talk, self._note, self._play, self._end, self._again],
            layout={"max_width": "56em"},
        )
        self.new_game()

    # What differs from game to game ---------------------------------------------

    def _controls(self) -> list[w.Widget]:
        """What a person acts with: a line of text, and a button for each choice."""
        self._say = w.HBox([self._box, self._send_button], layout=ROW)
        self._chosen = w.HBox([], layout=ROW)
        return [self._say, self._chosen, w.HBox([self._give_up], layout=ROW)]

    def _renew(self) -> None:
        """A new game has been set up."""

    def _offer(self, p: Any) -> None:
        """Show what can be done at ``p``."""
        self._say.layout.display = "none" if p.choices else ""
        self._chosen.children = [
            button(words, partial(self.say, move), **MAIN) for words, move in p.choices
        ]
        for control in (self._box, self._send_button, *self._chosen.children):
            control.disabled = not self.may_move

    def _told(self, p: Any) -> str:
        if self.trouble or self.game.over:
            return self.trouble or "The game is over."
        return "Your turn." if self.may_move else "Your partner is thinking …"

    # What a person can do ------------------------------------------------------

    def say(self, text: str) -> bool:
        """Make the move ``text``. Returns whether it was made: not if it is empty, nor
        while the partner thinks."""
        sent = bool(text.strip()) and self._move(text)
        if sent:
            self._box.value = ""
        return sent

    def give_up(self) -> bool:
        """End the game with 0 points for both. The protocol knows no other way than
        five invalid outputs in a row, so that is what the transcript holds."""
        if not self.may_move:
            return False
        while not self.game.over:
            self.game = self.game.submit(Move(""))
        self._after()
        return True

    def new_game(self) -> None:
        """Sit down to the next game; does nothing while one is going on."""
        if self.number and self.going_on:
            return
        self._seed = f"{self.seed}/{self.number}"
        rng = random.Random(self._seed)
        drawn = rng.choice(self.kind.tasks(self.kind.splits[0]))
        coin = rng.randrange(2)
        self._seated = self.partner.sit(1, seed=self._seed)
        first = coin if self.first is None else self.first
        task = self._next_task or drawn
        self.game = self.kind.start(task, self.objective, first=first)
        self._next_task, self.number = None, self.number + 1
        self.trouble = self._box.value = self._end.value = ""
        self._renew()
        self._after()
        if self.number > 1:
            focus(self._box)

    def wait(self, seconds: float | None = None) -> None:
        """Return when the partner has answered, for programs that play."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def going_on(self) -> bool:
        """Whether the game is neither over nor broken off by the partner's failing."""
        return not (self.game.over or self.trouble)

    @property
    def may_move(self) -> bool:
        """Whether it is the person's turn."""
        return self.going_on and self.game.turn == self.seat

    # What follows from it ------------------------------------------------------

    def _heard_enter(self, _: Any, content: dict, __: Any) -> None:
        """Enter was pressed. The browser says so first, and then what the text is,
        unless the kernel has it already: then nothing more will come."""
        if content.get("event") == "submit":
            self._entered = True
            Timer(0.3, self._enter).start()

    def _enter(self) -> None:
        with self._lock:
            entered, self._entered = self._entered, False
        if entered:
            self.say(self._box.value)

    def _move(self, text: str) -> bool:
        if not self.may_move:
            return False
        self.game = self.game.submit(text)  # from here on it is the partner's turn
        self._after()
        return True

    def _after(self) -> None:
        """Go on after a move: the partner's turn, the person's, or the end."""
        if self.game.over:
            self._finish()
        elif self.game.turn != self.seat:
            self._thread = Thread(target=self._answer, daemon=True)
            self._show()
            self._thread.start()
        else:
            self._show()

    def _answer(self) -> None:
        game = self.game
        try:
            while not game.over and game.turn != self.seat:
                game = game.submit(self._seated.reply([game.position()])[0])
        except Exception as e:  # a model may do anything; the person must be told
            self.trouble = f"Your partner can't go on ({type(e).__name__}: {e})."
            self._seated.close()
            self._show()
        else:
            self.game = game
            self._after()

    def _finish(self) -> None:
        self._seated.close()
        names = ("person", self.partner.name)
        t = self.game.transcript(names if self.seat == 0 else names[::-1], self._seed)
        self.transcripts.append(t)
        try:
            if self.save_to is not None:
                self.save_to.mkdir(parents=True, exist_ok=True)
                path = self.save_to / "games.jsonl"
                with path.open("a", encoding="utf-8", newline="\n") as f:
                    f.write(t.to_json() + "\n")
        except OSError as e:
            self.trouble = f"The game could not be saved: {e}."
        self._end.value = shown.ending(t, self.seat)
        self._show()
        focus(self._again)
        if self.on_end:
            self.on_end(t)

    # What the person sees ------------------------------------------------------

    def _show(self) -> None:
        with self._lock:  # whoever comes last shows the latest state
            p = self.game.position(self.seat)
            self._head.value, self._talk.value = shown.head(p), shown.talk(p)
            self._play.layout.display = "" if self.going_on else "none"
            self._again.layout.display = "none" if self.going_on else ""
            self._offer(p)
            self._note.value = shown.note(self._told(p))

    def still(self) -> str:
        """The pool and the talk, for pages without a kernel."""
        words = f'<div class="spk"><p>{self.words}</p></div>'
        return f"{self._head.value}{words}{self._talk.value}"


class Table(Seat):
    """A :class:`Seat` at Deal or No Deal, with a picker for the share to ask for.

    :meth:`propose` does what its button does.

    >>> from selfplay_kit.games.deal.rules import Scenario
    >>> from selfplay_kit.games.deal.scripted import Fair
    >>> t = Table(Fair(), Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))), first=0)
    >>> t.say("i take 1 book 0 hats 1 ball .")
    True
    >>> t.wait()
    >>> [line.by for line in t.game.position(0).lines][:2]
    ['mine', 'theirs']
    """

    def _controls(self) -> list[w.Widget]:
        self._counts = [
            w.BoundedIntText(
                continuous_update=True, layout={"width": "10.5em"}, **TIGHT
            )
            for _ in ITEMS
        ]
        for count in self._counts:
            count.observe(lambda _: self._show_worth(), "value")
        self._worth = w.HTML()
        self._ask = button("Ask for this", self._ask_for)
        self._propose = button(
            "Propose this", lambda: self.propose(self.picked), **MAIN
        )
        picker = w.HBox([w.Label("I take"), *self._counts], layout=ROW)
        act = w.HBox([self._ask, self._propose, self._give_up], layout=ROW)
        say = w.HBox([self._box, self._send_button], layout=ROW)
        return [say, picker, self._worth, act]

    def _renew(self) -> None:
        pool = zip(self._counts, ITEMS, self.game.scenario.counts, strict=True)
        for count, item, most in pool:
            count.value, count.max = 0, most
            count.description = f"{item} (0–{most})"

    def _offer(self, p: Position) -> None:
        for control in (self._box, self._send_button, self._ask):
            control.disabled = p.must_propose
        self._propose.disabled = p.opening
        self._show_worth()
        if p.must_propose and self.going_on:
            focus(self._counts[0])

    def say(self, text: str) -> bool:
        """Send a message, or a whole move where ``text`` starts with its prefix.
        Returns whether it was sent: not if empty, nor while the partner thinks."""
        whole = parse(text, (99, 99, 99)).kind is not None
        sent = bool(text.strip()) and self._move(text if whole else f"{MESSAGE} {text}")
        if sent:
            self._box.value = ""
        return sent

    def propose(self, share: Share) -> bool:
        """Propose to take ``share``; the partner won't see which."""
        return self._move(propose(share))

    @property
    def picked(self) -> Share:
        """The share in the picker."""
        return tuple(count.value for count in self._counts)

    def _ask_for(self) -> None:
        self._move(f"{MESSAGE} " + OFFERS_MINE[0].format(s=split_words(self.picked)))

    def _told(self, p: Position) -> str:
        if self.trouble or self.game.over:
            return self.trouble or "The game is over."
        if not self.may_move:
            return "Your partner is thinking …"
        if p.must_propose:
            return "Your partner has proposed. Choose what you take and propose."
        if p.opening:
            return "You speak first. The first move must be a message."
        return "Your turn."

    def _show_worth(self) -> None:
        p, share = self.game.position(self.seat), self.picked
        self._worth.value = shown.note(shown.worth(p, share), role="")
