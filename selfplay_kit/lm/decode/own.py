"""A model's own forward pass: what it says itself, with none of the kit's shortcuts.

It is the measure that the fast path of ``rows`` is held against,
and the way to play and to train where the two differ. Only what ``transformers``
documents is used: tokens, a mask, positions, the model's own cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .. import adapters

CACHES = ("past_key_values", "cache_params", "state")  # what models call their cache


class Unfit(ValueError, AttributeError):
    """A way to run a model does not suit it; the message says why in words."""


def accepts(model: Any, name: str) -> bool:
    """Whether the forward pass of ``model`` takes an argument called ``name``."""
    return name in inspect.signature(adapters.bare(model).forward).parameters


def call(model: Any, **arguments: Any) -> Any:
    """The forward pass of ``model``, given those ``arguments`` that it knows."""
    known = {k: v for k, v in arguments.items() if accepts(model, k)}
    return adapters.bare(model)(**known)


def logits(model: Any, ids: Sequence[int]) -> Tensor:
    """The logits after each token of one row, (tokens, vocabulary), in fp32: no
    cache, no padding, nothing beside it."""
    device = next(model.parameters()).device
    row = torch.tensor([list(ids)], device=device)
    return call(model, input_ids=row, use_cache=False).logits[0].float()


@dataclass
class _Batch:
    """Rows that are read together, with the model's cache of them."""

    places: list[int]  # of its rows among those at work
    mask: Tensor | None = None
    cache: dict[str, Any] = field(default_factory=dict)


class Reread:
    """Rows at work through the model's own forward pass.

    A reply begins by reading its rows whole: all together, filled up on the left
    (``cached``), or those of one length together (``lengths``), and goes on by the
    model's own cache; or rows are read whole for each token (``uncached``).
    """

    def __init__(
        self, model: Any, rows: Sequence[int], held: list[list[int]], how: str
    ):
        self.model, self.rows, self.held, self.how = model, list(rows), held, how
        self.device = next(model.parameters()).device
        self.batches: list[_Batch] = []

    def forward(self, chunks: Sequence[Sequence[int]]) -> Tensor:
        """Append a chunk to each row; the logits of the next token in fp32. A row
        without a chunk is idle, and what is given in its place has no meaning."""
        for row, chunk in zip(self.rows, chunks, strict=True):
            self.held[row] += chunk
        begun = bool(self.batches)
        if not begun:
            self.batches = self._batches(chunks)
        answers: dict[int, Tensor] = {}
        for batch in self.batches:
            new = [chunks[at] for at in batch.places]
            if any(new):
                read = self._step(batch, new) if begun else self._start(batch)
                logits = self._call(batch, read)
                answers |= zip(batch.places, logits, strict=True)
        if self.how == "uncached":
            self.batches = []
        idle = torch.zeros_like(next(iter(answers.values())))
        return torch.stack([answers.get(at, idle) for at in range(len(self.rows))])

    def _batches(self, chunks: Sequence[Sequence[int]]) -> list[_Batch]:
        if self.how == "cached":
            return [_Batch(list(range(len(self.rows))))]
        lengths: dict[int, list[int]] = {}
        for at, (row, chunk) in enumerate(zip(self.rows, chunks, strict=True)):
            if chunk:
                lengths.setdefault(len(self.held[row]), []).append(at)
        return [_Batch(places) for places in lengths.values()]

    def _start(self, batch: _Batch) -> Tensor:
        texts = [self.held[self.rows[at]] for at in batch.places]
        wide = max(map(len, texts))
        fill = [wide - len(t) for t in texts]
        if self.how == "cached":
            mask = [[0] * n + [1] * (wide - n) for n in fill]
            batch.mask = torch.tensor(mask, device=self.device)
        ids = [[0] * n + t for n, t in zip(fill, texts, strict=True)]
        return torch.tensor(ids, device=self.device)

    def _step(self, batch: _Batch, new: list[Sequence[int]]) -> Tensor:
        if batch.mask is not None:
            seen = torch.tensor([[len(c)] for c in new], device=self.device)
            batch.mask = torch.cat([batch.mask, seen], 1)
        return torch.tensor([list(c) or [0] for c in new], device=self.device)

    def _call(self, batch: _Batch, ids: Tensor) -> Tensor:
        how: dict[str, Any] = {"use_cache": self.how != "uncached", **batch.cache}
        if batch.mask is not None:
            places = (batch.mask.cumsum(1) - 1).clamp(min=0)
            how["position_ids"] = places[:, -ids.shape[1] :]
            how["attention_mask"] = batch.mask
        out = call(self.model, input_ids=ids, logits_to_keep=1, **how)
        if how["use_cache"]:
            batch.cache = {n: out[n] for n in CACHES if out.get(n) is not None}
            if not batch.cache:
                raise Unfit("it gives back no cache")
        return out.logits[:, -1].float()

    def without_idle(self, going: set[int]) -> Reread:
        """The same work: idle rows cost little beside reading all anew."""
        return self

    def close(self) -> None:
        """Nothing is kept but the tokens."""


def logits_at(model: Any, ids: Tensor, mask: Tensor, at: Tensor, alone: bool) -> Tensor:
    """The logits after those tokens of a batch that ``at`` marks, (n, vocabulary).
    Rows are filled up on the right; with ``alone`` each is read by itself."""
    if alone:
        parts = []
        for row, seen, wanted in zip(ids, mask, at, strict=True):
            n = int(seen.sum())
            out = call(model, input_ids=row[None, :n], use_cache=False)
            parts.append(out.logits[0][wanted[:n]])
        return torch.cat(parts)
    how: dict[str, Any] = {"attention_mask": mask, "use_cache": False}
    if accepts(model, "logits_to_keep"):  # memory: only where some row has a label
        keep = at.any(0).nonzero()[:, 0]
        out = call(model, input_ids=ids, logits_to_keep=keep, **how)
        return out.logits[at[:, keep]]
    return call(model, input_ids=ids, **how).logits[at]
