"""Keys and values of many rows, kept between turns: the cache of the fast path.

:class:`Store` holds them for all rows; :class:`Work` lends those of some rows to a
model as a ``transformers`` cache. Rows have lengths of their own, without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .own import Unfit

if TYPE_CHECKING:
    from .rows import Rows

FEW = 0.25  # up to this share of long rows, the others keep their room
SPARSE = 0.7  # below this share of busy rows, idle ones are left out of the work


class Store:
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
        it held before is old but finite, and no mask lets it through."""
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


class Work:
    """The rows at work: where they lie close together, a view of the store with
    idle rows between them; else a copy, put back by :meth:`close`.

    It takes the place of a ``transformers`` cache: each layer hands its new keys and
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

    def without_idle(self, going: set[int]) -> Work:
        """The same work with those rows alone that go on."""
        self.close()
        return Work(self.owner, [r for r in self.rows if r in going])

    def close(self) -> None:
        """Put what was read back into the store."""
        self.owner.lengths[self.index] = self.lengths
        if self.span is not None:
            return
        self.store.keep(self.rows, self.lengths.tolist(), self.copies, self.index)

    def get_seq_length(self, layer: int = 0) -> int:
        return self.room

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Unfit(f"the kit's cache has no {name}")


def _room_for(like: Tensor, count: int, room: int) -> Tensor:
    return like.new_zeros((count, like.shape[1], room, like.shape[3]))


def _widened(t: Tensor, room: int) -> Tensor:
    wide = t.new_zeros((*t.shape[:2], room, t.shape[3]))
    wide[:, :, : t.shape[2]] = t
    return wide
