"""The attention of the fast path, which takes rows of different lengths at once.

It replaces a model's own within :func:`grouped_attention`, and says so where a model
asks for something that it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .. import adapters
from . import agreement
from .own import Unfit

GROUPED = "selfplay_grouped"
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
        raise Unfit(f"the kit's attention has no {', '.join(asked)}")
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


def attends_grouped(model: Any) -> bool:
    """Whether ``model`` stands within :func:`grouped_attention` now."""
    return trunk(model).config._attn_implementation == GROUPED


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within this block, ``model`` attends by :func:`_grouped`, which takes a mask of
    (rows, 1, new tokens, keys) that is added to the scores. One thread at a time."""
    from transformers import AttentionInterface

    AttentionInterface.register(GROUPED, _grouped)
    with adapters.alone(model):
        configs = list(agreement.parts(trunk(model).config))
        before = [c._attn_implementation for c in configs]
        try:
            for c in configs:
                c._attn_implementation = GROUPED
            yield
        finally:
            for c, attention in zip(configs, before, strict=True):
                c._attn_implementation = attention


def trunk(model: Any) -> Any:
    """The model without its head (under an adapter, the adapted one)."""
    return adapters.bare(model).base_model


def causal(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``mask`` as grouped attention wants it: as the filler comes last, what hides the
    future hides the filler too."""
    rows, wide = mask.shape
    shut = torch.finfo(dtype).min
    hidden = torch.full((wide, wide), shut, dtype=dtype, device=mask.device)
    return hidden.triu(1).expand(rows, 1, wide, wide)
