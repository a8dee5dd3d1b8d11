"""A chat template in pieces, so that a dialogue grows without being rendered again.

A template may do anything: drop earlier thoughts, write today's date, refuse a system
turn. So its pieces are held against its own rendering of whole dialogues, and a
template that doesn't grow turn after turn is refused with the reason. What was chosen
for it (a fixed date, no thinking, the instructions in a user turn) is in ``remark``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

# Chat templates ask for the day by strftime_now, which this macro takes the place of.
# The date is the one that Llama 3.2's template falls back on.
DAY = {"%d": "26", "%-d": "26", "%e": "26", "%j": "208", "%m": "07", "%-m": "7"}
DAY |= {"%B": "July", "%b": "Jul", "%h": "Jul", "%A": "Friday", "%a": "Fri"}
DAY |= {"%Y": "2024", "%y": "24", "%F": "2024-07-26", "%D": "07/26/24"}
DAY |= {"%H": "12", "%I": "12", "%M": "00", "%S": "00", "%p": "PM", "%T": "12:00:00"}
FIXED_DAY = (
    "{% macro strftime_now(form) %}{{ form"
    + "".join(f" | replace('{mark}', '{day}')" for mark, day in DAY.items())
    + " }}{% endmacro %}\n"  # what follows is the start of a line, as it was
)
SWITCHES = ("enable_thinking", "thinking")
DATED = "its date is always 26 July 2024"
UNTHINKING = "thinking is switched off"
NO_SYSTEM = "it has no system turn that fits, so the instructions open the user's first"
KEPT_THINKING = "the empty block of thoughts stays in earlier replies"

DIALOGUES = ("s", "su", "sau", "suau", "sauau", "suauau")  # system, user, assistant
MARKS = tuple(f"@@{i}@@" for i in range(6))
WORDS = (
    "You negotiate.\n\nPool: 3 books, 1 hat, 1 ball.\n- [message] ...\n- [propose] ...",
    "I'd like the 2 books & the hat; ok?",
    "[message] no: 0 < 1",
    "Your partner has proposed a deal. {Enter} yours!",
    "[propose] (2 books, 1 hat, 0 balls)",
    "Error: a message starts with [message].",
)


@dataclass(frozen=True)
class ChatFormat:
    """A chat template, taken apart into the texts between the contents.

    Rendering a dialogue anew for each turn costs time and can tokenise what was
    sampled differently. So the template is rendered with markers; a row is then
    extended by the piece that is new.
    """

    before_system: str
    system_to_user: str
    system_to_assistant: str
    user_to_assistant: str
    assistant_to_user: str  # begins with the token that ends a reply
    remark: str = ""  # what was chosen for the template, in words

    @classmethod
    def of(cls, tokenizer: Any) -> ChatFormat:
        """Take the template of ``tokenizer`` apart. ``ValueError`` with the reason if
        it doesn't render turn after turn, with a system turn or without."""
        if getattr(tokenizer, "chat_template", "") is None:
            raise ValueError(
                "this tokenizer has no chat template (a base model's?): self-play "
                "needs one. Take the model's instruct version."
            )
        try:
            return cls._of(_Template(tokenizer, system=True))
        except ValueError as e:
            first = e
        try:
            return cls._of(_Template(tokenizer, system=False))
        except ValueError as e:
            raise ValueError(
                "this chat template does not render turn after turn, so self-play "
                "would read other dialogues than it trains on. With a system turn: "
                f"{first}. With the instructions in the user's first turn: {e}. Use a "
                "model with a plain chat template (ChatML and the like)."
            ) from e

    @classmethod
    def _of(cls, template: _Template) -> ChatFormat:
        before, s_u, u_a, a_u, ask = template.split("suau")
        _, s_ask = template.split("s")
        _, s_a, *_ = template.split("sau")
        joints = {"su": s_u, "sa": s_a, "ua": u_a, "au": a_u, "s": s_ask, "u": ask}
        for texts in (MARKS, WORDS):
            for roles in DIALOGUES:
                made = before
                for i, role in enumerate(roles):
                    made += texts[i] + joints[roles[i : i + 2] or role]
                if made != template.render(roles, texts):
                    raise ValueError(
                        "earlier turns don't stay as they were"
                        if texts is MARKS
                        else "it renders some words otherwise than others"
                    )
        begin, answer = _opening(s_a, s_ask), _opening(u_a, ask)
        if not begin.strip() or not answer.strip():
            raise ValueError("it writes nothing between what is read and a reply to it")
        remarks = template.remarks()
        if answer.strip() != u_a.strip():
            remarks.append(KEPT_THINKING)
        end = template.ending(a_u)
        return cls(before, s_u, begin, answer, end, "; ".join(remarks))

    @property
    def pieces(self) -> tuple[str, ...]:
        """The texts between the contents, in the order of the fields."""
        return astuple(self)[:5]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of a SHA-256 over the pieces: where they differ,
        two formats make different dialogues of the same turns."""
        return hashlib.sha256("\0".join(self.pieces).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"chat template {self.digest}" + (
            f"; {self.remark}" if self.remark else ""
        )


class _Template:
    """A tokenizer's chat template with fixed settings, with or without its system
    turn."""

    def __init__(self, tokenizer: Any, *, system: bool):
        self.tokenizer, self.system = tokenizer, system
        source = getattr(tokenizer, "chat_template", "")
        if not isinstance(source, str):  # several, by their names
            source = tokenizer.get_chat_template()
        self.settings: dict[str, Any] = {}
        if "strftime_now" in source:
            self.settings["chat_template"] = FIXED_DAY + source
        for name in SWITCHES:
            if re.search(rf"\b{name}\b", source):
                self.settings[name] = False

    def remarks(self) -> list[str]:
        """What was chosen for the template and changes what it renders."""
        said, chosen = [] if self.system else [NO_SYSTEM], self.settings
        as_chosen = self.render("suau", MARKS)
        for name in chosen:
            self.settings = {k: v for k, v in chosen.items() if k != name}
            if self.render("suau", MARKS) != as_chosen:
                said.append(DATED if name == "chat_template" else UNTHINKING)
        self.settings = chosen
        return said

    def render(self, roles: str, texts: Sequence[str]) -> str:
        names = {"s": "system", "u": "user", "a": "assistant"}
        messages = [
            {"role": names[role], "content": text}
            for role, text in zip(roles, texts, strict=False)
        ]
        if not self.system:
            messages[0]["role"] = "user"
            if roles[1:2] == "u":
                messages[0]["content"] += "\n\n" + messages.pop(1)["content"]
        try:
            return self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **self.settings
            )
        except Exception as e:  # templates raise what they like
            raise ValueError(f"it can't render a dialogue ({e})") from e

    def split(self, roles: str) -> list[str]:
        """What is rendered before, between and after the turns ``roles``."""
        text, pieces = self.render(roles, MARKS), []
        for mark in MARKS[: len(roles)]:
            piece, found, text = text.partition(mark)
            if not found:
                raise ValueError("it leaves out a turn, or changes their order")
            pieces.append(piece)
        return [*pieces, text]

    def ending(self, after: str) -> str:
        """``after`` a reply, from the token that ends it on."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {}).values()
        special = tuple(token.content for token in added if token.special)
        after = after.lstrip()
        if special and not after.startswith(special):
            raise ValueError(
                f"a reply ends in ordinary text ({after[:20]!r}) and not in a token of "
                "its own, so nobody can tell where it ends"
            )
        return after


def _opening(said: str, asked: str) -> str:
    """What comes before a reply that is ``asked`` for. Before one that was ``said``
    the template may write the same, a space more (which is sampled with the reply),
    or leave out an empty block of thoughts."""
    more, less = said.removeprefix(asked), asked.removeprefix(said)
    if said.startswith(asked) and not more.strip():
        return asked
    if asked.startswith(said) and re.fullmatch(r"\s*(<think>\s*</think>\s*)?", less):
        return asked
    raise ValueError(
        f"it begins a reply with {asked[-40:]!r} and writes the same reply into the "
        f"dialogue after {said[-40:]!r}, as models do that think first or choose a "
        "channel"
    )
