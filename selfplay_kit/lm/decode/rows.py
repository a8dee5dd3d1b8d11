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
from collections.abc import Sequence
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .. import adapters
from . import agreement, own
from .agreement import Route
from .attention import attends_grouped, causal, grouped_attention, trunk
from .cache import SPARSE, Store, Work

MANY = 4096  # words of a vocabulary, more than any tiny model has


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
        self.store = Store(count, min(capacity, self.window))
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

    def _begin(self, rows: Sequence[int]) -> Work | own.Reread:
        if self.route.play == "fast":
            return Work(self, rows)
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

    def _forward(self, work: Work | own.Reread, chunks: list[list[int]]) -> Tensor:
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
                states = trunk(self.model)(**read).last_hidden_state
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
        seen = causal(mask, model.dtype) if attends_grouped(model) else mask
        if how != "head":
            return own.logits_at(model, ids, seen, at, how == "alone").float()
        states = trunk(model)(input_ids=ids, attention_mask=seen, use_cache=False)
        return model.get_output_embeddings()(states.last_hidden_state[at]).float()
