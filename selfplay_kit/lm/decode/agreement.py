"""Whether two ways of running one model agree, and what to do where they don't.

A *route* is a way to play and to train a model. Which one is right can't be read off
a name: a window may be thousands of tokens wide, a cap may do nothing on a short
text. So each is tried on a small random copy of the architecture, with its windows
shortened, and held against the model's own forward pass in log-probabilities.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import adapters
from . import own

NEAR = 2e-3  # nats: more than fp32 rounds, far less than any part left out
WINDOW = 8  # tokens that a window of the small copy holds
ROOM = 64  # tokens that it can read at least
WORDS = 64

# A conversation of ragged rows. Each turn: rows, their new tokens, and then, one
# token at a time, which rows go on. Row 2 waits; later it comes back out of order.
Turn = tuple[Sequence[int], Sequence[int], Sequence[Sequence[int]]]
TURNS: tuple[Turn, ...] = (
    ((0, 1, 2), (5, 11, 1), ((0, 1, 2), (0, 1), (0, 1), (0,), (0,))),
    ((2, 0), (13, 3), ((2, 0), (2, 0))),
    ((1,), (7,), ((1,),)),
)
SHORT: tuple[Turn, ...] = (((0, 1), (7, 3), ((0, 1),)),)


@dataclass(frozen=True)
class Route:
    """How a model is run.

    ``play`` is ``fast`` (the kit's cache and attention), or one of the ways of
    :class:`own.Reread`: ``cached``, ``lengths``, ``uncached``. ``head`` says whether
    its logits are the last hidden states times the output embeddings. ``training`` is
    ``head`` (the same), ``logits`` (its own, in batches) or ``alone`` (one sample at
    a time); empty where none is right. ``why`` is what kept it from the fast way.
    """

    play: str
    head: bool
    training: str
    why: str = ""

    def __str__(self) -> str:
        said = {
            "fast": "the kit's fast decoding",
            "cached": "transformers' own cache, slower",
            "lengths": "transformers' own cache, rows of one length at a time, slower",
            "uncached": "transformers' own forward pass without a cache, much slower",
        }[self.play]
        said += f" ({self.why})" if self.why else ""
        return said if self.training else f"{said}; it can't be trained here"


def tokens(model: Any, row: int, count: int) -> list[int]:
    """Token ids from all over the vocabulary, others for each row."""
    size = adapters.bare(model).get_input_embeddings().num_embeddings
    return [
        (row * 17 + i * (row + 7) + 3) * max(1, size // 61) % size for i in range(count)
    ]


def rows_of(turns: Iterable[Turn]) -> dict[int, int]:
    """How many tokens each row has in the end."""
    lengths: dict[int, int] = {}
    for rows, news, steps in turns:
        for row, new in zip(rows, news, strict=True):
            lengths[row] = lengths.get(row, 0) + new
        for going in steps:
            for row in going:
                lengths[row] += 1
    return lengths


@torch.inference_mode()
def expected(model: Any, turns: Iterable[Turn]) -> dict[int, Tensor]:
    """The model's own logits after each token of each row; ``ValueError`` where its
    forward pass fails."""
    rows = {r: tokens(model, r, n) for r, n in rows_of(turns).items()}
    try:
        return {r: own.logits(model, ids) for r, ids in rows.items()}
    except Exception as e:
        raise ValueError(f"its forward pass fails: {reason(e)}") from e


@torch.inference_mode()
def must_be_causal(model: Any, wanted: dict[int, Tensor]) -> None:
    """``ValueError`` where a word depends on the words that come later."""
    row, logits = max(wanted.items(), key=lambda item: len(item[1]))
    half = len(logits) // 2
    start = own.logits(model, tokens(model, row, half))
    if start.isfinite().all() and apart(start, logits[:half]) > 0.1:
        raise ValueError(
            "it is not a causal language model: what it says after a word depends on "
            "the words that come later"
        )


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference of two sets of logits, in nats of log-probability."""
    return float((a.log_softmax(-1) - b.log_softmax(-1)).abs().max())


def equal(ours: Tensor, its: Tensor) -> str:
    """What keeps two sets of logits from being equal, up to rounding; or nothing."""
    off = apart(ours, its)
    return "" if off < NEAR else f"the kit's logits are {off:.2g} nats off its own"


def close(ours: Tensor, its: Tensor) -> str:
    """The same for real weights in fp32: many layers round more."""
    off = apart(ours, its)
    return "" if off < 5 * NEAR else f"the kit's logits are {off:.2g} nats off its own"


def alike(ours: Tensor, its: Tensor) -> str:
    """The same in half precision, where rounding alone moves a log-probability."""
    off = float((ours.softmax(-1) - its.softmax(-1)).abs().max())
    return "" if off < 0.1 else f"the kit's probabilities are {off:.2g} off its own"


def played(
    model: Any,
    turns: Iterable[Turn],
    begin: Callable[[Sequence[int]], Any],
    forward: Callable[[Any, list[list[int]]], Tensor],
) -> Iterator[tuple[int, int, Tensor]]:
    """Row, place and logits after each token of a conversation that is run by
    ``begin`` (rows to work) and ``forward`` (work and chunks to logits)."""
    read = dict.fromkeys(rows_of(turns), 0)

    def next_of(row: int, count: int) -> list[int]:
        read[row] += count
        return tokens(model, row, read[row])[read[row] - count :]

    for rows, news, steps in turns:
        work = begin(rows)
        new = dict(zip(rows, news, strict=True))
        for going in (rows, *steps):
            if len(going) < len(rows) / 2:
                work = work.without_idle(set(going))
            chunks = [
                next_of(r, new.get(r, 1)) if r in going else [] for r in work.rows
            ]
            logits = forward(work, chunks)
            for at, row in enumerate(work.rows):
                if row in going:
                    yield row, read[row] - 1, logits[at]
            new = {}
        work.close()


def adapter_fault(model: Any) -> str:
    """What keeps an adapter on all linear layers from being trained beside the weights
    of ``model`` and played folded into them, found on a small copy; or nothing. Some
    layers read a weight themselves, past the adapter on it."""
    twin = small_copy(model)
    if twin is None:
        return ""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            twin = adapters.attach(twin, 2, seed=0)
            for name, p in twin.named_parameters():
                if "lora_B" in name:
                    p.data.normal_(0, 0.1)
        return folding_fault(twin, equal)
    except Exception as e:
        return f"one on all linear layers fails: {reason(e)}"


@torch.no_grad()
def folding_fault(model: Any, near: Callable[[Tensor, Tensor], str]) -> str:
    """Whether an adapted ``model`` says the same with its adapter folded into the
    weights and beside them: what keeps it from that, or nothing."""
    ids = tokens(model, 0, 9)
    beside = own.logits(model, ids)
    with adapters.at_work(model):
        if fault := near(own.logits(model, ids), beside):
            return f"some layers read their weights past it ({fault})"
    return ""


def kind_of(model: Any) -> str:
    """What decides the route of a model: its class and all of its configuration."""
    config = model.config.to_dict() | {"_name_or_path": "", "transformers_version": ""}
    attention = [c._attn_implementation for c in parts(model.config)]
    return f"{type(model).__qualname__} {attention} {config}"


def reason(e: BaseException) -> str:
    """An exception in one line."""
    said = " ".join(str(e).split())[:300]
    return f"{type(e).__name__}: {said}" if said else type(e).__name__


# A small copy ---------------------------------------------------------------------


def small_copy(model: Any) -> Any:
    """A random model of the same architecture in fp32 with few layers and words and
    short windows, as small as its configuration allows; ``None`` where none can be
    made. Global chance is left alone."""
    bare = adapters.bare(model)
    for shrunk in (_thin, _few_words, _few_layers, _same):
        config = copy.deepcopy(bare.config)
        with suppress(Exception), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for part in parts(config):
                shrunk(part)
                _without_chance(part)
            twin = type(bare)(config).float().eval()
            _spread(twin)
            own.logits(twin, tokens(twin, 0, 3))
            return twin.to(next(bare.parameters()).device)
    return None


def parts(config: Any) -> Iterator[Any]:
    yield config
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if hasattr(part, "to_dict"):
            yield from parts(part)


def _thin(config: Any) -> None:
    _few_words(config)
    for name, value in vars(config).items():
        if "intermediate_size" in name and isinstance(value, int):
            setattr(config, name, min(value, 64))


def _few_words(config: Any) -> None:
    _few_layers(config)
    for name, value in list(vars(config).items()):
        if name.startswith("vocab_size") and isinstance(value, int):
            setattr(config, name, min(value, WORDS))
        if name.endswith("token_id"):
            setattr(config, name, None)


def _few_layers(config: Any) -> None:
    """As few layers as show each kind that there is, two at least."""
    _same(config)
    count = getattr(config, "num_hidden_layers", None)
    if not isinstance(count, int):
        return
    lists = {
        name: value
        for name, value in vars(config).items()
        if isinstance(value, (list, tuple)) and len(value) == count
    }
    kinds = list(zip(*map(_plain, lists.values()), strict=True)) or [()] * count
    keep = sorted({kinds.index(k) for k in kinds})
    every = [
        v
        for k, v in vars(config).items()
        if isinstance(v, int) and any(w in k for w in ("period", "interval", "pattern"))
    ]
    few = (
        min(count, max(2, len(keep), *every))
        if every
        else min(count, max(2, len(keep)))
    )
    if every or len(keep) < few:
        keep = sorted({*keep, *range(few)})
    for name, value in lists.items():
        setattr(config, name, type(value)(value[i] for i in keep))
    config.num_hidden_layers = len(keep)


def _plain(values: Sequence[Any]) -> list[str]:
    return [str(v) for v in values]


def _same(config: Any) -> None:
    """Windows are shortened whatever else is kept; and there is room to read past
    them."""
    for name, value in list(vars(config).items()):
        if type(value) is not int:
            continue
        if "layers" not in name and ("window" in name or "chunk_size" in name):
            setattr(config, name, min(value, WINDOW))
        if name.endswith("max_position_embeddings"):
            setattr(config, name, max(value, ROOM))
    for rope in ropes(config):
        if "original_max_position_embeddings" in rope:
            few = rope["original_max_position_embeddings"]
            rope["original_max_position_embeddings"] = max(few, ROOM)


def ropes(config: Any) -> list[dict[str, Any]]:
    """The settings of a model's rotary positions, one for each kind of layer."""
    rope = getattr(config, "rope_parameters", None) or {}
    return [r for r in (rope, *rope.values()) if isinstance(r, dict)]


def _without_chance(config: Any) -> None:
    for name, value in list(vars(config).items()):
        if isinstance(value, float) and ("drop" in name or "pdrop" in name):
            setattr(config, name, 0.0)
    if hasattr(config, "quantization_config"):
        del config.quantization_config


@torch.no_grad()
def _spread(model: Any) -> None:
    """Weights large enough that caps, sinks and scales are felt."""
    for p in model.parameters():
        if p.dim() > 1:
            p.normal_(0, 1.7 * p.shape[-1] ** -0.5)
        else:
            p.add_(0.1 * torch.randn_like(p))
