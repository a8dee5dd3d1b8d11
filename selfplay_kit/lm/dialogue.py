"""A position as tokens: where the game's text meets a model's chat template.

The system prompt is the rules and the seat's private view, the model's own moves
are assistant turns, the partner's are user turns (Liao et al. 2024, section 3).
Play extends a row by the turns that are new; cloning reads the same turns with
their labels. Both call :func:`dialogue`, so training sees what was sampled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from ..games.base import Line, Position, kind
from .models import LanguageModel


@dataclass(frozen=True, slots=True)
class Turn:
    """Some tokens of a dialogue; ``own`` says who wrote them.

    ``own`` is ``None`` for what the model reads, ``mine`` for its accepted moves
    and ``tried`` for its invalid ones.
    """

    ids: tuple[int, ...]
    own: str | None = None
    logprobs: tuple[float, ...] | None = None  # of an own move that was sampled


def dialogue(lm: LanguageModel, p: Position) -> list[Turn]:
    """The whole of ``p`` as turns, up to where the model speaks next.

    An own move keeps the tokens that were sampled, where it has them; otherwise
    it is its text and the stop token.
    """
    chat = lm.chat
    head = chat.before_system + p.system(lm.style)
    lines = p.lines
    if lines and lines[0].by == "theirs":
        head += chat.system_to_user + _heard(lm, p, lines[0]) + chat.user_to_assistant
        lines = lines[1:]
    else:
        head += chat.system_to_assistant
    turns = [Turn(lm.encode(head))]
    for line in lines:
        if line.by in ("mine", "tried"):
            ids = line.tokens or (*lm.encode(lm.plain(line.text)), lm.stop)
            turns.append(Turn(ids, line.by, line.logprobs if line.tokens else None))
        else:
            turns.append(_read(lm, p, line, turns[-1]))
    return turns


def prompt_digest(lm: LanguageModel, game: str = "deal") -> str:
    """What tells one way of speaking to ``lm`` from another: SHA-256 over the tokens of
    a fixed dialogue (its prompt style, chat template and tokenizer)."""
    turns = [turn.ids for turn in dialogue(lm, kind(game).example())]
    return hashlib.sha256(str(turns).encode()).hexdigest()


def _read(lm: LanguageModel, p: Position, line: Line, before: Turn) -> Turn:
    ids = lm.encode(
        lm.chat.assistant_to_user + _heard(lm, p, line) + lm.chat.user_to_assistant
    )
    stopped = before.ids[-1] == lm.stop and ids[0] == lm.stop
    return Turn(ids[1:] if stopped else ids)


def _heard(lm: LanguageModel, p: Position, line: Line) -> str:
    """A line that is not the model's own, as it reads it: no words of the partner
    become a control token, a role or a notice of the game."""
    said = replace(line, text=lm.plain(line.text))
    return lm.plain(p.heard(said, lm.style))
