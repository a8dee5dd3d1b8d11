"""The study's server: what a person's own Jupyter settings can't change, and that an
address works as it is printed.

Each test starts a server of its own; none needs a browser.
"""

import contextlib
import doctest
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unicodedata
import urllib.error
import urllib.request
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from selfplay_study import Settings, Study, StudyError, address

from .conftest import ROOT

psutil = pytest.importorskip("psutil")
pytest.importorskip("voila")
from selfplay_study import serve  # noqa: E402

WORD = "hats"
# All that could open the page, take its word away, show its code or break it.
OPEN = {
    "Voila": {
        "ip": "0.0.0.0",
        "port": 1,
        "token": "",
        "base_url": "/elsewhere/",
        "root_dir": "/",
        "static_paths": ["/"],
        "identity_provider_class": "jupyter_server.auth.identity.IdentityProvider",
        "tornado_settings": {"headers": {"Access-Control-Allow-Origin": "*"}},
    },
    "VoilaConfiguration": {
        "template": "theirs",
        "allow_template_override": "YES",
        "show_tracebacks": True,
        "strip_sources": False,
        "file_allowlist": [".*"],
        "extension_language_mapping": {".ipynb": "none"},
        "preheat_kernel": False,
        "progressive_rendering": True,
        "resources": {"theme": "theirs"},
    },
    "ServerApp": {"ip": "0.0.0.0", "allow_origin": "*", "allow_remote_access": True},
    "IdentityProvider": {"token": "other"},
    "PasswordIdentityProvider": {"hashed_password": "sha1:1:1"},
    "KernelSpecManager": {"ensure_native_kernel": False, "allowed_kernelspecs": ["x"]},
    "MappingKernelManager": {"default_kernel_name": "x"},
    "KernelManager": {"ip": "0.0.0.0", "transport": "tcp"},
}
NAMES = ("voila.json", "jupyter_config.json", "jupyter_server_config.json")
AS_CODE = """\
c = get_config()  # noqa
c.Voila.ip = "0.0.0.0"
c.Voila.token = ""
c.VoilaConfiguration.file_allowlist = [".*"]
"""


def in_files(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(json.dumps(OPEN), "utf-8")


def in_code(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("voila.py", "jupyter_config.py", "jupyter_server_config.py"):
        (folder / name).write_text(AS_CODE, "utf-8")


def in_data(folder):
    """A template of that name, a kernel of that name, an extension's settings."""
    template = folder / "voila/templates/lab"
    template.mkdir(parents=True)
    (template / "index.html.j2").write_text("theirs", "utf-8")
    conf = {"traitlet_configuration": OPEN["VoilaConfiguration"]}
    (template / "conf.json").write_text(json.dumps(conf), "utf-8")
    kernel = folder / "kernels/python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec | {"display_name": "x"}))


@contextlib.contextmanager
def serving(tmp_path, *more, word=WORD, cwd=None, **env):
    """A served study: (process, address as printed)."""
    study = Study.new(tmp_path / "class", Settings(("fair",), games=1))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "selfplay_study", "serve", str(study.folder)]
    command += ["--port", str(port), "--ready", "0", *more]
    command += [] if word is None else ["--word", word]
    log = tmp_path / "log"
    own = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "HOME": str(tmp_path / "home")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd or tmp_path, env=os.environ | own | env,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not listens(process):
            said = log.read_text("utf-8")
            assert process.poll() is None and time.monotonic() < until, said
            time.sleep(0.1)
        yield process, re.search(r"http://\S+", log.read_text("utf-8")).group()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def listens(process):
    """The addresses at which the page is served; the partners' host is another."""
    command = process.args
    port = int(command[command.index("--port") + 1])
    ends = psutil.Process(process.pid).net_connections("tcp")
    return {
        c.laddr.ip for c in ends if c.status == "LISTEN" and c.laddr.port in (port, 1)
    }


def opened(url):
    """(headers, text) of a page, with cookies, as a browser follows it."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(jar, urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=120) as answer:
        return answer.headers, answer.read().decode()


def at_home(tmp_path):
    in_files(tmp_path / "home/.jupyter")
    in_code(tmp_path / "home/.jupyter")
    in_data(tmp_path / "home/.local/share/jupyter")
    return {}


def in_the_working_folder(tmp_path):
    in_files(tmp_path)
    in_code(tmp_path)
    return {}


def by_variables(tmp_path):
    in_files(tmp_path / "settings")
    in_code(tmp_path / "more")
    in_data(tmp_path / "data")
    start = tmp_path / "start.py"
    start.write_text(f"open({str(tmp_path / 'was_run')!r}, 'w').close()", "utf-8")
    return {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "settings"),
        "JUPYTER_CONFIG_PATH": str(tmp_path / "more"),
        "JUPYTER_PATH": str(tmp_path / "data"),
        "JUPYTER_TOKEN": "other",
        "JUPYTER_PREFER_ENV_PATH": "0",
        "VOILA_TOKEN": "",
        "VOILA_IP": "0.0.0.0",
        "PYTHONSTARTUP": str(start),
    }


@pytest.mark.parametrize("ambient", [at_home, in_the_working_folder, by_variables])
def test_what_a_person_has_set_for_jupyter_changes_nothing(tmp_path, ambient):
    env = ambient(tmp_path)
    with serving(tmp_path, **env) as (process, url):
        assert listens(process) == {"127.0.0.1"}
        page = url.partition("?")[0]
        for wrong in ("", "?token=other", "?token="):
            headers, text = opened(page + wrong)
            assert "The word, please" in text and "kernelId" not in text
        headers, text = opened(url)
        assert "widget-view" in text and "theirs" not in text
        assert "selfplay_study.page" not in text and "Traceback" not in text
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert not headers["Access-Control-Allow-Origin"]
        for file in ("voila/files/page.ipynb", "elsewhere/", "voila/static/etc/passwd"):
            with pytest.raises(urllib.error.HTTPError, match=r"40[34]"):
                opened(f"{page}{file}?token={WORD}")
    assert not (tmp_path / "was_run").exists()


# Words -------------------------------------------------------------------------------

WORDS = [
    "a+b",
    "R&D",
    "c#1",
    "50%",
    "%41",
    "two words",
    "what?",
    "a=b;c",
    "x/y\\z",
    "Käse",
    "帽子",
    "🎩",
    "'\"<b>",
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::1", "fe80::1%eth0"])
def test_the_printed_address_carries_the_word(tmp_path, word, host):
    study = Study.new(tmp_path / "class", Settings(("fair",), games=1))
    told = serve.told(study, host, 8866, address.clean_word(word))
    parts = urlsplit(re.search(r"http://\S+", told).group())
    assert parse_qs(parts.query) == {"token": [word]} and parts.fragment == ""
    assert parts.port == 8866 and parts.path == "/"
    if quote(word, safe="") != word:
        assert f"for those who type it:  {word}\n" in told
    assert ("Browsers open no address with a scope" in told) == ("%" in host)


def test_an_odd_word_opens_the_page_as_printed_and_as_typed(tmp_path):
    word = "a+b & Kä?#%41"
    with serving(tmp_path, word=f" {word} ") as (_, url):
        door, query = url.split("?")
        ways = [url]
        ways += [
            f"{door}?token={quote(query.removeprefix('token='), safe='')}"
        ]  # typed
        ways += [f"{door}?token={quote(unicodedata.normalize('NFD', word))}"]
        for way in ways:
            assert "widget-view" in opened(way)[1], way
        assert "The word, please" in opened(f"{door}?token=a")[1]


def test_an_ipv6_address_is_served_as_printed(tmp_path):
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with serving(tmp_path, "--host", "[::1]", word=None) as (process, url):
        assert listens(process) == {"::1"} and url.startswith("http://[::1]:")
        assert "widget-view" in opened(url)[1]


@pytest.mark.parametrize(
    "word", ["\ud800", "a\nb", "a\x00b", "   ", "x" * 201, "\u202e"]
)
def test_a_word_that_no_address_can_carry_is_refused_and_not_repeated(word):
    with pytest.raises(StudyError, match="--word can't be in an address") as e:
        address.clean_word(word)
    assert word.strip() == "" or word not in str(e.value)


# Addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.7", False),
        ("fe80::1%eth0", False),
        ("127.example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_only_this_machine_or_not(host, here):
    assert address.is_loopback(host) is here


@pytest.mark.parametrize(
    ("host", "printed"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "[::1]"),
        ("2001:db8::7", "[2001:db8::7]"),
        ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ("fe80::1%25", "[fe80::1%2525]"),
        ("room-7.local", "room-7.local"),
        ("0.0.0.0", "4"),
        ("", "4"),
        ("::", "[6::]"),
        ("0:0::0", "[6::]"),
    ],
)
def test_how_an_address_is_printed(monkeypatch, host, printed):
    own = {4: "4", 6: "6::"}
    monkeypatch.setattr(address, "own_address", lambda version=4: own[version])
    assert address.page_address(host, 80, "") == f"http://{printed}:80/"


@pytest.mark.parametrize("host", ["http://x", "a b", "1.2.3.4/24", "x\n", "a?b"])
def test_a_host_that_is_none_is_refused(host):
    if host != "x\n":  # a line's end is left out
        with pytest.raises(StudyError, match="without port or path; got"):
            address.clean_host(host)
    assert address.clean_host(" [::1] ") == "::1"


@pytest.mark.parametrize(
    "options",
    [
        {"port": 0},
        {"port": 70000},
        {"port": "8866"},
        {"port": 8866.0},
        {"people": 0},
        {"people": True},
        {"ready": -1},
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path, options):
    Study.new(tmp_path / "class", Settings(("fair",), games=1))
    (name,) = options
    with pytest.raises(StudyError, match=rf"{name} is \d+ to \d+; got"):
        serve.serve(tmp_path / "class", **options)


def test_examples_in_docstrings():
    assert doctest.testmod(address).failed == 0
