"""A chat template in pieces, so that a dialogue grows without being rendered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
