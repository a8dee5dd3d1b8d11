"""Positions and transcripts as HTML, whatever a person or a model wrote escaped.

What one seat sees of a game (:func:`head`, :func:`talk`, :func:`worth`), how it ended
(:func:`ending`), a transcript move by move (:func:`steps`), and :func:`picture`, a
figure as one image with words beside it. Plain functions of plain records: no widget,
no kernel, and safe in any thread, as pyplot is left out.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from ..games.base import KINDS, start
from ..games.deal import rules
from ..games.deal.game import Game, Transcript
from ..games.deal.phrasebook import hear
from ..games.deal.protocol import ERRORS, Line, Position, parse, share_text
from ..games.deal.rules import ITEMS, Share, legal_partner_values, pareto
from . import plots
from .notebook import show_game, table

STYLE = """<style>
.spk {line-height: 1.45; font-size: 14px; color: #111; background: #fff; padding: 4px}
.spk table {border-collapse: collapse; margin: 4px 0; font-size: 13px}
.spk caption {text-align: left; font-weight: bold; padding: 2px 0}
.spk th, .spk td {border: 1px solid #bbb; padding: 2px 8px; text-align: left}
.spk-talk {display: flex; flex-direction: column-reverse; max-height: 19em;
  overflow-y: auto; border: 1px solid #bbb; border-radius: 4px; padding: 4px}
.spk p {margin: 3px 0; overflow-wrap: anywhere}
.spk p.mine, .spk p.theirs, .spk p.wrong {padding: 3px 8px; border-radius: 4px}
.spk p.mine {background: #d9eaf5; margin-left: 12%}
.spk p.theirs {background: #eee; margin-right: 12%}
.spk p.wrong {background: #fdf0d5; border-left: 4px solid #8a5a00}
.spk p.alert {font-weight: bold}
.spk-columns {display: flex; flex-wrap: wrap; gap: 12px}
.spk-columns > div {flex: 1 1 340px; min-width: 0}
.spk img {max-width: 100%; height: auto}
.spk .wide {overflow-x: auto}
.widget-html-content:has(.spk) {min-width: 0}
</style>"""


def picture(draw: Callable[[Any], str], size: tuple[float, float] = (7, 4.2)) -> str:
    """An HTML image of what ``draw(figure)`` draws; it returns the words that
    stand for the image where it can't be seen. Safe in any thread."""
    from matplotlib.figure import Figure

    figure, out = Figure(figsize=size, layout="constrained"), io.BytesIO()
    alt = draw(figure)
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def note(text: str, role: str = "alert") -> str:
    """A sentence; with the role ``alert`` a screen reader says it at once."""
    kind = f' role="{role}"' if role else ""
    return f'<div class="spk"{kind}><p class="{role}">{escape(text)}</p></div>'


def columns(parts: Iterable[str]) -> str:
    """HTML side by side, or one below the other where the page is narrow."""
    inside = "".join(f"<div>{part}</div>" for part in parts)
    return f'<div class="spk-columns">{inside}</div>'


def read_out(p: Any, line: Line) -> str:
    """A line of any game's position as a paragraph: an own move as it was said, the
    rest as the rules put it to a reader."""
    if isinstance(p, Position):
        return spoken(line)
    if line.by in ("mine", "tried"):
        kind, text = ("mine", "You") if line.by == "mine" else ("wrong", "You tried")
        return f'<p class="{kind}">{text}: {escape(line.text)}</p>'
    kind = "wrong" if line.by == "correction" else "theirs"
    return f'<p class="{kind}">{escape(p.heard(line, p_style(p)))}</p>'


def p_style(p: Any) -> str:
    """The style in which a person reads a position: the fullest its game has."""
    styles = KINDS[p.kind].styles
    return "long" if "long" in styles else styles[0]


def spoken(line: Line) -> str:
    """A line of a position as a paragraph, everything in it escaped."""
    kind, text = "mine", parse(line.text, (99, 99, 99)).text
    if line.by == "theirs":
        kind, text = "theirs", f"Partner: {line.text}"
    elif line.by == "proposed":
        kind, text = "theirs", "Partner has made its private proposal."
    elif line.by == "tried":
        kind, text = "wrong", f"You tried: {line.text}"
    elif line.by == "correction":
        kind, text = "wrong", f"Not valid. {ERRORS[line.text]} Try again."
    elif parse(line.text, (99, 99, 99)).kind == "propose":
        text = f"You propose, in private: {text}"
    else:
        text = f"You: {text}"
    return f'<p class="{kind}">{escape(text)}</p>'


def talk(position: Any) -> str:
    """All that this seat has seen so far, the latest in view."""
    lines = (
        "".join(read_out(position, line) for line in position.lines)
        or "<p>Nobody has spoken yet.</p>"
    )
    return (
        '<div class="spk"><div class="spk-talk" tabindex="0" role="group" '
        f'aria-label="What was said"><div>{lines}</div></div></div>'
    )


def head(p: Any) -> str:
    """What a seat knows from the start: pool, values, what it is paid for."""
    if not isinstance(p, Position):
        rules_ = escape(p.system(p_style(p))).replace("\n", "<br>")
        return f'{STYLE}<div class="spk"><p>{rules_}</p></div>'
    rows = list(zip(ITEMS, p.counts, p.values, strict=True))
    lam, paid = p.objective.lam, "your own points"
    if lam:
        times = "" if abs(lam) == 1 else f"{abs(lam):g} × "
        paid = f"your points {'+' if lam > 0 else '−'} {times}your partner's points"
    names = ("kind", "in the pool", "one is worth to you")
    return (
        f'{STYLE}<div class="spk">{table(names, rows, "Divide these")}'
        f"Your reward: {escape(paid)}; without a deal, 0.</div>"
    )


def worths(values: Share) -> str:
    """Values in words.

    >>> worths((1, 3, 4))
    '1 for each book, 3 for each hat, 4 for each ball'
    """
    each = zip(values, ITEMS, strict=True)
    return ", ".join(f"{v} for each {item[:-1]}" for v, item in each)


def worth(p: Position, share: Share) -> str:
    """What ``share`` would bring this seat, as far as it can know.

    >>> from selfplay_kit.games.deal.rules import SEMI, Scenario
    >>> s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    >>> worth(Game(s, SEMI).position(0), (1, 0, 1))
    '1 book, 0 hats, 1 ball: worth 5 of 10 points to you.'
    """
    mine = rules.worth(p.values, share)
    told = f"{share_text(share)}: worth {mine} of 10 points to you."
    if p.objective.lam == 0:
        return told
    rest = tuple(n - k for n, k in zip(p.counts, share, strict=True))
    rewards = [
        p.objective.rewards(mine, rules.worth(theirs, rest))[0]
        for theirs in legal_partner_values(p.counts, p.values)
    ]
    mean = sum(rewards) / len(rewards)
    return (
        f"{told} Your reward would lie between {min(rewards):g} and {max(rewards):g}, "
        f"{mean:.1f} on average over the values that your partner may have."
    )


def ending(t: Any, seat: int = 0) -> str:
    """How a game ended for ``seat``, with the partner's values and the frontier."""
    if not isinstance(t, Transcript):
        names = ("you", "your partner") if seat == 0 else ("your partner", "you")
        told = f"{t.summary(names)} Your reward: {t.rewards[seat]:g}."
        game = _wide(show_game(t, names=names), "The whole game")
        return f'{STYLE}<div class="spk"><p>{escape(told)}</p>{game}</div>'
    mine = t.scenario if seat == 0 else t.scenario.mirrored()
    x, y = t.points[seat], t.points[1 - seat]
    marks, said = {}, [f"No deal: {why(t, seat)}."]
    if t.shares is not None:
        marks = {"your deal": (t.shares[seat], t.shares[1 - seat])}
        best = [mine.pays(pair) for pair in pareto(mine)]
        a, b = max((p for p in best if p[0] >= x and p[1] >= y), key=sum)
        told = "not Pareto-optimal: another deal pays you {} and your partner {}"
        if (a, b) == (x, y):
            told = "Pareto-optimal: neither could gain without the other losing"
        said = [f"Deal: {x} point{'s' * (x != 1)} for you, {y} for your partner."]
        said.append(f"It is {told.format(a, b)}.")
    said.append(f"Your reward: {t.rewards[seat]:g} (λ = {t.objective.lam:g}).")
    said.append(f"Your partner's values were {worths(mine.values[1])}.")

    def draw(figure: Any) -> str:
        ax = plots.frontier(mine, marks, ax=figure.subplots())
        ax.set(xlabel="your points", ylabel="your partner's points")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
        return "Every deal by your points and your partner's. " + " ".join(said)

    words = "".join(f"<p>{escape(s)}</p>" for s in said)
    names = ("you", "your partner") if seat == 0 else ("your partner", "you")
    return (
        f'{STYLE}<div class="spk"><div role="alert">{words}</div>'
        f"{picture(draw, (5, 5))}"
        "<details><summary>The whole game, as the parser saw it</summary>"
        f"{_wide(show_game(t, names=names), 'The whole game')}</details></div>"
    )


def why(t: Transcript, seat: int) -> str:
    """Why a game has no deal, told to the player of ``seat``."""
    if t.aborted:
        return "five invalid outputs in a row"
    shares = {
        m.seat: parse(m.text, t.scenario.counts).share for m in t.moves if not m.error
    }
    if None in shares.values():
        return "too many moves"
    yours, theirs = shares[seat] or (), shares[1 - seat] or ()
    return (
        f"you took {share_text(yours)}, your partner {share_text(theirs)}, and that is "
        "not the pool"
    )


def _wide(inside: str, label: str) -> str:
    """What may be wider than the page: it scrolls, by keyboard too."""
    named = f'tabindex="0" role="group" aria-label="{escape(label)}"'
    return f'<div class="wide" {named}>{inside}</div>'


def steps(t: Any, upto: int) -> str:
    """The first ``upto`` moves: what each seat sees, and move by move what the parser
    and the phrasebook read, with what each offer would pay the two players."""
    if not isinstance(t, Transcript):
        return _plain_steps(t, upto)
    game = Game(t.scenario, t.objective, t.first)
    rows = []
    for move in t.moves[:upto]:
        game = game.submit(move)
        rows.append(_examined(t, game))
    views = columns(
        f"<b>Player {seat} sees</b><br>Its values: "
        f"{worths(t.scenario.values[seat])}.{talk(game.position(seat))}"
        for seat in (0, 1)
    )
    names = ("player", "said", "the parser", "heard in it", "pays 0", "pays 1")
    caption = f"Moves 1 to {upto} of {len(t.moves)}" if upto else "No move yet"
    end, (x, y) = "Deal" if t.agreed else "No deal", t.points
    told = f"<p><b>{end}</b>: {x} points for player 0, {y} for player 1.</p>"
    return (
        f'{STYLE}<div class="spk">Pool: {share_text(t.scenario.counts)}. '
        f"λ = {t.objective.lam:g}. Player {t.first} speaks first."
        f"{views}"
        f"{_wide(table(names, rows, caption), caption)}"
        f"{told if upto >= len(t.moves) else ''}</div>"
    )


def _plain_steps(t: Any, upto: int) -> str:
    """:func:`steps` of a game that has no view of its own."""
    game = start(t.task, t.objective, first=t.first)
    for move in t.moves[:upto]:
        game = game.submit(move)
    views = columns(
        f"<b>Player {seat} sees</b>{head(game.position(seat))}"
        f"{talk(game.position(seat))}"
        for seat in (0, 1)
    )
    rows = [(m.seat, m.text, m.error or "a move") for m in game.moves]
    caption = f"Moves 1 to {upto} of {len(t.moves)}" if upto else "No move yet"
    told = f"<p>{escape(t.summary())}</p>" if upto >= len(t.moves) else ""
    moves = _wide(table(("player", "said", "the parser"), rows, caption), caption)
    return f'{STYLE}<div class="spk">{views}{moves}{told}</div>'


def _examined(t: Transcript, game: Game) -> tuple[Any, ...]:
    """The latest move of ``game`` as a row of :func:`steps`."""
    move = game.moves[-1]
    seat = move.seat or 0
    reading = parse(move.text, t.scenario.counts)
    saw, meant, share = f"a {reading.kind}", "", reading.share
    if move.error:
        saw = f"{move.error}: {ERRORS[move.error]}"
    elif reading.kind == "propose":
        saw = f"a proposal, to take {share_text(share or ())}"
    else:
        heard = hear(reading.text)
        if heard.values:
            true = heard.values == t.scenario.values[seat]
            meant = f"values {heard.values}: {'true' if true else 'not true'}"
        if heard.mine or heard.yours:
            share = heard.mine or t.scenario.complement(heard.yours or ())
            meant += "; " * bool(meant) + ("accepts" if heard.accepts else "an offer")
    rest = t.scenario.complement(share) if share else ()
    if move.error or share is None or min(*share, *rest) < 0:
        return seat, move.text, saw, meant, "", ""
    pays = [0, 0]
    pays[seat] = t.scenario.points(seat, share)
    pays[1 - seat] = t.scenario.points(1 - seat, rest)
    return seat, move.text, saw, meant, *pays
