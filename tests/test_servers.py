"""What servers answer: refused fields, odd answers, and keys that stay hidden."""

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.lm.keys import (
    EndpointError,
    Secrets,
    proxy_secrets,
    read_address,
    read_key,
    variable_words,
)
from selfplay_kit.lm.servers import read_answer, reason, refused_fields

SENT = {"max_tokens", "seed", "temperature", "system"}


def error(message, **more):
    return {"error": {"message": message, **more}}


def extra(*fields):  # pydantic, as vLLM, Mistral and FastAPI have it
    kinds = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
    return [kinds | {"loc": ["body", f], "input": 5} for f in fields]


TAGS = "['type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs']"
SERDE = "Failed to deserialize the JSON body into the target type: "
REFUSALS = [
    (  # OpenAI
        error(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        {"max_tokens"},
    ),
    (
        error("Please use 'max_completion_tokens' instead of 'max_tokens'"),
        {"max_tokens"},
    ),
    (
        error(
            "Unsupported value: 'temperature' does not support 0.2 with this model. "
            "Only the default (1) value is supported.",
            param="temperature",
        ),
        {"temperature"},
    ),
    (
        error("Unsupported value: 'messages[0].role' does not support 'system'"),
        {"system"},
    ),
    (error("Unknown parameter: 'seed'.", param="seed"), {"seed"}),
    (error("Unrecognized request argument supplied: seed", param=None), {"seed"}),
    # vLLM, Mistral, FastAPI: lists, lists in "message", lists as text
    ({"object": "error", "message": TAGS, "code": 400}, {"seed"}),
    ({"object": "error", "message": {"detail": extra("seed")}}, {"seed"}),
    ({"detail": extra("seed", "temperature")}, {"seed", "temperature"}),
    ({"detail": "Extra inputs are not permitted"}, {"seed"}),
    ({"object": "error", "message": "System role not supported"}, {"system"}),
    (error("Conversation roles must alternate user/assistant/..."), {"system"}),
    (
        {"error": {"code": 500, "message": "System role not supported at row 1"}},
        {"system"},
    ),
    ({"error": "Unrecognized key(s) in object: 'seed'"}, {"seed"}),  # LM Studio
    ({"error": 'json: unknown field "seed"'}, {"seed"}),  # Go
    (
        [error('Invalid JSON payload received. Unknown name "seed".')],
        {"seed"},
    ),  # Gemini
    (error("Developer instruction is not enabled for models/gemma-3"), {"system"}),
    (SERDE + "unknown field `seed`, expected one of `model`, `max_tokens`", {"seed"}),
    (SERDE + "unknown variant `system`, expected `user` or `assistant`", {"system"}),
    ({"message": "#: extraneous key [max_tokens] is not permitted"}, {"max_tokens"}),
    ({"errors": [{"field": "seed", "message": "is not allowed"}]}, {"seed"}),
    (error("No user query found in messages."), {"system"}),
    # what is no refusal of a field
    (error("max_tokens is too large: 200. At most 100 are supported"), set()),
    (
        error("maximum context length is 100, you asked for 300 (200 in max_tokens)"),
        set(),
    ),
    (error("Invalid 'seed': integer below minimum value.", param="seed"), set()),
    ({"detail": [{"loc": ["body", "temperature"], "msg": "Input too high"}]}, set()),
    (error("The model `seed-oss` does not exist"), set()),
    (error("out of memory"), set()),
    (error("The system prompt is too long"), set()),
    ("<html><title>Bad gateway</title></html>", set()),
    (None, set()),
    (7, set()),
]


@pytest.mark.parametrize("body, fields", REFUSALS)
def test_the_refused_fields_are_seen(body, fields):
    assert refused_fields(body, SENT) == fields


@pytest.mark.parametrize("body, fields", REFUSALS)
def test_a_field_that_was_not_sent_is_not_blamed(body, fields):
    assert refused_fields(body, SENT - fields) <= SENT - fields


# Answers ------------------------------------------------------------------------


def chat(content, end="stop", usage=None, **message):
    choice = {"message": {"content": content, **message}, "finish_reason": end}
    return {"choices": [choice], "usage": usage}


@pytest.mark.parametrize(
    "content, words, thought",
    [
        ("[message] hi", "[message] hi", False),
        ("<think>so</think>\n[message] hi", "[message] hi", True),
        ("\n<thinking>a\nb</thinking>[message] hi", "[message] hi", True),
        ("[THINK]a[/THINK][message] hi", "[message] hi", True),
        ("the prompt opened it</think>[message] hi", "[message] hi", True),
        ("<think>never closed, [message] hi", "", True),
        ("<think></think>", "", True),
        ("[message] I think < 3", "[message] I think < 3", False),
        ([{"type": "text", "text": "[message] "}, {"type": "text", "text": "hi"}],
         "[message] hi", False),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]},
          {"type": "text", "text": "[message] hi"}], "[message] hi", True),
        (["[message] hi"], "[message] hi", False),
        ([], "", False),
        (None, "", False),
        ("[message] half \ud83d", "[message] half \ufffd", False),
        ("[message] whole \ud83d\ude00", "[message] whole 😀", False),
    ],
)  # fmt: skip
def test_the_words_are_taken_out_of_the_answer(content, words, thought):
    answer = read_answer(chat(content))
    assert (answer.text, answer.thought) == (words, thought)


@pytest.mark.parametrize(
    "body, end",
    [
        (chat("[message] hi"), "whole"),
        (chat("[message] I would li", "length"), "cut"),
        (chat("", "length", reasoning_content="well"), "spent"),
        (chat(None, "MAX_TOKENS"), "spent"),
        (chat("<think>well", "length"), "spent"),
        (chat("", "stop", reasoning="well"), "thoughts"),
        (chat("<think>well</think>"), "thoughts"),
        (
            chat("", usage={"completion_tokens_details": {"reasoning_tokens": 9}}),
            "thoughts",
        ),
        (chat("", "content_filter"), "filtered"),
        (chat(None, refusal="I can't"), "refused"),
        (chat(None, "tool_calls", tool_calls=[{"id": 1}]), "tool"),
        (chat("  \n", None), "silent"),
    ],
)
def test_how_an_answer_ended_is_seen(body, end):
    assert read_answer(body).end == end


@pytest.mark.parametrize(
    "body, told",
    [
        ({"choices": []}, "choices is empty"),
        ({"choices": None}, "choices"),
        ({"choices": [{"text": "hi"}]}, "no message"),
        ({"choices": ["hi"]}, "no message"),
        (chat(7), "content is int"),
        (error("the provider is down", code=502), "provider is down"),
        (error("late", code=502) | chat(""), "late"),
        ({"choices": [{"message": {}, "error": {"message": "cut off"}}]}, "cut off"),
        ({}, "nothing in it"),
        ([], "[]"),
        ("hi", "hi"),
    ],
)
def test_what_is_no_completion_says_why(body, told):
    with pytest.raises(ValueError) as e:
        read_answer(body)
    assert told in str(e.value)


@pytest.mark.parametrize("usage", [None, {}, 7, {"prompt_tokens": None}, {"a": 1}])
def test_tokens_that_are_not_told_are_unknown(usage):
    answer = read_answer(chat("hi") | {"usage": usage})
    assert answer.prompt_tokens is None and answer.completion_tokens is None


@pytest.mark.parametrize(
    "text, told",
    [
        ('{"error": {"message": "no m", "code": 7}}', "no m"),
        ('{"error": "no m"}', "no m"),
        (
            '{"detail": [{"loc": ["body", "seed"], "msg": "not here"}]}',
            "body.seed: not",
        ),
        (
            '{"detail": [{"loc": ["body", "seed"], "type": "extra"}]}',
            "body.seed: extra",
        ),
        (
            "<html><head><title>Log &amp; in</title></head></html>",
            "a web page: 'Log & in",
        ),
        ("<!doctype html><body><h1>404</h1> nginx</body>", "a web page: '404 nginx'"),
        ("model not loaded", "model not loaded"),
        ("", "an empty answer"),
        ('{"x": 1}', '{"x": 1}'),
    ],
)
def test_the_servers_reason_is_found(text, told):
    assert told in reason(text)


# Keys ---------------------------------------------------------------------------

KEYS = ["sk-SECRET123", 'a"b&c/d+e=', "0123456789" * 5, "none", "x"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_hidden_however_it_is_written(key):
    hide = Secrets([key]).hide
    shapes = [key, repr(key), json.dumps({"key": key}), quote(key, safe=""), f"({key})"]
    for shape in [*shapes, html.escape(key), f"Bearer {key}.", f"…{key}\r"]:
        hidden = hide(shape)
        assert key not in hidden and "[hidden]" in hidden
        for form in (quote(key, safe=""), html.escape(key), json.dumps(key)[1:-1]):
            assert form not in hidden


def test_a_piece_of_a_key_is_hidden_and_other_words_are_not():
    secrets = Secrets(["sk-SECRET123456", "none"])
    assert secrets.hide("got sk-SECRET1...") == "got [hidden]..."
    assert secrets.hide("ends in RET123456") == "ends in [hidden]"
    assert secrets.hide("nonesuch, none.") == "nonesuch, [hidden]."
    assert secrets.hide("none of it", shortest=8) == "none of it"
    assert Secrets([""]).hide("as it was") == "as it was"


@given(st.text(min_size=1), st.text(), st.text())
def test_no_key_is_left(key, before, after):
    text = f"{before} {key} {after}"
    if len(key) >= 8:
        assert key not in Secrets([key]).hide(text)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\u200b", "\ufeff", " ", "\t\x00"])
@pytest.mark.parametrize("side", ["before", "after", "both"])
def test_what_nobody_sees_at_the_ends_is_cut(monkeypatch, end, side):
    if "\x00" in end:
        end = "\t\x1f"  # no environment holds a null
    raw = {"before": end + "sk-1", "after": "sk-1" + end, "both": f"{end}sk-1{end}"}
    monkeypatch.setenv("K", raw[side])
    assert read_key("K") == ("sk-1", True)


@pytest.mark.parametrize(
    "inner, kind",
    [
        (" ", "white space"),
        ("\n", "a line break"),
        ("\u200b", "an invisible character"),
        ("\xa0", "white space"),
        ("é", "a character outside ASCII"),
        ("\x07", "an invisible character"),
        ("\udcff", "a character outside ASCII"),  # a byte that is no UTF-8
    ],
)
def test_a_key_that_cannot_be_sent_is_refused(monkeypatch, inner, kind):
    monkeypatch.setenv("K", f"sk-SEC{inner}RET123\n")
    with pytest.raises(EndpointError) as e:
        read_key("K")
    said = str(e.value)
    assert f"{kind} at place 7 of 13" in said and "environment variable K" in said
    assert "SEC" not in said and "RET" not in said


def test_no_key_is_no_fault(monkeypatch):
    monkeypatch.delenv("K", raising=False)
    assert read_key("K") == ("", False)
    monkeypatch.setenv("K", "sk-1")
    assert read_key("K") == ("sk-1", False)


def test_a_key_in_place_of_a_variables_name_is_not_shown(monkeypatch):
    assert "hf_abcDEF" not in variable_words("hf_abcDEF")
    assert "MY_KEY" in variable_words("MY_KEY")
    monkeypatch.setenv("my_key", "1")
    assert "my_key" in variable_words("my_key")


@pytest.mark.parametrize(
    "url, root",
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        (" http://host/v1\n", "http://host/v1"),
        ("https://me:S3CRET@host/v1", "https://host/v1"),
        ("https://me:S3%40CRET@host/v1?api-key=S3CRET", "https://host/v1"),
        ("https://S3CRET@[::1]:80/v1#S3CRET", "https://[::1]:80/v1"),
        ("https://host/v1?api-version=2024-10-21&key=S3CRET", "https://host/v1"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, root):
    address = read_address(url)
    assert address.root == root and "CRET" not in repr(address)
    hidden = Secrets(address.secrets).hide(f"asked {url}")
    assert "S3CRET" not in hidden and "S3@CRET" not in hidden
    assert ("2024-10-21" in url) == ("2024-10-21" in hidden)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "",
        "/v1",
        "http://",
        "ftp://me:S3CRET@host/v1",
        "htp://S3CRET@host/v1",
        "me:S3CRET@host/v1",
        "ws://host/v1?key=S3CRET",
        "http://me:S3CRET@host:port/v1",
        "http://me:S3CRET@host:99999/v1",
        "http://me:S3CRET@[::1/v1",
        "https://me:S3CRET@host/v1/chat/completions?key=S3CRET",
    ],
)
def test_what_is_no_address_is_refused_without_its_secrets(url):
    with pytest.raises(ValueError, match="http://localhost:8000/v1") as e:
        read_address(url)
    assert "S3CRET" not in str(e.value)
    assert e.value.__cause__ is None and "S3CRET" not in str(e.value.__context__)


def test_the_passwords_of_proxies_are_secrets(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pa%40ss-word@proxy:3128")
    monkeypatch.setenv("all_proxy", "socks5://other-token@proxy:1080")
    hide = Secrets(proxy_secrets()).hide
    for text in ("pa%40ss-word", "me:pa@ss-word", "other-token"):
        assert text not in hide(f"proxy {text} failed")
