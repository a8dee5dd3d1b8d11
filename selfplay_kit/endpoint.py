"""A model behind an OpenAI-compatible server as a player.

vLLM, llama.cpp's server, Ollama, ``transformers serve`` and hosted services speak
the same protocol: the system prompt is the rules and the seat's private view, the
model's own moves are assistant turns, the partner's are user turns (Liao et al.
2024, section 3). The ``openai`` client talks to the server and retries, with
back-off, what is worth it. Left out: streaming, and training (see ``export``).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .protocol import STYLES, Move, Position


class EndpointError(RuntimeError):
    """The server gave no answer that can be used; the message says what to do.

    Games that had ended before it were told to ``on_end`` and are not lost.
    """


@dataclass
class Usage:
    """What was asked of the server so far, in requests and tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unknown: int = 0  # requests whose answer told no tokens

    def __str__(self) -> str:
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        untold = f", tokens not told in {self.unknown}" if self.unknown else ""
        return f"{self.requests:,} requests, {tokens}{untold}"


def chat_messages(
    p: Position, style: str = "long", *, opening: str = ""
) -> list[dict[str, str]]:
    """``p`` as the messages of a chat, the model to speak next.

    Own moves and failed tries are assistant turns; what the partner said, the notice
    of its proposal and corrections are user turns. Where the model speaks first,
    ``opening`` is said to it before, if given: some templates insist on a user turn.

    >>> from .protocol import Line
    >>> from .rules import SEMI
    >>> p = Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI, (Line("theirs", "hi !"),))
    >>> [m["role"] for m in chat_messages(p)], chat_messages(p)[1]["content"]
    (['system', 'user'], '[message] hi !')
    """
    form = STYLES[style]
    messages = [{"role": "system", "content": form.system(p)}]
    if opening and not (p.lines and p.lines[0].by == "theirs"):
        messages.append({"role": "user", "content": opening})
    for line in p.lines:
        if line.by in ("mine", "tried"):
            messages.append({"role": "assistant", "content": line.text})
        else:
            messages.append({"role": "user", "content": form.user(line)})
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

    >>> EndpointPlayer("some-model", "http://localhost:8000/v1").name
    'some-model'
    """

    model: str
    base_url: str
    key_from: str = "OPENAI_API_KEY"
    temperature: float = 1.0
    max_tokens: int = 200
    style: str = "long"
    opening: str = ""
    concurrency: int = 8
    retries: int = 5
    timeout: float = 120.0
    usage: Usage = field(default_factory=Usage, init=False)

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"style is one of {', '.join(STYLES)}; got {self.style!r}")
        if self.concurrency < 1 or self.retries < 0 or self.timeout <= 0:
            raise ValueError(
                "concurrency must be 1 or more, retries 0 or more, timeout above 0 "
                f"seconds; got {self.concurrency}, {self.retries}, {self.timeout}"
            )
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(
                "base_url is an address such as http://localhost:8000/v1; got "
                f"{self.base_url!r}"
            )

    @property
    def name(self) -> str:
        """The model's name, as it stands in transcripts."""
        return self.model

    def sit(self, games: int, *, seed: int | str) -> EndpointTable:
        """Sit down to a batch of games."""
        return EndpointTable(self, seed)


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
        self.client = openai.OpenAI(
            base_url=player.base_url,
            api_key=os.environ.get(player.key_from) or "none",
            max_retries=player.retries,
            timeout=player.timeout,
        )
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
            answers = [a.result() for a in asked]
        except BaseException:
            for a in asked:
                a.cancel()
            raise
        for _, told in answers:  # counted here: one thread, no lock
            _count(self.player.usage, told)
        return [Move(text) for text, _ in answers]

    def _ask(self, p: Position, seed: int) -> tuple[str, Any]:
        player = self.player
        messages = chat_messages(p, player.style, opening=player.opening)
        answer = _told(
            lambda: self.client.chat.completions.create(
                model=player.model,
                messages=messages,  # type: ignore[arg-type]
                temperature=player.temperature,
                max_tokens=player.max_tokens,
                seed=seed,
            ),
            player,
        )
        try:
            text = answer.choices[0].message.content
            if text is not None and not isinstance(text, str):
                raise TypeError(f"content is {type(text).__name__}")
        except (AttributeError, IndexError, TypeError) as e:
            raise EndpointError(
                f"{player.base_url} answered something that is no chat completion "
                f"({str(answer)[:120]!r}). Is the address the API's root, which mostly "
                "ends in /v1?"
            ) from e
        return text or "", getattr(answer, "usage", None)

    def close(self) -> None:
        """Let go of the connections."""
        self.pool.shutdown(cancel_futures=True)
        self.client.close()


def _count(usage: Usage, told: Any) -> None:
    usage.requests += 1
    asked = getattr(told, "prompt_tokens", None)
    answered = getattr(told, "completion_tokens", None)
    if isinstance(asked, int) and isinstance(answered, int):
        usage.prompt_tokens += asked
        usage.completion_tokens += answered
    else:
        usage.unknown += 1


def _told(ask: Callable[[], Any], player: EndpointPlayer) -> Any:
    """What the server answers; its errors in words that say what to do."""
    import openai

    where = f"the server at {player.base_url}"
    tried = f"after {player.retries + 1} tries" if player.retries else "at once"
    try:
        return ask()
    except openai.APITimeoutError as e:
        raise EndpointError(
            f"{where} took longer than {player.timeout:g} s to answer, {tried}. Ask "
            "fewer at a time (concurrency), or wait longer (timeout)."
        ) from e
    except openai.APIConnectionError as e:
        raise EndpointError(
            f"{where} can't be reached ({e.__cause__ or e}), {tried}. Is it running, "
            "and is the address right?"
        ) from e
    except openai.RateLimitError as e:
        raise EndpointError(
            f"{where} limits the rate of requests (or the account has no credit left), "
            f"{tried}: {e.message}. Ask fewer at a time (concurrency), or later."
        ) from e
    except (openai.AuthenticationError, openai.PermissionDeniedError) as e:
        there = "is set" if os.environ.get(player.key_from) else "is not set"
        raise EndpointError(
            f"{where} refuses the key ({e.message}). It is read from the environment "
            f"variable {player.key_from}, which {there}."
        ) from e
    except openai.NotFoundError as e:
        raise EndpointError(
            f"{where} knows no model {player.model!r}, or the address is not the API's "
            f"root ({e.message})."
        ) from e
    except openai.APIStatusError as e:
        raise EndpointError(
            f"{where} answered with an error when asked for {player.model!r}, "
            f"{tried}: {e.status_code} {e.message}"
        ) from e
    except (openai.APIError, ValueError) as e:
        raise EndpointError(f"{where} answered nonsense, {tried}: {e}") from e
