"""What a server's answers and errors mean, in words.

Servers with OpenAI's protocol differ in what they refuse and in how they say so.
:func:`read_response` gives an answer, or why there is none and what to do;
:func:`refused_fields` finds the fields of a request that an error refuses. Left out:
sending (``endpoint``), and hiding keys in all this (``keys``).
"""

from __future__ import annotations

import html
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..files import legible
from .keys import Address, bare_address

# Errors in place of an answer that is empty for the same reason (Azure, OpenAI, vLLM,
# llama.cpp).
NO_ANSWER = {
    r"content_?filter|content management policy|content_policy": "filtered",
    r"output limit was reached": "spent",
    r"context_length|context_size|maximum context|context (?:length|size|window)|"
    r"prompt is too long": "full",
}
REFUSALS = (400, 422, 500, 501)  # llama.cpp says 500 where a template refuses a role

# Answers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What one chat completion says, and how it ended.

    ``end`` is ``whole``, ``cut`` (at the limit), or why ``text`` is empty: ``spent``
    (the limit, before a word), ``thoughts`` (reasoning alone), ``filtered``,
    ``refused``, ``tool``, ``full`` (the model's context) or ``silent``. ``thought``
    says whether there was reasoning, which is never part of ``text``.
    """

    text: str
    end: str
    thought: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


_THOUGHTS = re.compile(  # closed, never closed, or opened by the prompt
    r"^\s*(?:<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)"
    r"|\[THINK\].*?(?:\[/THINK\]|\Z)"
    r"|(?:(?!</?think>).)*</think>)",
    re.DOTALL,
)
_LIMIT = ("length", "max_tokens", "max_output_tokens", "model_length")


def read_answer(body: Any) -> Answer:
    """Read a chat completion; ``ValueError`` says what makes it none.

    >>> said = {"content": "<think>well</think> [message] hi"}
    >>> read_answer({"choices": [{"message": said, "finish_reason": "stop"}]})
    Answer(text='[message] hi', end='whole', thought=True, prompt_tokens=None, \
completion_tokens=None)
    """
    if not isinstance(body, dict):
        raise ValueError(repr(body))
    if body.get("error"):
        raise ValueError("an error in place of it: " + "; ".join(_messages(body)))
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        held = "choices is empty" if choices == [] else ", ".join(map(str, body))
        raise ValueError(f"{held or 'nothing in it'}")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("the first choice has no message")
    end = str(choice.get("finish_reason")).lower()
    if end == "error" or choice.get("error"):
        raise ValueError("a choice with an error: " + "; ".join(_messages(choice)))
    text, thought = _content(message.get("content"))
    used = body["usage"] if isinstance(body.get("usage"), dict) else {}
    details = used.get("completion_tokens_details")
    inside = details.get("reasoning_tokens") if isinstance(details, dict) else 0
    kinds = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
    thought |= any(bool(message.get(k)) for k in kinds) or bool(inside)
    asked, answered = used.get("prompt_tokens"), used.get("completion_tokens")
    known = isinstance(asked, int) and isinstance(answered, int)
    return Answer(
        text,
        _end(text, end, thought, message),
        thought,
        asked if known else None,
        answered if known else None,
    )


def _content(content: Any) -> tuple[str, bool]:
    """The words in ``content`` and whether thoughts were cut from it."""
    if isinstance(content, list):  # parts; those with thoughts have no "text" type
        parts = [
            p if isinstance(p, dict) else {"type": "text", "text": p} for p in content
        ]
        words = [p.get("text") for p in parts if "text" in str(p.get("type", "text"))]
        thought = len(words) < len(parts)
        content = "".join(w for w in words if isinstance(w, str))
    elif content is None:
        return "", False
    elif isinstance(content, str):
        thought = False
    else:
        raise ValueError(f"content is {type(content).__name__}")
    text = _THOUGHTS.sub("", content, count=1)
    if text == content:
        return legible(content), thought
    return legible(text.lstrip()), True


def _end(text: str, end: str, thought: bool, message: dict) -> str:
    if text.strip():
        return "cut" if end in _LIMIT else "whole"
    if end in _LIMIT:
        return "spent"
    if "filter" in end or end == "safety":
        return "filtered"
    if message.get("refusal"):
        return "refused"
    if message.get("tool_calls") or message.get("function_call"):
        return "tool"
    return "thoughts" if thought else "silent"


# Refusals -----------------------------------------------------------------------

_REFUSAL = re.compile(
    r"unsupported|not (?:be )?(?:supported|permitted|allowed|recogni[sz]ed|enabled|"
    r"accepted|implemented|available|a valid)|n.t (?:support|allow|accept)|"
    r"not (?:support|allow|accept)|unrecogni[sz]ed|unknown|unexpected|extra|"
    r"additional propert|forbidden|cannot find|deprecated|disallowed|unevaluated|"
    r"instead of|invalid (?:field|param|argument|key|propert)|no such",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"too (?:large|long|big|high|small|low)|maximum|at (?:most|least)|(?:less|greater|"
    r"more|fewer) than|between|exceed|out of range|context",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"expected one of|\buse\b|\binstead\b|supported \w+ are|try ", re.I
)
_NAMELESS = re.compile(  # "Extra inputs are not permitted", and not which
    r"(?:extra|unknown|unrecogni[sz]ed|unexpected|additional)\W+(?:\w+ )?"
    r"(?:field|param|argument|input|key|propert)",
    re.IGNORECASE,
)
_ROLES = re.compile(  # of no system role, or of a chat without a user's turn
    r"(?:system|developer) (?:role|message|prompt|instruction)|['\"`]system['\"`]|"
    r"role\W+(?:\w+\W+)?system|messages\W{0,2}0\W{1,2}role|only user\W.*roles|"
    r"must alternate|no user (?:query|message)|at least one message|"
    r"contents (?:is|are) (?:not specified|required)|"
    r"(?:at least one|(?:first|last) message|messages? must)[^.]*\buser\b",
    re.IGNORECASE,
)
_LENGTH = re.compile("too long|exceed|context", re.IGNORECASE)


def refused_fields(body: Any, sent: Iterable[str]) -> set[str]:
    """Which of the ``sent`` fields (``system``: the role) the error in ``body``
    refuses; a field whose value alone is refused is none of them.

    >>> text = "'max_tokens' is not supported, use 'max_completion_tokens'"
    >>> refused_fields({"error": {"message": text}}, ["max_tokens", "seed"])
    {'max_tokens'}
    >>> refused_fields({"detail": "max_tokens is too large: 9000"}, ["max_tokens"])
    set()
    """
    refused: set[str] = set()
    fields = set(sent)
    for complaint in _complaints(body):
        if "system" in fields and _ROLES.search(complaint):
            refused |= set() if _LENGTH.search(complaint) else {"system"}
        elif _REFUSAL.search(complaint) and not _VALUE.search(complaint):
            named = _named(complaint, fields - {"system"})
            if not named and _NAMELESS.search(complaint):
                named = fields & {"seed"}  # the one that is not common
            refused |= named
    return refused


def _named(complaint: str, fields: set[str]) -> set[str]:
    """The fields that it blames, not those that it lists or recommends."""
    blamed = _ADVICE.split(complaint, maxsplit=1)[0]
    of = r"(?:instead of|in place of|rather than)\W+"
    return {f for f in fields if re.search(rf"(?<!\w){f}(?!\w)", blamed)} or {
        f for f in fields if re.search(rf"{of}{f}(?!\w)", complaint)
    }


def _complaints(body: Any) -> Iterator[str]:
    """Each complaint in an error, with the field it is about and its type."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for part in body:
            yield from _complaints(part)
    elif isinstance(body, dict):
        own = [
            ".".join(map(str, v)) if isinstance(v, list) else str(v)
            for k, v in body.items()
            if k in ("loc", "param", "type", "code", "field", "msg", "message", "error")
            and v is not None
            and not (isinstance(v, dict) or (isinstance(v, list) and k != "loc"))
        ]
        if own:  # "param: seed; code: unsupported" belongs together
            yield " ".join(own[::-1] if "loc" in body else own)
        for k, v in body.items():
            if isinstance(v, (dict, list)) and k not in ("loc", "input", "ctx"):
                yield from _complaints(v)
            elif isinstance(v, str) and k in ("detail", "title", "reason"):
                yield v


def _messages(body: Any) -> Iterator[str]:
    """The sentences of an error, for people."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for part in body:
            yield from _messages(part)
    elif isinstance(body, dict):
        text = body.get("msg") or body.get("type")
        if isinstance(body.get("loc"), list):
            yield f"{'.'.join(map(str, body['loc']))}: {text}"
            return
        for k in ("error", "message", "msg", "detail", "errors", "title", "reason"):
            yield from _messages(body.get(k))


def reason(text: str) -> str:
    """A server's own reason out of the body of its answer."""
    try:
        body = json.loads(text)
    except ValueError:
        page = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.I)
        bare = " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text).split())
        if page or re.search("<(html|body|!doctype)", text, re.IGNORECASE):
            title = page[1] if page else bare
            return f"a web page: {' '.join(html.unescape(title).split())!r}"
        return bare or "an empty answer"
    told = list(dict.fromkeys(m.strip() for m in _messages(body) if m.strip()))
    return "; ".join(told) or text


# Failures -----------------------------------------------------------------------


def chain(e: BaseException | None) -> list[BaseException]:
    """``e`` and what caused it, outermost first."""
    links: list[BaseException] = []
    while e is not None and e not in links:
        links.append(e)
        e = e.__cause__ or e.__context__
    return links


def connection_cause(e: BaseException, address: Address) -> str:
    """Why there is no connection, and what to do about it."""
    links = chain(e)
    kinds = {type(x).__name__ for x in links}
    root = str(links[-1]) or type(links[-1]).__name__
    if "LocalProtocolError" in kinds or "UnicodeEncodeError" in kinds:
        return (  # its own words quote the header, key and all
            "the request can't be written: a header has a character that none may "
            "have. Look at OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS "
            "if they are set. No server was asked."
        )
    if address.proxy and kinds & {"ProxyError", "ConnectError", "ConnectTimeout"}:
        return (
            f"the way leads through the proxy that {address.proxy} names, and that "
            f"failed ({root}). Check the proxy, or set NO_PROXY={address.host}."
        )
    if "CERTIFICATE_VERIFY_FAILED" in root or "SSLCertVerificationError" in kinds:
        return (
            "its certificate is not trusted: self-signed, out of date or for another "
            "name. Name its authority's file in SSL_CERT_FILE, or use the address that "
            f"the certificate is for ({root})."
        )
    if any(isinstance(x, ssl.SSLError) for x in links):
        return (
            f"it does not speak TLS ({root}). If it is a plain server, its address "
            "begins with http:// and not with https://."
        )
    if any(isinstance(x, socket.gaierror) for x in links):
        return (
            f"there is no host named {address.host!r}, or no name server answers "
            f"({root}). Is the name right, and is there a network?"
        )
    if any(isinstance(x, ConnectionRefusedError) for x in links):
        return f"nothing listens there ({root}). Is it running, and is the port right?"
    if "TooManyRedirects" in kinds:
        return "it sends from address to address without end. Is the address right?"
    if kinds & {"RemoteProtocolError", "ReadError", "WriteError"}:
        return (
            f"it closed the connection before it answered ({root}). It may have "
            "stopped, or speak https:// only."
        )
    return f"{root}. Is it running, and is the address right?"


def client_cause(e: BaseException, address: Address) -> str:
    """Why no client can be made for this address: proxies, certificates."""
    proxy = address.proxy or "ALL_PROXY, HTTP_PROXY or HTTPS_PROXY"
    without = f"For a server that needs no proxy set NO_PROXY={address.host}."
    text = str(e).lower()
    if isinstance(e, ImportError) or "socks" in text:
        return (
            f"{proxy} names a SOCKS proxy, and the package for that is missing: pip "
            f"install socksio (for socks5:// and socks5h:// only). {without}"
        )
    if "proxy" in text or type(e).__name__ == "InvalidURL":
        return (
            f"{proxy} names a proxy with an address that can't be used; it is such as "
            f"http://host:port. {without}"
        )
    if any(isinstance(x, (ssl.SSLError, OSError)) for x in chain(e)):
        return f"the certificates that SSL_CERT_FILE names can't be read ({e})."
    return f"the client can't be made ({type(e).__name__}: {e})."


def tries(request: Any) -> str:
    """How often the client sent ``request``, in words."""
    again = request.headers.get("x-stainless-retry-count", "")
    if not again.isdigit():
        return ""
    return f", after {int(again) + 1} tries" if int(again) else ", at the first try"


@dataclass(frozen=True)
class Failure:
    """Why there is no answer: ``words`` that go on after "the server at URL"; of an
    answer with an error, its ``status``, its ``body`` and the server's ``reason``."""

    words: str
    status: int = 0
    body: Any = None
    reason: str = ""


def read_response(
    response: Any,
    model: str,
    key: str,
    address: Address,
    plain: Callable[[str], str],
    *,
    begun: bool = True,
) -> Answer | Failure:
    """The answer in an HTTP response, or why there is none.

    ``key`` says where the key is read from; ``plain`` makes a server's text fit to be
    shown: without secrets, and short. A model's context that is full is an answer
    without words once the game has ``begun``.
    """
    text = response.text.removeprefix("\ufeff")
    hint, code = _way(response, address), response.status_code
    if code >= 300:
        why = plain(reason(text))
        for signs, end in NO_ANSWER.items() if code == 400 else ():
            if re.search(signs, text, re.IGNORECASE) and (begun or end != "full"):
                return Answer("", end, end == "spent")
        words = status_cause(response, model, key, why) + hint
        return Failure(words, code, _json(text), why)
    try:
        return read_answer(json.loads(text))
    except json.JSONDecodeError:
        page = "text/html" in response.headers.get("content-type", "")
        what = "with no chat completion" if page else "nonsense"
        why = reason(text)
    except ValueError as e:
        what, why = "something that is no chat completion", str(e)
    return Failure(
        f"answered {what} ({plain(why)}). Is the address the API's root, which mostly "
        f"ends in /v1?{hint}"
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _way(response: Any, address: Address) -> str:
    """What a redirect or a proxy on the way may have to do with it."""
    if response.history:
        to = bare_address(str(response.url))
        return f" It redirects to {to}: is that a page to log in, or the right address?"
    if address.proxy and response.status_code in (403, 407, 502, 503, 504):
        return (
            f" The way leads through the proxy that {address.proxy} names; "
            f"NO_PROXY={address.host} goes without."
        )
    return ""


def status_cause(response: Any, model: str, key: str, why: str) -> str:
    """What an answer with an error's status means; ``why`` is the server's reason."""
    code = response.status_code
    tried = tries(response.request)
    if code == 429:
        after = response.headers.get("retry-after", "")
        again = f" It says to wait for {after} s." if after.isdigit() else ""
        return (
            "limits the rate of requests, or the account has no credit left"
            f"{tried}: {why}.{again} Ask fewer at a time (concurrency), or go on later."
        )
    if code in (401, 403):
        return f"refuses the key ({code}: {why}). It is read from {key}."
    if code in (404, 405):
        return (
            f"knows no model {model!r}, or the address is not the API's root, which "
            f"mostly ends in /v1 ({code}: {why})."
        )
    if code < 400:
        return f"sends elsewhere ({code}). Use the address that it names."
    return f"answered with an error when asked for {model!r}{tried}: {code}, {why}."
