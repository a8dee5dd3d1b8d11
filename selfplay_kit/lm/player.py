"""A language model as a player: seats become rows of tokens.

Each seat of each game has a row; what a seat newly sees is appended to its row,
and what the model samples stays in it as it was sampled. The tokens go into the
transcript, so that training sees them too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from ..games.base import Move, Position
from .decode.rows import Rows
from .dialogue import dialogue
from .models import LanguageModel


class LMPlayer:
    """A player that samples its moves from ``lm``.

    ``temperature`` defaults to the model's own (1 in the paper); 0 takes the
    likeliest token.
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        temperature: float | None = None,
        name: str | None = None,
    ):
        self.lm = lm
        self.temperature = lm.temperature if temperature is None else temperature
        self.name = name or lm.name

    def sit(self, games: int, *, seed: int | str) -> LMTable:
        """Sit down to a batch of games; the table's chance comes from ``seed``."""
        return LMTable(self, games, seed)


class LMTable:
    """The rows of one batch, one for each seat of each game, numbered in the order
    in which they first speak (so that rows that speak together lie together)."""

    def __init__(self, player: LMPlayer, games: int, seed: int | str):
        self.lm, self.temperature = player.lm, player.temperature
        self.rows = Rows(self.lm.model, 2 * games)
        self.row_of: dict[tuple[int, int], int] = {}
        self.seen = [0] * (2 * games)  # turns of the dialogue that the row holds
        number = random.Random(f"{seed}/sample").getrandbits(63)
        self.generator = torch.Generator(self.rows.device).manual_seed(number)

    def reply(self, positions: Sequence[Position]) -> list[Move]:
        """One sampled move for each position. Where a row has no room left in the
        model's window, the move is empty (which the protocol counts as invalid).
        """
        at, chunks = [], []
        moves = [Move("")] * len(positions)
        for i, p in enumerate(positions):
            row = self.row_of.setdefault((p.game, p.seat), len(self.row_of))
            turns = dialogue(self.lm, p)
            chunk = [t for turn in turns[self.seen[row] :] for t in turn.ids]
            if self.rows.room(row) >= len(chunk) + self.lm.max_new_tokens:
                self.seen[row] = len(turns) + 1  # and the one that is sampled next
                at.append((i, row))
                chunks.append(chunk)
        if not at:
            return moves
        logprobs: dict[int, list[float]] = {}
        sampled = self.rows.sample(
            [row for _, row in at],
            chunks,
            stop=self.lm.stop,
            max_new=self.lm.max_new_tokens,
            temperature=self.temperature,
            generator=self.generator,
            logprobs=logprobs,
        )
        for (i, row), ids in zip(at, sampled, strict=True):
            moves[i] = Move(
                self.lm.decode(ids),
                tokens=tuple(ids),
                logprobs=tuple(round(x, 5) for x in logprobs[row]),
                temperature=self.temperature,
            )
        return moves

    def close(self) -> None:
        """Free the caches."""
        del self.rows
