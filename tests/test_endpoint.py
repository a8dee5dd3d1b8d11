"""An OpenAI-compatible server as a player: a fake one that misbehaves on demand,
and a real one on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest
from hypothesis import given

from selfplay_kit.__main__ import main
from selfplay_kit.endpoint import EndpointError, EndpointPlayer, chat_messages
from selfplay_kit.game import Game
from selfplay_kit.play import play_games
from selfplay_kit.protocol import LONG
from selfplay_kit.rounds import read_games
from selfplay_kit.rules import SEMI, scenarios
from selfplay_kit.scripted import Fair, Greedy

from . import strategies as s

openai = pytest.importorskip("openai")

SOME = scenarios("development")[:6]


class Server:
    """A server that answers chat completions; ``script`` says how, call by call."""

    def __init__(self, script):
        self.script, self.lock = script, Lock()
        self.asked, self.keys, self.at_once, self.peak = [], [], 0, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with outer.lock:
                    outer.asked.append(body)
                    outer.keys.append(self.headers.get("authorization"))
                    number = len(outer.asked) - 1
                    outer.at_once += 1
                    outer.peak = max(outer.peak, outer.at_once)
                try:
                    status, answer, headers = outer.script(number, body)
                finally:
                    with outer.lock:
                        outer.at_once -= 1
                raw = (
                    answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                )
                self.send_response(status)
                for name, value in {"content-type": "application/json"}.items():
                    self.send_header(name, headers.get(name, value))
                self.send_header("retry-after-ms", "1")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def serve():
    running = []

    def start(script):
        running.append(Server(script))
        return running[-1]

    yield start
    for server in running:
        server.close()


def said(text, tokens=True):
    answer = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
    }
    if tokens:
        answer["usage"] = {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
        }
    return 200, answer, {}


def half(body):
    """A player by rote: greet, then propose as much of each kind as may be asked."""
    if len(body["messages"]) <= 2:
        return "[message] hi !"
    return "[propose] (0 books, 0 hats, 0 balls)"


def player(server, **how):
    return EndpointPlayer("m", server.url, **({"retries": 0, "timeout": 10} | how))


# What is asked ------------------------------------------------------------------


@given(s.games())
def test_messages_take_turns_and_hold_what_the_position_holds(game):
    for seat in (0, 1):
        p = game.position(seat)
        messages = chat_messages(p, opening="You speak first.")
        roles = [m["role"] for m in messages]
        assert roles[0] == "system" and messages[0]["content"] == LONG.system(p)
        assert all(
            a == ("user" if i % 2 == 0 else "assistant")
            for i, a in enumerate(roles[1:])
        )
        mine = [ln.text for ln in p.lines if ln.by in ("mine", "tried")]
        assert [m["content"] for m in messages if m["role"] == "assistant"] == mine


def test_a_partners_proposal_is_never_in_the_messages():
    g = Game(SOME[0], SEMI, 0).submit("[message] hi")
    g = g.submit("[message] ok").submit("[propose] (1 books, 0 hats, 1 balls)")
    partner = json.dumps(chat_messages(g.position()))
    assert "1 books" not in partner and "private proposal" in partner


def test_games_are_played_and_counted(serve):
    server = serve(lambda n, body: said(half(body)))
    one = player(server, concurrency=3, temperature=0.5, max_tokens=33)
    games = play_games((one, Greedy()), SOME, SEMI, seed=1)
    assert [t.replay().over for t in games] == [True] * len(SOME)
    mine = sum(m.seat == 0 for t in games for m in t.moves)
    assert one.usage.requests == len(server.asked) == mine
    assert one.usage.prompt_tokens == 10 * mine
    assert one.usage.completion_tokens == 3 * mine and one.usage.unknown == 0
    assert {(b["temperature"], b["max_tokens"], b["model"]) for b in server.asked} == {
        (0.5, 33, "m")
    }
    assert all(t.players[0] == "m" for t in games)
    assert f"{mine} requests" in str(one.usage)


def test_an_answer_goes_to_the_position_that_was_asked(serve):
    def slow_first(n, body):
        time.sleep(0.05 * (3 - n % 3))
        return said(f"[message] {body['messages'][0]['content'].split(': ')[1][:20]}")

    server = serve(slow_first)
    table = player(server, concurrency=3).sit(3, seed=0)
    positions = [
        Game(x, SEMI, number=i).position()
        for i, x in enumerate(scenarios("test")[::150])
    ]
    moves = table.reply(positions)
    table.close()
    pools = [LONG.system(p).split(": ")[1][:20] for p in positions]
    assert [m.text for m in moves] == [f"[message] {pool}" for pool in pools]
    assert len(set(pools)) > 1 and server.peak > 1


def test_seeds_are_sent_and_repeat(serve):
    server = serve(lambda n, body: said(half(body)))
    for seed in (7, 7, 8):
        play_games((player(server, concurrency=1), Fair()), SOME[:3], SEMI, seed=seed)
    seeds = [b["seed"] for b in server.asked]
    third = len(seeds) // 3
    assert seeds[:third] == seeds[third : 2 * third] != seeds[2 * third :]


def test_the_key_comes_from_the_environment_and_stays_out_of_records(
    serve, monkeypatch, tmp_path
):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    server = serve(lambda n, body: said(half(body)))
    one = player(server, key_from="MY_KEY")
    games = play_games((one, Fair()), SOME[:1], SEMI, seed=0)
    assert server.keys[0] == "Bearer sk-secret"
    assert "secret" not in games[0].to_json() + repr(one)


def test_an_answer_without_tokens_is_counted_as_untold(serve):
    server = serve(lambda n, body: said(half(body), tokens=False))
    one = player(server)
    play_games((one, Fair()), SOME[:2], SEMI, seed=0)
    assert one.usage.unknown == one.usage.requests > 0
    assert "not told" in str(one.usage)


def test_no_content_is_an_invalid_move_not_an_error(serve):
    server = serve(lambda n, body: said(None))
    game = play_games((player(server), Fair()), SOME[:1], SEMI, seed=0, firsts=[0])[0]
    assert game.aborted and game.moves[0].error == "no_prefix"


# What goes wrong ----------------------------------------------------------------


def test_a_busy_server_is_asked_again(serve):
    def busy(n, body):
        wrong = {0: 429, 1: 503, 2: 500}
        return (
            (wrong[n], {"error": {"message": "later"}}, {})
            if n in wrong
            else said("[message] hi")
        )

    server = serve(busy)
    table = player(server, retries=4).sit(1, seed=0)
    assert table.reply([Game(SOME[0], SEMI).position()])[0].text == "[message] hi"
    table.close()
    assert len(server.asked) == 4


FAULTS = {
    "rate limit": ((429, {"error": {"message": "slow down"}}, {}), "limits the rate"),
    "no key": (
        (401, {"error": {"message": "bad key"}}, {}),
        "NO_KEY, which is not",
    ),
    "no model": ((404, {"error": {"message": "no m"}}, {}), "knows no model 'm'"),
    "broken": ((500, {"error": {"message": "oh"}}, {}), "500"),
    "refused": ((400, {"error": {"message": "no system role"}}, {}), "no system role"),
    "a web page": ((200, b"<html>hello</html>", {"content-type": "text/html"}), "/v1"),
    "half an answer": ((200, b'{"choices": [', {}), "nonsense"),
    "other JSON": ((200, {"hello": 1}, {}), "no chat completion"),
    "no choices": ((200, said("")[1] | {"choices": []}, {}), "no chat completion"),
    "a number": ((200, 7, {}), "no chat completion"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_words(serve, fault):
    answer, told = FAULTS[fault]
    server = serve(lambda n, body: answer)
    table = player(server, key_from="NO_KEY").sit(1, seed=0)
    with pytest.raises(EndpointError) as e:
        table.reply([Game(SOME[0], SEMI).position()])
    table.close()
    assert told in str(e.value) and server.url in str(e.value)


def test_a_slow_server_is_told_in_words(serve):
    server = serve(lambda n, body: time.sleep(0.6) or said("[message] hi"))
    table = player(server, timeout=0.1).sit(1, seed=0)
    with pytest.raises(EndpointError, match=r"longer than 0\.1 s"):
        table.reply([Game(SOME[0], SEMI).position()])
    table.close()


def test_a_server_that_is_down_is_told_in_words():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    table = EndpointPlayer("m", url, retries=0).sit(1, seed=0)
    with pytest.raises(EndpointError, match="can't be reached"):
        table.reply([Game(SOME[0], SEMI).position()])
    table.close()


@pytest.mark.parametrize(
    "how, told",
    [
        ({"style": "tiny"}, "style"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout": 0}, "timeout"),
        ({"base_url": "localhost:8000"}, "http://localhost:8000/v1"),
    ],
)
def test_bad_settings_are_errors(how, told):
    with pytest.raises(ValueError, match=told):
        EndpointPlayer(**{"model": "m", "base_url": "http://x/v1"} | how)


def test_without_the_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EndpointError, match="pip install"):
        EndpointPlayer("m", "http://x/v1").sit(1, seed=0)


def test_the_command_keeps_what_was_played_and_goes_on(serve, tmp_path, capsys):
    """The server breaks in the middle; the file keeps whole games; a rerun ends it."""
    broken = {"now": True}

    def breaks(n, body):
        if broken["now"] and n > 12:
            return 500, {"error": {"message": "out of memory"}}, {}
        long = len(body["messages"]) > 2 or n % 2  # games end at different times
        text = "[propose] (0 books, 0 hats, 0 balls)" if long else "[message] hi !"
        return said(text)

    server = serve(breaks)
    out = tmp_path / "games.jsonl"
    command = ["play", "endpoint:m", "fair", "--games", "9", "--out", str(out)]
    command += ["--url", server.url, "--concurrency", "1"]
    assert main(command) == 1
    first = capsys.readouterr()
    assert "500" in first.err and "goes on" in first.out
    kept = read_games(out)
    assert 0 < len(kept) < 9
    broken["now"] = False
    assert main(command) == 0
    played = read_games(out)
    assert len(played) == 9 and played[: len(kept)] == kept
    last = capsys.readouterr().out
    assert "n 9" in last and "requests" in last
    for t in played:
        t.replay()


# The real thing -----------------------------------------------------------------


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    """``transformers serve`` with the shipped clean base, on loopback."""
    pytest.importorskip("torch")
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    from selfplay_kit.models import load_model

    program = shutil.which("transformers") or shutil.which(
        "transformers", path=str(Path(sys.executable).parent)
    )
    if program is None:
        pytest.skip("no `transformers` command here")
    folder = tmp_path_factory.mktemp("served")
    lm = load_model("tiny-clean")
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    env = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [program, "serve", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu"]
    with log.open("wb") as f:
        child = subprocess.Popen(command, stdout=f, stderr=f, env=env)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert child.poll() is None, log.read_text("utf-8")[-2000:]
                time.sleep(0.5)
        else:
            pytest.fail(f"the server did not start: {log.read_text('utf-8')[-2000:]}")
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        child.terminate()
        child.wait(20)


@pytest.mark.slow
def test_a_real_server_plays_whole_games(real_server):
    url, model = real_server
    one = EndpointPlayer(
        model, url, style="short", temperature=0.3, max_tokens=24, concurrency=2
    )
    games = play_games((one, one), SOME[:4], SEMI, seed=0)
    assert sum(t.agreed for t in games) >= 1  # the clean base deals in nine of ten
    for t in games:
        t.replay()
    moves = sum(len(t.moves) for t in games)
    assert one.usage.requests == moves and one.usage.unknown == 0
    assert 0 < one.usage.completion_tokens <= 24 * moves


@pytest.mark.slow
def test_a_real_server_says_that_it_has_no_such_model(real_server):
    url, _ = real_server
    table = EndpointPlayer("no-such-model", url, retries=0).sit(1, seed=0)
    with pytest.raises(EndpointError, match="no-such-model"):
        table.reply([Game(SOME[0], SEMI).position()])
    table.close()
