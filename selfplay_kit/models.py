"""From a name to a loaded language model, with a report of what was given.

A model is a tokenizer, a chat template and a causal LM from ``transformers``;
the kit's own tiny model comes the same way. This module knows no game. What was
asked and what was given both stand in the :class:`Report`, which travels into
transcripts and run folders: there is no silent fallback.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from . import data

BUILT_IN = {
    "tiny": "tiny/weak",
    "tiny-weak": "tiny/weak",
    "tiny-middling": "tiny/middling",
    "tiny-clean": "tiny/clean",
    "tiny-talk": "tiny/talk",
}


@dataclass(frozen=True)
class Report:
    """What was asked and what was given. ``bytes`` are those of the weights."""

    name: str
    asked: str
    given: str
    device: str
    why: str
    weights_hash: str
    parameters: int
    bytes: int

    def __str__(self) -> str:
        return (
            f"{self.name}: asked {self.asked}, given {self.given} on {self.device}"
            f" ({self.why}); {self.parameters:,} parameters, "
            f"{self.bytes / 2**20:.1f} MiB of weights, hash {self.weights_hash[:12]}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a run folder."""
        return asdict(self)


@dataclass(frozen=True)
class ChatFormat:
    """A chat template, taken apart into the texts between the contents.

    Rendering a dialogue anew for each turn costs time and can tokenise what was
    sampled differently. So the template is rendered once with markers; a row is
    then extended by the piece that is new.
    """

    before_system: str
    system_to_user: str
    system_to_assistant: str
    user_to_assistant: str
    assistant_to_user: str

    @classmethod
    def of(cls, tokenizer: Any) -> ChatFormat:
        """Take the template of ``tokenizer`` apart (``ValueError`` if it can't be)."""
        marks = ["@@SYSTEM@@", "@@USER@@", "@@REPLY@@", "@@AGAIN@@"]
        roles = ["system", "user", "assistant", "user"]
        full = _split(tokenizer, list(zip(roles, marks, strict=True)))
        opens = _split(tokenizer, [("system", marks[0])])
        first = _split(tokenizer, [("system", marks[0]), ("user", marks[1])])
        if full is None or opens is None or first is None or full[4] != full[2]:
            raise ValueError(
                "this chat template does not render turn after turn (system, user, "
                "assistant, user): self-play needs one whose earlier turns stay as "
                "they were. Use a model with a plain chat template (ChatML and the "
                "like)."
            )
        return cls(full[0], full[1], opens[1], full[2], full[3])


def _split(tokenizer: Any, turns: list[tuple[str, str]]) -> list[str] | None:
    messages = [{"role": r, "content": c} for r, c in turns]
    try:
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
    except Exception as e:
        raise ValueError(f"the chat template can't render a dialogue: {e}") from e
    pieces = []
    for _, mark in turns:
        piece, found, text = text.partition(mark)
        if not found:
            return None
        pieces.append(piece)
    return [*pieces, text]


@dataclass
class LanguageModel:
    """A loaded model with its tokenizer, chat format and report."""

    model: Any
    tokenizer: Any
    report: Report
    style: str  # "short" or "long": the prompt style that it was made for
    max_new_tokens: int  # tokens a move
    temperature: float = 1.0

    @property
    def name(self) -> str:
        """The name it was asked for by."""
        return self.report.name

    @cached_property
    def chat(self) -> ChatFormat:
        """The chat template in pieces."""
        return ChatFormat.of(self.tokenizer)

    @cached_property
    def stop(self) -> int:
        """The token that ends an assistant's turn."""
        ids = self.encode(self.chat.assistant_to_user)
        return ids[0] if ids else self.tokenizer.eos_token_id

    @cached_property
    def encode(self):
        """Text to a tuple of token ids, without special tokens of its own; cached."""

        @lru_cache(maxsize=50_000)
        def encode(text: str) -> tuple[int, ...]:
            return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

        return encode

    @cached_property
    def _control(self) -> list[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        return [token.content for token in added if token.special]

    def plain(self, text: str) -> str:
        """``text`` without the model's control tokens, so that what somebody says
        can't end a turn or write a system prompt."""
        for token in self._control:
            text = text.replace(token, " ")
        return text

    def decode(self, ids) -> str:
        """Token ids to text, special tokens left out."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def load_model(
    name: str | Path = "tiny",
    precision: str = "auto",
    *,
    device: str | None = None,
) -> LanguageModel:
    """Load a model by its name or from a folder.

    ``name`` is one of the kit's (``tiny`` is ``tiny-weak``; ``tiny-middling``,
    ``tiny-clean``, ``tiny-talk``) or a folder that ``save_pretrained`` wrote. Raises
    ``FileNotFoundError`` or ``ValueError`` with what to do.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = data.path(BUILT_IN[name]) if name in BUILT_IN else Path(name)
    if not (folder / "config.json").exists():
        raise FileNotFoundError(
            f"no model called {str(name)!r}: it is not one of "
            f"{', '.join(BUILT_IN)}, and not a folder with a config.json"
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    given = "fp32" if precision == "auto" else precision
    if given not in dtypes:
        raise ValueError(
            f"precision must be auto, fp32, bf16 or fp16; got {precision!r}"
        )
    why = "auto: small enough for full precision" if precision == "auto" else "as asked"
    try:
        with no_bars():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtypes[given], local_files_only=True
            )
        tiny = getattr(model.config, "selfplay_kit_tiny", False)
        own = (folder / "tokenizer.json").exists() or not tiny
        tokenizer = AutoTokenizer.from_pretrained(
            folder if own else data.path("tiny/tokenizer"), local_files_only=True
        )
    except Exception as e:
        raise ValueError(
            f"the model in {folder} can't be read ({type(e).__name__}: {e}). The file "
            "may be damaged or cut short: fetch it again (in a checkout, "
            "`git checkout -- data`), or delete the round it stands in and rerun."
        ) from e
    model.to(device).eval()
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        report=make_report(model, str(name), precision, given, device, why),
        style="short" if tiny else "long",
        max_new_tokens=24 if tiny else 200,
    )


@contextmanager
def no_bars() -> Iterator[None]:
    """Within this block ``transformers`` draws no progress bars of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def make_report(
    model: Any, name: str, asked: str, given: str, device: str, why: str
) -> Report:
    """The report of a loaded ``model``."""
    tensors = list(model.parameters())
    return Report(
        name=name,
        asked=asked,
        given=given,
        device=str(device),
        why=why,
        weights_hash=weights_hash(model),
        parameters=sum(t.numel() for t in tensors),
        bytes=sum(t.numel() * t.element_size() for t in tensors),
    )


def weights_hash(model: Any) -> str:
    """SHA-256 over the names and bytes of all weights, in the order of the names."""
    import torch

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()
