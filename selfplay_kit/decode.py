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
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from . import adapters

FEW = 0.25  # up to this share of long rows, the others keep their room
MANY = 4096  # words of a vocabulary, more than any tiny model has
SPARSE = 0.7  # below this share of busy rows, idle ones are left out of the work


def _adapter_at_work(method):
    @wraps(method)
    def light(self, *args, **how):
        with adapters.at_work(self.model):
            return method(self, *args, **how)

    return light


class Rows:
    """``count`` rows over ``model``, with room that grows as they do."""

    def __init__(self, model: Any, count: int, *, capacity: int = 96):
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
    @_adapter_at_work
    def extend(self, rows: Sequence[int], chunks: Sequence[Sequence[int]]) -> Tensor:
        """Append a chunk of token ids to each of ``rows``.

        Returns the logits of the next token, shape (len(rows), vocabulary). A
        chunk may be empty only where a sampled token is still unread.
        """
        new = self._with_unread(rows, chunks)
        work = _Work(self, rows)
        logits = self._forward(work, [new.get(r, []) for r in work.rows])
        work.close()
        place = {r: at for at, r in enumerate(work.rows)}
        return logits[[place[r] for r in rows]]

    @torch.inference_mode()
    @_adapter_at_work
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
        new = self._with_unread(rows, chunks)
        sampled: dict[int, list[int]] = {r: [] for r in rows}
        going = set(rows)
        work = _Work(self, rows)
        logits = self._forward(work, [new.get(r, []) for r in work.rows])
        for step in range(max_new):
            tokens = _draw(logits, temperature, generator).tolist()
            for r, token in zip(work.rows, tokens, strict=True):
                if r in going:
                    sampled[r].append(token)
                    if token == stop or step == max_new - 1:
                        self.unread[r] = [token]
                        going.discard(r)
            if not going:
                break
            if len(going) < SPARSE * len(work.rows):
                work = work.without_idle(going)
            last = [[sampled[r][-1]] if r in going else [] for r in work.rows]
            logits = self._forward(work, last)
        work.close()
        return [sampled[r] for r in rows]

    def _with_unread(self, rows, chunks) -> dict[int, list[int]]:
        new = {r: [*self.unread[r], *c] for r, c in zip(rows, chunks, strict=True)}
        if len(new) != len(rows) or not all(new.values()):
            raise ValueError(
                "rows must be distinct, and a chunk may be empty only where its row "
                "holds an unread token"
            )
        for r in rows:
            self.unread[r] = []
        return new

    def _forward(self, work: _Work, chunks: list[list[int]]) -> Tensor:
        wide = max(map(len, chunks))
        padded = [c + [0] * (wide - len(c)) for c in chunks]
        ids = torch.tensor(padded, device=self.device)
        steps = torch.tensor([len(c) for c in chunks], device=self.device)
        places = work.lengths[:, None] + torch.arange(wide, device=self.device)
        longest = int((work.lengths + steps).max())
        if longest > self.window:
            raise ValueError(
                f"a row has {longest} tokens, more than the model's window of "
                f"{self.window}"
            )
        work.make_room(int(places.max()) + 1)  # filler past the window does no harm
        work.places = places
        columns = torch.arange(work.width, device=self.device)
        hidden_future = columns[None, None, :] > places[:, :, None]
        mask = torch.zeros(
            hidden_future.shape, dtype=self.model.dtype, device=self.device
        ).masked_fill_(hidden_future, torch.finfo(self.model.dtype).min)
        with grouped_attention(self.model):
            states = _trunk(self.model)(
                input_ids=ids,
                attention_mask=mask[:, None],
                position_ids=places.clamp(max=self.window - 1),
                past_key_values=work,
                use_cache=True,
            ).last_hidden_state
        work.lengths += steps
        last = states[torch.arange(len(chunks), device=self.device), steps - 1]
        return self.model.get_output_embeddings()(last).float()


class _Store:
    """Keys and values of all rows: two tensors a layer, (rows, heads, room, dim).

    A few rows may outgrow the rest, as one game in many goes on and on: what stands
    past the common room is then kept for these rows alone, in ``over``.
    """

    def __init__(self, count: int, room: int):
        self.count, self.room = count, room
        self.layers: list[tuple[Tensor, ...]] = []
        self.scratch: dict[tuple[int, int], Tensor] = {}
        self.over: dict[int, list[tuple[Tensor, ...]]] = {}  # row: (keys, values) each

    def spare(self, layer: int, which: int, like: Tensor, shape: tuple) -> Tensor:
        """Memory for a copy, used again by the next one: fresh memory is slow. What
        stands in it is old but finite, and no mask lets it through."""
        size = shape[0] * shape[1] * shape[2] * shape[3]
        flat = self.scratch.get((layer, which))
        if flat is None or flat.numel() < size:
            flat = like.new_zeros(size * 5 // 4)
            self.scratch[layer, which] = flat
        return flat[:size].view(shape)

    def grow(self, room: int) -> None:
        if room <= self.room:
            return
        old = self.room
        past = [pairs[0][0].shape[1] for pairs in self.over.values()]
        self.room = max(room, old * 3 // 2, old + max(past, default=0))
        for i, pair in enumerate(self.layers):
            self.layers[i] = tuple(_widened(t, self.room) for t in pair)
            for row, pairs in self.over.items():
                for t, rest in zip(self.layers[i], pairs[i], strict=True):
                    t[row, :, old : old + rest.shape[1]] = rest
        self.over.clear()

    def keep(self, rows, lengths, copies, index) -> None:
        """Put ``copies`` of ``rows`` back; grow only where many are long."""
        long = [at for at, length in enumerate(lengths) if length > self.room]
        if len({*self.over, *(rows[at] for at in long)}) > FEW * self.count:
            self.grow(max(lengths))
            long = []
        for stored, pair in zip(self.layers, copies, strict=False):
            for t, copy in zip(stored, pair, strict=True):
                common = min(copy.shape[2], self.room)
                t[index, :, :common] = copy[:, :, :common]
        for at in long:
            past = slice(self.room, lengths[at])
            self.over[rows[at]] = [
                tuple(copy[at, :, past].clone() for copy in pair) for pair in copies
            ]


class _Work:
    """The rows at work: where they lie close together, a view of the store with
    idle rows between them; else a copy, put back by :meth:`close`.

    It stands in for a ``transformers`` cache: each layer hands its new keys and
    values to :meth:`update` and gets back all of them. An idle row is fed filler
    past its end, which its next real token overwrites.
    """

    is_compileable = False

    def __init__(self, owner: Rows, rows: Sequence[int]):
        self.owner, self.store = owner, owner.store
        low, high = min(rows), max(rows) + 1
        many = len(rows) > FEW * owner.store.count
        near = many and len(rows) >= SPARSE * (high - low)
        near = near and not any(low <= r < high for r in owner.store.over)
        self.span = slice(low, high) if near else None
        self.rows = list(range(low, high)) if near else list(rows)
        self.index = torch.tensor(self.rows, device=owner.device)
        self.lengths = owner.lengths[self.index]
        self.room = int(self.lengths.max())
        self.places: Tensor | None = None
        self.at = torch.arange(len(self.rows), device=owner.device)[:, None]
        self.copies = (
            [] if near else [self._copy(i) for i in range(len(self.store.layers))]
        )

    def _copy(self, layer: int) -> tuple:
        pair = tuple(t[:, :, : self.room] for t in self.store.layers[layer])
        copies = self._blank(layer, pair)
        for which, (copy, t) in enumerate(zip(copies, pair, strict=True)):
            common = t.shape[2]
            copy[:, :, :common] = t.index_select(0, self.index)
            for at, row in enumerate(self.rows):
                if row in self.store.over:
                    rest = self.store.over[row][layer][which]
                    copy[at, :, common : common + rest.shape[1]] = rest
        return copies

    def _blank(self, layer: int, like: tuple[Tensor, ...]) -> tuple:
        room = self._blank_room()
        return tuple(
            self.store.spare(
                layer, i, t, (len(self.rows), t.shape[1], room, t.shape[3])
            )
            for i, t in enumerate(like)
        )

    @property
    def width(self) -> int:
        """How many keys of a row are attended to, those behind its end masked. In
        half precision a part of the room would be copied for each product, so there
        it is all of it; in fp32 it is as much as the longest row needs."""
        if self.owner.model.dtype.itemsize > 2:
            return self.room
        if self.copies:
            return self.copies[0][0].shape[2]
        return self.store.room if self.span is not None else self._blank_room()

    def _blank_room(self) -> int:
        return min(self.room + 32, self.owner.window)

    def make_room(self, room: int) -> None:
        self.room = room
        if self.span is not None:
            self.store.grow(room)
        if self.copies and room > self.copies[0][0].shape[2]:
            self.copies = [
                tuple(_widened(t, room + 32) for t in pair) for pair in self.copies
            ]

    def update(self, keys: Tensor, values: Tensor, layer: int, *_, **__):
        """Write new keys and values at each row's own end; return all so far."""
        store = self.store
        if layer == len(store.layers):
            store.layers.append(
                tuple(_room_for(t, store.count, store.room) for t in (keys, values))
            )
        if self.span is None and layer == len(self.copies):
            self.copies.append(self._blank(layer, (keys, values)))
        if self.span is None:
            whole = self.copies[layer]
        else:
            whole = tuple(t[self.span] for t in store.layers[layer])
        for t, new in zip(whole, (keys, values), strict=True):
            t[self.at, :, self.places] = new.transpose(1, 2)
        return tuple(t[:, :, : self.width] for t in whole)

    def without_idle(self, going: set[int]) -> _Work:
        """The same work with those rows alone that go on."""
        self.close()
        return _Work(self.owner, [r for r in self.rows if r in going])

    def close(self) -> None:
        """Put what was read back into the store."""
        self.owner.lengths[self.index] = self.lengths
        if self.span is not None:
            return
        self.store.keep(self.rows, self.lengths.tolist(), self.copies, self.index)

    def get_seq_length(self, layer: int = 0) -> int:
        return self.room


def _room_for(like: Tensor, count: int, room: int) -> Tensor:
    return like.new_zeros((count, like.shape[1], room, like.shape[3]))


def _widened(t: Tensor, room: int) -> Tensor:
    wide = t.new_zeros((*t.shape[:2], room, t.shape[3]))
    wide[:, :, : t.shape[2]] = t
    return wide


def _trunk(model: Any) -> Any:
    """The model without its head (under an adapter, the adapted one)."""
    return adapters.bare(model).base_model


def _draw(logits: Tensor, temperature: float, generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    odds = torch.softmax(logits / temperature, dim=-1)
    if odds.shape[1] <= MANY:
        return torch.multinomial(odds, 1, generator=generator)[:, 0]
    # That draws a number for every word, here a third of a step. One for a row does:
    # the word is where it falls in the running sum.
    sums = odds.cumsum(-1)
    one = torch.rand((len(odds), 1), generator=generator, device=odds.device)
    at = torch.searchsorted(sums, one * sums[:, -1:], right=True)
    return at[:, 0].clamp(max=odds.shape[1] - 1)


def _grouped(module, query, key, value, mask, scaling=None, dropout=0.0, **_):
    """Attention in which the query heads of one key head are one matrix product."""
    rows, heads, steps, dim = query.shape
    groups = key.shape[1]
    q = query.reshape(rows, groups, heads // groups * steps, dim) * scaling
    scores = (q @ key.transpose(2, 3)).view(rows, groups, -1, steps, key.shape[2])
    weights = torch.softmax(scores + mask[:, :, None], dim=-1)
    out = weights.view(rows, groups, -1, key.shape[2]) @ value
    return out.view(rows, heads, steps, dim).transpose(1, 2), None


GROUPED = "selfplay_grouped"


def attends_grouped(model: Any) -> bool:
    """Whether ``model`` stands within :func:`grouped_attention` now."""
    return _trunk(model).config._attn_implementation == GROUPED


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within this block, ``model`` attends by :func:`_grouped`, which takes a mask of
    (rows, 1, new tokens, keys) that is added to the scores."""
    from transformers import AttentionInterface

    AttentionInterface.register(GROUPED, _grouped)
    config = _trunk(model).config
    before = config._attn_implementation
    config._attn_implementation = GROUPED
    try:
        yield
    finally:
        config._attn_implementation = before
