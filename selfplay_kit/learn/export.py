"""A round's kept games as chat JSONL, for a provider's fine-tuning.

That was the paper's own route: its model could be trained only by its provider
(Liao et al. 2024, section 3). Each line is ``{"messages": [...]}``: the system
prompt, the partner's turns as the user, the player's own accepted moves as the
assistant; failed tries and corrections are left out, and nothing follows the last
own move. Whether the provider puts loss on every assistant turn is up to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..files import read_json
from ..lm.endpoint import chat_messages
from .cloning import View, read_back
from .rounds import Config, RunError, keep, learners, read_rounds
from .rules import RULES


def chat_line(view: View, style: str = "long") -> str:
    """One view as a line of chat JSONL; empty if the player never moved.

    >>> from selfplay_kit.games.deal.game import Game
    >>> from selfplay_kit.games.deal.rules import SEMI, Scenario
    >>> g = Game(Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))), SEMI)
    >>> for text in ("[message] hi", "[propose] (0 books, 1 hat, 0 balls)",
    ...              "[propose] (3 books, 0 hats, 1 ball)"):
    ...     g = g.submit(text)
    >>> line = json.loads(chat_line(View(g.transcript(), 0)))
    >>> [m["role"] for m in line["messages"]]
    ['system', 'assistant', 'user', 'assistant']
    """
    messages = chat_messages(read_back(view), style)
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    return json.dumps({"messages": messages}, ensure_ascii=False) if messages else ""


def kept_views(folder: str | Path, number: int) -> list[View]:
    """The views of round ``number`` that the run in ``folder`` keeps to train on:
    the same ones, drawn by the same chance, as its next round learned from.

    Raises :class:`~selfplay_kit.learn.rounds.RunError` if the round is not there or the
    run's rule heeds no filter.
    """
    rounds = read_rounds(folder)
    if not 0 <= number < len(rounds):
        raise RunError(
            f"{folder} holds {len(rounds)} whole rounds"
            + (f", 0 to {len(rounds) - 1}" if rounds else "")
            + f"; round {number} was asked for"
        )
    config = read_config(folder)
    if not getattr(RULES[config.rule], "filters", False):
        raise RunError(
            f"{folder} was trained by {config.rule}, which has no filter: no view "
            "is kept or left out there"
        )
    if config.filter == "drawn" and number >= len(config.draw):
        raise RunError(
            f"{folder} says for {len(config.draw)} rounds how many views to draw, and "
            f"no round learned from round {number}: ask for one from 0 to "
            f"{len(config.draw) - 1}"
        )
    return keep(config, number + 1, learners(rounds[number]))


def read_config(folder: str | Path) -> Config:
    """The configuration of the run in ``folder``."""
    there = read_json(Path(folder) / "config.json")
    return Config(**{k: v for k, v in there.items() if k in Config.__annotations__})


def write_chat(some: Iterable[View], out: str | Path, style: str = "long") -> int:
    """Write ``some`` views to ``out``, a line each; returns how many were written.

    An existing file is not overwritten (``FileExistsError``).
    """
    lines = [line for v in some if (line := chat_line(v, style))]
    with Path(out).open("x", encoding="utf-8", newline="\n") as f:
        f.writelines(line + "\n" for line in lines)
    return len(lines)
