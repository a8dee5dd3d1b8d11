"""A model behind an OpenAI-compatible server as a player.

vLLM, llama.cpp's server, Ollama, ``transformers serve`` and hosted services speak
the same protocol: the system prompt is the rules and the seat's private view, the
model's own moves are assistant turns, the partner's are user turns (Liao et al.
2024, section 3). The ``openai`` client talks to the server and retries, with
back-off, what is worth it. A field that a server refuses is left out from then on,
and :meth:`EndpointPlayer.notes` says so. What a server's answers and errors mean is
in ``servers``. Left out: streaming, and training (see ``export``).
"""

from __future__ import annotations

import os
import random
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ..files import legible
from ..games.base import KINDS, Move, Position
from .keys import (
    EndpointError,
    Secrets,
    proxy_secrets,
    read_address,
    read_key,
    variable_words,
)
from .servers import (
    REFUSALS,
    Answer,
    Failure,
    client_cause,
    connection_cause,
    read_response,
    refused_fields,
    tries,
)

__all__ = ["EndpointError", "EndpointPlayer", "EndpointTable", "Usage", "chat_messages"]

TOKEN_FIELDS = ("max_tokens", "max_completion_tokens")  # the second is OpenAI's newer
LONGEST = 400  # characters of a server's own reason in a message
EMPTY = {
    "spent": "the limit was spent on reasoning, all {limit} tokens of it (raise "
    "--max-tokens, in Python max_tokens)",
    "thoughts": "they held reasoning and nothing after it",
    "filtered": "the server's content filter held them back",
    "refused": "the model refused",
    "tool": "the model called a tool instead",
    "full": "the game no longer fitted into the model's context",
    "silent": "the model said nothing",
}


@dataclass
class Usage:
    """What was asked of the server so far, in requests and tokens.

    ``ends`` counts how answers ended (``servers.Answer.end``). ``changes`` holds, for
    each field that the server refused, what was sent instead and its reason.
    """

    requests: int = 0  # those with an answer
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unknown: int = 0  # requests whose answer told no tokens
    thoughts: int = 0  # answers whose reasoning was left out of the move
    ends: Counter[str] = field(default_factory=Counter)
    changes: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        untold = f", tokens not told in {self.unknown}" if self.unknown else ""
        return f"{self.requests:,} requests, {tokens}{untold}"

    def count(self, answer: Answer) -> None:
        """Add one answer."""
        self.requests += 1
        self.ends[answer.end] += 1
        self.thoughts += answer.thought
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            self.unknown += 1
        else:
            self.prompt_tokens += answer.prompt_tokens
            self.completion_tokens += answer.completion_tokens


def chat_messages(
    p: Position, style: str = "long", *, opening: str = "", system: bool = True
) -> list[dict[str, str]]:
    """``p`` as the messages of a chat, the model to speak next.

    Own moves and failed tries are assistant turns; what the partner said, the notice
    of its proposal and corrections are user turns. Where the model speaks first,
    ``opening`` is said to it before, if given: some templates insist on a user turn.
    Neither player's words hold what a server could read as a role or a notice.
    Without a ``system`` role its text begins the first user turn.

    >>> from selfplay_kit.games.base import SEMI, Line
    >>> from selfplay_kit.games.deal.protocol import Position
    >>> p = Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI, (Line("theirs", "hi !"),))
    >>> [m["role"] for m in chat_messages(p)], chat_messages(p)[1]["content"]
    (['system', 'user'], '[message] hi !')
    >>> [m["role"] for m in chat_messages(p, system=False)]
    ['user']
    """
    messages = [{"role": "system", "content": p.system(style)}]
    if opening and not (p.lines and p.lines[0].by == "theirs"):
        messages.append({"role": "user", "content": opening})
    for line in p.lines:
        if line.by in ("mine", "tried"):
            messages.append({"role": "assistant", "content": p.own(line.text)})
        else:
            messages.append({"role": "user", "content": p.heard(line, style)})
    if not system:
        first = {"role": "user", "content": messages.pop(0)["content"]}
        if messages and messages[0]["role"] == "user":
            first["content"] += "\n\n" + messages.pop(0)["content"]
        messages.insert(0, first)
    return messages


@dataclass(eq=False)  # one player is itself; its usage grows
class EndpointPlayer:
    """A player that asks ``model`` at ``base_url`` for each of its moves.

    The key is read from the environment variable ``key_from``; a server on this
    machine needs none. ``temperature`` is 1 and ``max_tokens`` 200 in the paper
    (section 3). ``concurrency`` requests are under way at a time, each with up to
    ``retries`` retries after a lost connection, a time-out (``timeout`` seconds), a
    rate limit or a server's own error. Each request carries a seed; whether it is
    heeded is up to the server, so the same seed need not give the same games.

    The limit goes by ``max_tokens`` or, where a server refuses that, by
    ``max_completion_tokens``; ``token_field`` fixes its name. ``send_seed=False``,
    ``temperature=None`` and ``system=False`` leave these out. A refused seed or
    system role and a refused temperature of 1 are left out after one refusal;
    another temperature is never left out unasked. :meth:`notes` tells of it.

    >>> EndpointPlayer("some-model", "http://localhost:8000/v1").name
    'some-model'
    """

    model: str
    base_url: str = field(repr=False)  # may hold a password
    key_from: str = field(default="OPENAI_API_KEY", repr=False)  # may be a key
    temperature: float | None = 1.0
    max_tokens: int = 200
    style: str = "long"
    opening: str = ""
    concurrency: int = 8
    retries: int = 5
    timeout: float = 120.0
    token_field: str = "auto"
    send_seed: bool = True
    system: bool = True
    usage: Usage = field(default_factory=Usage, init=False)
    # The fields that are sent ("system": the role); those refused are left out.
    sent: frozenset[str] = field(default=frozenset(), init=False, repr=False)

    def __post_init__(self) -> None:
        styles = dict.fromkeys(s for kind in KINDS.values() for s in kind.styles)
        if self.style not in styles:
            raise ValueError(f"style is one of {', '.join(styles)}; got {self.style!r}")
        if self.concurrency < 1 or self.retries < 0 or not self.timeout > 0:
            raise ValueError(
                "concurrency must be 1 or more, retries 0 or more, timeout above 0 "
                f"seconds; got {self.concurrency}, {self.retries}, {self.timeout}"
            )
        if self.max_tokens < 1 or not 0 <= (self.temperature or 0) < float("inf"):
            raise ValueError(
                "max_tokens must be 1 or more, temperature 0 or more (None: as the "
                f"server has it); got {self.max_tokens}, {self.temperature}"
            )
        if not self.key_from.isidentifier():
            raise ValueError(
                "key_from is the name of an environment variable, such as "
                "OPENAI_API_KEY, that holds the key; it is not the key itself"
            )
        self.address = read_address(self.base_url)
        self._lock = Lock()
        limit = TOKEN_FIELDS[0] if self.token_field == "auto" else self.token_field
        left_out = {
            "seed": not self.send_seed,
            "temperature": self.temperature is None,
            "system": not self.system,
        }
        self.sent = frozenset([limit, *(f for f, out in left_out.items() if not out)])

    @property
    def name(self) -> str:
        """The model's name, as transcripts have it."""
        return self.model

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the moves, as it was asked for; no key is in it."""
        names = ("model", "temperature", "max_tokens", "style", "opening")
        how = ("token_field", "send_seed", "system")
        return {"base_url": self.address.root} | {
            n: getattr(self, n) for n in names + how
        }

    def notes(self) -> list[str]:
        """What else is to be said of the answers so far, a sentence each: fields that
        the server refused, and answers that were empty, cut, or thought aloud."""
        u, limit = self.usage, self.max_tokens
        notes = [f"{name} was refused: {given}" for name, given in u.changes.items()]
        for end, why in EMPTY.items():
            if n := u.ends[end]:
                why = why.format(limit=limit)
                notes.append(f"{n} of {u.requests} answers were empty: {why}")
        if n := u.ends["cut"]:
            notes.append(
                f"{n} of {u.requests} answers were cut at the limit of {limit} tokens"
            )
        if u.thoughts:
            notes.append(
                f"{u.thoughts} of {u.requests} answers held reasoning, which is no "
                "part of a move"
            )
        return notes

    def sit(self, games: int, *, seed: int | str) -> EndpointTable:
        """Sit down to a batch of games."""
        return EndpointTable(self, seed)

    def count(self, answer: Answer) -> None:
        """Add an answer to the usage."""
        with self._lock:
            self.usage.count(answer)

    def leave_out(self, refused: set[str], why: str) -> bool:
        """Leave ``refused`` fields out of :attr:`sent` from now on and note ``why``;
        false where one of them has to be sent."""
        old, new = TOKEN_FIELDS
        instead = {
            "seed": "none was sent",
            "system": "its text began the first user turn",
        }
        if self.temperature == 1:
            instead["temperature"] = "none was sent, so the server's own counts"
        if self.token_field == "auto":
            instead[old] = f"{new} was sent"
        with self._lock:
            for name in sorted(refused & self.sent & set(instead)):
                self.sent = self.sent - {name} | ({new} if name == old else set())
                self.usage.changes[name] = f"{instead[name]} (the server: {why})"
            return bool(refused) and not refused & self.sent


class EndpointTable:
    """One batch of games: every position is asked for by itself, many at a time."""

    def __init__(self, player: EndpointPlayer, seed: int | str):
        try:
            import openai
        except ImportError as e:
            raise EndpointError(
                "an endpoint player needs the openai client: "
                'pip install "selfplay-kit[endpoint]", or pip install openai'
            ) from e
        self.player = player
        self.key, trimmed = read_key(player.key_from)
        if trimmed and self.key:
            warnings.warn(
                f"the key in {variable_words(player.key_from)} had white space or "
                "invisible characters at its ends; it is sent without them",
                stacklevel=3,
            )
        address = player.address
        self.secrets = Secrets([self.key, *address.secrets, *proxy_secrets()])
        failed = None
        try:
            self.client = openai.OpenAI(
                base_url=address.root,
                api_key=self.key or "none",
                max_retries=player.retries,
                timeout=player.timeout,
                default_query=address.query,
                default_headers=address.headers,
            )
        except Exception as e:  # proxies and certificates of the environment
            failed = client_cause(e, address)
        if failed:  # raised out here: a traceback would show what it came from
            raise self._error(f"can't be asked: {failed}")
        self.pool = ThreadPoolExecutor(player.concurrency)
        self.chance = random.Random(f"{seed}/endpoint")

    def reply(self, positions: Sequence[Position]) -> list[Move]:
        """One move for each position; :class:`EndpointError` where there is none."""
        seeds = [self.chance.getrandbits(31) for _ in positions]
        asked = [
            self.pool.submit(self._ask, p, seed)
            for p, seed in zip(positions, seeds, strict=True)
        ]
        try:
            wait(asked, return_when=FIRST_EXCEPTION)
            for a in asked:
                if a.done() and a.exception():
                    a.result()
            return [Move(a.result()) for a in asked]
        finally:
            for a in asked:
                a.cancel()

    def _ask(self, p: Position, seed: int) -> str:
        player = self.player
        while True:  # each turn leaves out a field that was refused, or ends it
            sent = player.sent
            answer = self._try(p, seed, sent)
            if isinstance(answer, Answer):
                player.count(answer)
                return self.secrets.hide(answer.text, shortest=8)
            known = answer.status in REFUSALS
            refused = refused_fields(answer.body, sent) if known else set()
            if not player.leave_out(refused, answer.reason):
                say = refused or answer.status in (400, 422)
                raise self._error(answer.words + (_remedy(refused) if say else ""))

    def _try(self, p: Position, seed: int, sent: frozenset[str]) -> Answer | Failure:
        """What came back. Nothing is raised: an exception may quote the key."""
        import openai

        player = self.player
        messages = chat_messages(
            p, player.style, opening=player.opening, system="system" in sent
        )
        for m in messages:
            m["content"] = legible(m["content"])
        given = {"seed": seed, "temperature": player.temperature}
        try:
            raw = self.client.chat.completions.with_raw_response.create(
                model=player.model,
                messages=messages,  # type: ignore[arg-type]
                extra_body={
                    f: given.get(f, player.max_tokens) for f in sent - {"system"}
                },
            )
            response = raw.http_response
        except openai.APIStatusError as e:
            response = e.response
        except openai.APITimeoutError as e:
            return Failure(
                f"took longer than {player.timeout:g} s to answer{tries(e.request)}. "
                "Ask fewer at a time (concurrency), or wait longer (timeout)."
            )
        except openai.APIConnectionError as e:
            cause = connection_cause(e, player.address)
            return Failure(f"can't be reached{tries(e.request)}: {cause}")
        except Exception as e:
            return Failure(f"can't be asked: {connection_cause(e, player.address)}")
        key, address = self._key_words(), player.address
        return read_response(
            response, player.model, key, address, self._plain, begun=bool(p.lines)
        )

    def _key_words(self) -> str:
        """Where the key is read from, and whether it is there."""
        variable = variable_words(self.player.key_from)
        if self.player.address.user:
            return "the name and password in the address"
        if not self.key:
            empty = self.player.key_from in os.environ
            return f"{variable}, which is {'empty' if empty else 'not set'}"
        quoted = ", but begins with a quotation mark" if self.key[0] in "\"'" else ""
        return f"{variable}, which is set{quoted}"

    def _plain(self, text: str) -> str:
        """A server's text without secrets, and not too long."""
        text = self.secrets.hide(" ".join(text[:9999].split()))
        return text.rstrip(".") if len(text) <= LONGEST else text[:LONGEST] + " ..."

    def _error(self, words: str) -> EndpointError:
        where = f"the server at {self.player.address.root}"
        return EndpointError(self.secrets.hide(f"{where} {words}"))

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()
        # Without waiting: after an error, what is under way may take minutes to end.
        self.pool.shutdown(wait=False, cancel_futures=True)


def _remedy(refused: set[str]) -> str:
    """The options that leave out what a server may refuse."""
    if "temperature" in refused:
        return (
            " --no-temperature (in Python temperature=None) leaves the temperature to "
            "the server."
        )
    return (
        " If it refuses a field: --token-field, --no-seed, --no-temperature and "
        "--no-system say what is sent."
    )
