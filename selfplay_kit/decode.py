"""Rows of tokens, sampled together from one causal language model.

A *row* is one growing sequence of tokens. :class:`Rows` keeps the keys and values
of every row, so that nothing is read twice: a row is extended by what is new, then
sampled until its stop token. Rows have lengths of their own; each new key is
written at its row's own end, so there is no padding between turns.

Left out: beams, penalties, streaming. Rows know nothing of speakers or listeners.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

SPARSE = 0.7  # when fewer of the rows at work go on, the others are dropped


class Rows:
    """``count`` rows over ``model``, with room that grows as they do."""

    def __init__(self, model: Any, count: int, *, capacity: int = 64):
        self.model = model
        self.device = next(model.parameters()).device
        self.window = getattr(model.config, "max_position_embeddings", 2**30)
        self.store = _Store(count, min(capacity, self.window))
        self.lengths = torch.zeros(count, dtype=torch.long, device=self.device)
        self.unread: list[list[int]] = [[] for _ in range(count)]

    def room(self, row: int) -> int:
        """Tokens that still fit into the model's window in ``row``."""
        return self.window - int(self.lengths[row]) - len(self.unread[row])

    @torch.inference_mode()
    def extend(self, rows: Sequence[int], chunks: Sequence[Sequence[int]]) -> Tensor:
        """Append a chunk of token ids to each of ``rows``.

        Returns the logits of the next token, shape (len(rows), vocabulary). A
        chunk may be empty only where a sampled token is still unread.
        """
        work = _Work(self, rows)
        logits = self._forward(work, self._with_unread(rows, chunks))
        work.close()
        return logits

    @torch.inference_mode()
    def sample(
        self,
        rows: Sequence[int],
        chunks: Sequence[Sequence[int]],
        *,
        stop: int,
        max_new: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> list[list[int]]:
        """Append a chunk to each row, then sample up to ``max_new`` tokens each.

        Returns the sampled ids of each row, ``stop`` included where it came.
        ``temperature`` 0 takes the likeliest token.
        """
        if temperature < 0:
            raise ValueError(f"temperature must be 0 or more; got {temperature}")
        work = _Work(self, rows)
        logits = self._forward(work, self._with_unread(rows, chunks))
        sampled: list[list[int]] = [[] for _ in rows]
        live: list[int | None] = list(range(len(rows)))  # who sits where in `work`
        for step in range(max_new):
            tokens = _draw(logits, temperature, generator).tolist()
            for place, (i, token) in enumerate(zip(live, tokens, strict=True)):
                if i is None:
                    continue
                sampled[i].append(token)
                if token == stop or step == max_new - 1:
                    self.unread[rows[i]] = [token]
                    live[place] = None
            going = [place for place, i in enumerate(live) if i is not None]
            if not going:
                break
            if len(going) < SPARSE * len(live):
                live = [live[place] for place in going]
                work.keep(going)
            new = [[] if i is None else [sampled[i][-1]] for i in live]
            logits = self._forward(work, new)
        work.close()
        return sampled

    def _with_unread(self, rows, chunks) -> list[list[int]]:
        full = [[*self.unread[r], *c] for r, c in zip(rows, chunks, strict=True)]
        for r in rows:
            self.unread[r] = []
        if not all(full):
            raise ValueError("a chunk is empty and its row holds no unread token")
        return full

    def _forward(self, work: _Work, chunks: list[list[int]]) -> Tensor:
        wide = max(map(len, chunks))
        padded = [c + [0] * (wide - len(c)) for c in chunks]
        ids = torch.tensor(padded, device=self.device)
        steps = torch.tensor([len(c) for c in chunks], device=self.device)
        places = work.lengths[:, None] + torch.arange(wide, device=self.device)
        work.make_room(int(places.max()) + 1)
        if work.room > self.window:
            raise ValueError(
                f"a row has {work.room} tokens, more than the model's window of "
                f"{self.window}"
            )
        work.places = places
        columns = torch.arange(work.room, device=self.device)
        hidden_future = columns[None, None, :] > places[:, :, None]
        mask = torch.zeros(
            hidden_future.shape, dtype=self.model.dtype, device=self.device
        ).masked_fill_(hidden_future, torch.finfo(self.model.dtype).min)
        with grouped_attention(self.model):
            states = _trunk(self.model)(
                input_ids=ids,
                attention_mask=mask[:, None],
                position_ids=places,
                past_key_values=work,
                use_cache=True,
            ).last_hidden_state
        work.lengths += steps
        last = states[torch.arange(len(chunks), device=self.device), steps - 1]
        return self.model.get_output_embeddings()(last).float()


class _Store:
    """Keys and values of all rows: two tensors a layer, (rows, heads, room, dim)."""

    def __init__(self, count: int, room: int):
        self.count, self.room = count, room
        self.layers: list[tuple[Tensor, Tensor]] = []

    def grow(self, room: int) -> None:
        if room <= self.room:
            return
        self.room = max(room, self.room * 3 // 2)
        for i, pair in enumerate(self.layers):
            self.layers[i] = tuple(_widened(t, self.room) for t in pair)


class _Work:
    """The rows at work: a view of the store, or a compact copy of some of its rows.

    It stands in for a ``transformers`` cache: each layer hands its new keys and
    values to :meth:`update` and gets back all of them.
    """

    is_compileable = False

    def __init__(self, owner: Rows, rows: Sequence[int]):
        self.owner, self.store = owner, owner.store
        self.rows = torch.as_tensor(rows, device=owner.device)
        self.whole = list(rows) == list(range(self.store.count))
        self.lengths = owner.lengths[self.rows]
        self.places: Tensor | None = None
        self.room = int(self.lengths.max()) if len(rows) else 0
        self.copies: list[tuple[Tensor, Tensor]] = []
        if not self.whole:
            self.copies = [self._copy(pair, self.rows) for pair in self.store.layers]
        self.at = torch.arange(len(rows), device=owner.device)

    def _copy(self, pair: tuple[Tensor, Tensor], rows: Tensor) -> tuple:
        return tuple(
            _widened(t[:, :, : self.room].index_select(0, rows), self.store.room)
            for t in pair
        )

    @property
    def layers(self) -> list[tuple[Tensor, Tensor]]:
        return self.store.layers if self.whole else self.copies

    def make_room(self, room: int) -> None:
        self.room = room
        if room <= self.store.room:
            return
        self.store.grow(room)
        if not self.whole:
            for i, pair in enumerate(self.copies):
                self.copies[i] = tuple(_widened(t, self.store.room) for t in pair)

    def update(self, keys: Tensor, values: Tensor, layer: int, *_, **__):
        """Write new keys and values at each row's own end; return all so far."""
        if layer == len(self.layers):
            for layers, count in self._missing(layer):
                shape = (count, keys.shape[1], self.store.room, keys.shape[3])
                layers.append((keys.new_zeros(shape), values.new_zeros(shape)))
        all_keys, all_values = self.layers[layer]
        at = self.at[:, None]
        all_keys[at, :, self.places] = keys.transpose(1, 2)
        all_values[at, :, self.places] = values.transpose(1, 2)
        return all_keys[:, :, : self.room], all_values[:, :, : self.room]

    def _missing(self, layer: int):
        if len(self.store.layers) == layer:
            yield self.store.layers, self.store.count
        if not self.whole:
            yield self.copies, len(self.rows)

    def keep(self, going: list[int]) -> None:
        """Go on with the rows at these places alone."""
        kept = torch.as_tensor(going, device=self.rows.device)
        self.close()
        self.copies = [self._copy(pair, kept) for pair in self.layers]
        self.whole = False
        self.rows, self.lengths = self.rows[kept], self.lengths[kept]
        self.at = torch.arange(len(going), device=self.rows.device)

    def close(self) -> None:
        """Put what was read back into the store."""
        self.owner.lengths[self.rows] = self.lengths
        if self.whole:
            return
        for stored, copies in zip(self.store.layers, self.copies, strict=True):
            for t, copy in zip(stored, copies, strict=True):
                t[self.rows, :, : self.room] = copy[:, :, : self.room]

    def get_seq_length(self, layer: int = 0) -> int:
        return self.room


def _widened(t: Tensor, room: int) -> Tensor:
    wide = t.new_zeros((*t.shape[:2], room, t.shape[3]))
    wide[:, :, : t.shape[2]] = t
    return wide


def _trunk(model: Any) -> Any:
    """The model without its head (under an adapter, the adapted one)."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.base_model


def _draw(logits: Tensor, temperature: float, generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    odds = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(odds, 1, generator=generator)[:, 0]


def _grouped(module, query, key, value, mask, scaling=None, dropout=0.0, **_):
    """Attention in which the query heads of one key head are one matrix product."""
    rows, heads, steps, dim = query.shape
    groups = key.shape[1]
    q = query.reshape(rows, groups, heads // groups * steps, dim) * scaling
    scores = (q @ key.transpose(2, 3)).view(rows, groups, -1, steps, key.shape[2])
    weights = torch.softmax(scores + mask[:, :, None], dim=-1)
    out = weights.view(rows, groups, -1, key.shape[2]) @ value
    return out.view(rows, heads, steps, dim).transpose(1, 2), None


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within this block, ``model`` attends by :func:`_grouped`."""
    from transformers import AttentionInterface

    AttentionInterface.register("selfplay_grouped", _grouped)
    config = _trunk(model).config
    before = config._attn_implementation
    config._attn_implementation = "selfplay_grouped"
    try:
        yield
    finally:
        config._attn_implementation = before
