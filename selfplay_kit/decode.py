"""Rows of tokens, sampled together from one causal language model.

A *row* is one growing sequence of tokens. :class:`Rows` keeps the keys and values
of every row, so that nothing is read twice: a row is extended by what is new, then
sampled until its stop token. Rows have lengths of their own; each new key is
written at its row's own end, so there is no padding between turns.

That is the fast path, and it is right for most models, not for all: attention may
have windows, caps or sinks, layers may be no attention at all. :func:`route_of` finds
out, and where the two differ rows go through the model's own forward pass.

Left out: beams, penalties, streaming. Rows know nothing of speakers or listeners.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from . import adapters, agreement, own
from .agreement import Route

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

    def __init__(
        self,
        model: Any,
        count: int,
        *,
        capacity: int = 96,
        route: Route | None = None,
    ):
        self.model = model
        self.route = route or route_of(model)
        self.device = next(model.parameters()).device
        self.window = window_of(model)
        self.held: list[list[int]] = [[] for _ in range(count)]  # for the slow path
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
        work = self._begin(rows)
        logits = self._forward(work, [new.get(r, []) for r in work.rows])
        work.close()
        place = {r: at for at, r in enumerate(work.rows)}
        self._must_be_finite(logits, work.rows, rows)
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
        logprobs: dict[int, list[float]] | None = None,
    ) -> list[list[int]]:
        """Append a chunk to each row, then sample up to ``max_new`` tokens each.

        Returns the sampled ids of each row, ``stop`` included where it came.
        ``temperature`` 0 takes the likeliest token. ``logprobs``, if given, is filled:
        for each row the natural logarithms of the probabilities that its ids were
        sampled with (0 at temperature 0).
        """
        if not 0 <= temperature < math.inf:
            raise ValueError(f"temperature must be 0 or more; got {temperature}")
        new = self._with_unread(rows, chunks)
        sampled: dict[int, list[int]] = {r: [] for r in rows}
        going = set(rows)
        work = self._begin(rows)
        logits = self._forward(work, [new.get(r, []) for r in work.rows])
        for step in range(max_new):
            self._must_be_finite(logits, work.rows, going)
            tokens, odds = _draw(logits, temperature, generator)
            chances = odds.log().tolist()
            for r, token, chance in zip(
                work.rows, tokens.tolist(), chances, strict=True
            ):
                if r in going:
                    sampled[r].append(token)
                    if logprobs is not None:
                        logprobs.setdefault(r, []).append(chance)
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

    def _begin(self, rows: Sequence[int]) -> _Work | own.Reread:
        if self.route.play == "fast":
            return _Work(self, rows)
        return own.Reread(self.model, rows, self.held, self.route.play)

    def _must_be_finite(self, logits: Tensor, rows, wanted) -> None:
        """``ValueError`` where a number is inf or nan: no word may hide that."""
        fine = logits.isfinite().all(-1).tolist()
        if all(ok for r, ok in zip(rows, fine, strict=True) if r in wanted):
            return
        dtype = str(self.model.dtype).removeprefix("torch.")
        config = adapters.bare(self.model).config
        name = getattr(config, "_name_or_path", "") or config.model_type
        raise ValueError(
            f"the logits of {name} in {dtype} are not finite numbers (inf or nan), so "
            "no token can be drawn from them. In half precision numbers overflow: load "
            "the model in bf16 or fp32. If they are so in fp32, its weights are broken."
        )

    def _forward(self, work: _Work | own.Reread, chunks: list[list[int]]) -> Tensor:
        if isinstance(work, own.Reread):
            for row, chunk in zip(work.rows, chunks, strict=True):
                self._must_fit(int(self.lengths[row]) + len(chunk))
                self.lengths[row] += len(chunk)
            return work.forward(chunks)
        wide = max(map(len, chunks))
        padded = [c + [0] * (wide - len(c)) for c in chunks]
        ids = torch.tensor(padded, device=self.device)
        steps = torch.tensor([len(c) for c in chunks], device=self.device)
        places = work.lengths[:, None] + torch.arange(wide, device=self.device)
        self._must_fit(int((work.lengths + steps).max()))
        work.make_room(int(places.max()) + 1)  # filler past the window does no harm
        work.places = places
        columns = torch.arange(work.width, device=self.device)
        hidden_future = columns[None, None, :] > places[:, :, None]
        mask = torch.zeros(
            hidden_future.shape, dtype=self.model.dtype, device=self.device
        ).masked_fill_(hidden_future, torch.finfo(self.model.dtype).min)
        read = {
            "input_ids": ids,
            "attention_mask": mask[:, None],
            "position_ids": places.clamp(max=self.window - 1),
            "past_key_values": work,
            "use_cache": True,
        }
        each = torch.arange(len(chunks), device=self.device)
        last = (steps - 1).clamp(min=0)
        with grouped_attention(self.model):
            if self.route.head:
                states = _trunk(self.model)(**read).last_hidden_state
                logits = self.model.get_output_embeddings()(states[each, last])
            else:  # its own head, at the places where some row ends
                keep, last = last.unique(return_inverse=True)
                out = adapters.bare(self.model)(**read, logits_to_keep=keep)
                logits = out.logits[each, last]
        work.lengths += steps
        return logits.float()

    def _must_fit(self, longest: int) -> None:
        if longest > self.window:
            raise ValueError(
                f"a row has {longest} tokens, more than the model's window of "
                f"{self.window}"
            )


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

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise own.Unfit(f"the kit's cache has no {name}")


def _room_for(like: Tensor, count: int, room: int) -> Tensor:
    return like.new_zeros((count, like.shape[1], room, like.shape[3]))


def _widened(t: Tensor, room: int) -> Tensor:
    wide = t.new_zeros((*t.shape[:2], room, t.shape[3]))
    wide[:, :, : t.shape[2]] = t
    return wide


def _trunk(model: Any) -> Any:
    """The model without its head (under an adapter, the adapted one)."""
    return adapters.bare(model).base_model


def _draw(logits: Tensor, temperature: float, generator) -> tuple[Tensor, Tensor]:
    """A word for each row, and the probability that it was drawn with."""
    if temperature == 0:
        return logits.argmax(-1), torch.ones(len(logits))
    if temperature < 1e-3:  # a quotient must stay finite
        logits = logits - logits.amax(-1, keepdim=True)
        temperature = max(temperature, 1e-12)
    odds = torch.softmax(logits / temperature, dim=-1)
    words = _words(odds, generator)
    return words, odds.gather(1, words[:, None])[:, 0]


def _words(odds: Tensor, generator) -> Tensor:
    if odds.shape[1] <= MANY:
        return torch.multinomial(odds, 1, generator=generator)[:, 0]
    # That draws a number for every word, here a third of a step. One for a row does:
    # the word is where it falls in the running sum.
    sums = odds.cumsum(-1)
    one = torch.rand((len(odds), 1), generator=generator, device=odds.device)
    at = torch.searchsorted(sums, one * sums[:, -1:], right=True)
    return at[:, 0].clamp(max=odds.shape[1] - 1)


HARMLESS = (  # what attention is told and need not know
    "is_causal",
    "output_attentions",
    "output_router_logits",
    "position_ids",
    "use_cache",
)


def _grouped(
    module,
    query,
    key,
    value,
    mask,
    scaling=None,
    dropout=0.0,
    sliding_window=None,
    softcap=None,
    s_aux=None,
    **more,
):
    """Attention in which the query heads of one key head are one matrix product; with
    windows, soft caps and sinks (``s_aux``) where a model asks for them. ``Unfit``
    where it asks for what this leaves out."""
    asked = [k for k, v in more.items() if v is not None and k not in HARMLESS]
    if asked:
        raise own.Unfit(f"the kit's attention has no {', '.join(asked)}")
    rows, heads, steps, dim = query.shape
    groups = key.shape[1]
    q = query.reshape(rows, groups, heads // groups * steps, dim) * scaling
    scores = (q @ key.transpose(2, 3)).view(rows, groups, -1, steps, key.shape[2])
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if sliding_window is not None:
        mask = _windowed(mask, sliding_window)
    scores = scores + mask[:, :, None]
    if s_aux is None:
        weights = torch.softmax(scores, dim=-1)
    else:
        sinks = s_aux.view(1, groups, -1, 1, 1).expand(*scores.shape[:-1], 1)
        weights = torch.softmax(torch.cat([scores, sinks], -1), dim=-1)[..., :-1]
    out = weights.reshape(rows, groups, -1, key.shape[2]) @ value
    return out.view(rows, heads, steps, value.shape[3]).transpose(1, 2), None


def _windowed(mask: Tensor, window: int) -> Tensor:
    """``mask`` that also hides what is ``window`` tokens back or more. A token sees
    itself and all before it, so the number that it sees tells its place."""
    places = (mask == 0).sum(-1, keepdim=True) - 1
    columns = torch.arange(mask.shape[-1], device=mask.device)
    return mask.masked_fill(columns <= places - window, torch.finfo(mask.dtype).min)


GROUPED = "selfplay_grouped"


def attends_grouped(model: Any) -> bool:
    """Whether ``model`` stands within :func:`grouped_attention` now."""
    return _trunk(model).config._attn_implementation == GROUPED


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within this block, ``model`` attends by :func:`_grouped`, which takes a mask of
    (rows, 1, new tokens, keys) that is added to the scores. One thread at a time."""
    from transformers import AttentionInterface

    AttentionInterface.register(GROUPED, _grouped)
    with adapters.alone(model):
        configs = list(agreement.parts(_trunk(model).config))
        before = [c._attn_implementation for c in configs]
        try:
            for c in configs:
                c._attn_implementation = GROUPED
            yield
        finally:
            for c, attention in zip(configs, before, strict=True):
                c._attn_implementation = attention


# Which way is right ---------------------------------------------------------------

PLAY = (
    ("fast", True),
    ("fast", False),
    ("cached", False),
    ("lengths", False),
    ("uncached", False),
)
TRAINING = ("head", "logits", "alone")
_routes: WeakKeyDictionary[Any, Route] = WeakKeyDictionary()
_of_kind: dict[str, Route] = {}  # found out once for each architecture
_finding = threading.RLock()


def window_of(model: Any) -> int:
    """The most tokens that ``model`` reads; very many where it sets no limit.

    Some rotary positions turn otherwise from some length on, and then all of the row
    ought to be read anew: it counts as full before that.
    """
    config = adapters.bare(model).config.get_text_config()
    most = [getattr(config, "max_position_embeddings", None) or 2**30]
    for rope in agreement.ropes(config):
        if rope.get("rope_type") == "longrope":
            most.append(rope.get("original_max_position_embeddings") or most[0])
    return min(most)


def route_of(model: Any) -> Route:
    """How ``model`` is to be played and trained, found out once per architecture.

    ``ValueError`` with the reason where no way is right: its own forward pass fails,
    or it is no causal language model.
    """
    bare = adapters.bare(model)
    if known := _routes.get(bare):
        return known
    with adapters.alone(bare), _finding:
        kind = agreement.kind_of(bare)
        if kind not in _of_kind:
            _of_kind[kind] = _route_by_copy(bare)
        return _routes.setdefault(bare, _of_kind[kind])


def check(model: Any) -> Route:
    """:func:`route_of`, held once more against the model's own forward pass with its
    real weights, on a few tokens; a way that fails there is left for a slower one."""
    route = route_of(model)
    wanted = agreement.expected(model, agreement.SHORT)
    if all(t.isfinite().all() for t in wanted.values()):
        ways = PLAY[PLAY.index((route.play, route.head)) :]
        lessons = TRAINING[TRAINING.index(route.training) :] if route.training else ()
        near = agreement.alike if model.dtype.itemsize < 4 else agreement.close
        found = _route(model, agreement.SHORT, wanted, near, ways, lessons)
        if (found.play, found.head, found.training) != (
            route.play,
            route.head,
            route.training,
        ):
            route = _routes[adapters.bare(model)] = found
    return route


def _route_by_copy(model: Any) -> Route:
    twin = agreement.small_copy(model)
    if twin is None:  # nothing could be tried: only what is right by definition
        wanted = agreement.expected(model, agreement.SHORT)
        agreement.must_be_causal(model, wanted)
        return Route("uncached", False, "alone", "no small copy of it could be made")
    turns = agreement.TURNS
    wanted = agreement.expected(twin, turns)
    agreement.must_be_causal(twin, wanted)
    return _route(twin, turns, wanted, agreement.equal, PLAY, TRAINING)


def _route(model: Any, turns, wanted, near, ways, lessons) -> Route:
    """The first of ``ways`` to play, and of ``lessons`` to train, that is ``near``
    what is ``wanted``."""
    faults = []
    for play, head in ways:
        fault = _fault_in_play(model, Route(play, head, ""), turns, wanted, near)
        if not fault:
            break
        faults.append(fault)
    else:
        raise ValueError(f"no way to play it agrees with itself: {faults[-1]}")
    learns = ""
    for learns in lessons:
        fault = _fault_in_training(model, learns, wanted, near)
        if not fault:
            break
    else:
        learns = ""
    why = "" if play == "fast" else faults[min(1, len(faults) - 1)] if faults else ""
    return Route(play, head, learns, why)


@torch.inference_mode()
def _fault_in_play(model: Any, route: Route, turns, wanted, near) -> str:
    rows = Rows(model, len(wanted), capacity=4, route=route)
    try:
        for row, place, logits in agreement.played(
            model, turns, rows._begin, rows._forward
        ):
            if fault := near(logits, wanted[row][place]):
                return fault
    except own.Unfit as e:
        return str(e)
    except Exception as e:
        return f"the kit's cache and attention fail: {agreement.reason(e)}"
    return ""


@torch.no_grad()
def _fault_in_training(model: Any, how: str, wanted, near) -> str:
    texts = [agreement.tokens(model, r, len(t)) for r, t in wanted.items()]
    wide = max(map(len, texts))
    ids = torch.tensor([t + [0] * (wide - len(t)) for t in texts], device=model.device)
    mask = torch.tensor([[1] * len(t) + [0] * (wide - len(t)) for t in texts])
    mask = mask.to(ids.device)
    at = mask.bool() & (torch.arange(wide, device=ids.device) % 3 != 1)
    right = torch.cat(
        [t[a[: len(t)]] for t, a in zip(wanted.values(), at, strict=True)]
    )
    try:
        if fault := near(logits_at(model, ids, mask, at, how), right):
            return fault
        if near is agreement.equal:  # a copy: some ask for more in training
            model.train()
            logits_at(model, ids, mask, at, how)
    except Exception as e:
        return agreement.reason(e)
    finally:
        model.eval()
    return ""


def logits_at(
    model: Any, ids: Tensor, mask: Tensor, at: Tensor, how: str | None = None
) -> Tensor:
    """The model's own logits after those tokens of a batch that ``at`` marks, (n,
    vocabulary), in fp32. Rows are filled up on the right, ``mask`` is 0 there; where
    that is right, the head is applied to those places alone."""
    how = how or route_of(model).training
    if not how:
        raise ValueError(
            "this model can't be trained here: in training its forward pass fails, or "
            "its logits are not those it plays by. It can be played as it is."
        )
    with adapters.alone(model):
        seen = _causal(mask, model.dtype) if attends_grouped(model) else mask
        if how != "head":
            return own.logits_at(model, ids, seen, at, how == "alone").float()
        states = _trunk(model)(input_ids=ids, attention_mask=seen, use_cache=False)
        return model.get_output_embeddings()(states.last_hidden_state[at]).float()


def _causal(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``mask`` as grouped attention wants it: as the filler comes last, what hides the
    future hides the filler too."""
    rows, wide = mask.shape
    shut = torch.finfo(dtype).min
    hidden = torch.full((wide, wide), shut, dtype=dtype, device=mask.device)
    return hidden.triu(1).expand(rows, 1, wide, wide)
