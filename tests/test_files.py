"""Text files as other people's machines leave them; one writer at a time."""

import errno
import io
import json
import os
import subprocess
import sys

import pytest

from selfplay_kit import files

from .conftest import ROOT

TEXT = 'né – λ 🎩 \u2028 {"a": 1}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_is_read_without_marks(tmp_path, encoding, end):
    path = tmp_path / "x.txt"
    path.write_bytes((TEXT * 2).replace("\n", end).encode(encoding))
    assert files.read_text(path) == TEXT * 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_another_encoding_is_explained(tmp_path, encoding):
    path = tmp_path / "x.txt"
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    path.write_bytes((mark + "one\nné\n").encode(encoding))
    with pytest.raises(ValueError, match="Save it as UTF-8") as e:
        files.read_text(path)
    assert str(path) in str(e.value)
    assert ("UTF-16" if encoding != "cp1252" else "line 2: byte 0xe9") in str(e.value)


def test_json_that_is_cut_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 2', "utf-8-sig")
    with pytest.raises(ValueError, match=r"a\.json is not whole JSON .*column"):
        files.read_json(tmp_path / "a.json")


def test_writing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, TEXT)
    assert path.read_bytes() == TEXT.encode()
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "half an emoji \ud83d")
    with pytest.raises(KeyError), files.replacing(path, "wb") as f:
        f.write(b"half")
        raise KeyError
    assert path.read_bytes() == TEXT.encode()


@pytest.mark.parametrize(
    "text", ["\ud83d", "a\udc00b", "\ud83d\ud83d", "\udfff\ud800", "🎩"]
)
def test_half_an_emoji_survives_a_json_line(text):
    line = files.json_line({"text": text, text: [text]})
    assert json.loads(line.encode("utf-8")) == {"text": text, text: [text]}
    files.legible(text).encode("utf-8")
    assert files.legible("🎩né") == "🎩né" and files.legible("\ud83c\udfa9") == "🎩"


def test_names_of_other_programs():
    theirs = (".DS_Store", "Thumbs.db", "ehthumbs.db", "DESKTOP.INI", "._x", "Icon\r")
    theirs += ("x.tmp", "~$x.docx", "x~", "metrics (1).json", "a - Copy.json")
    theirs += ("a (Ann's conflicted copy 2026-01-01).json", "a.sync-conflict-1-2.json")
    assert all(map(files.foreign, theirs))
    own = ("games.jsonl", "metrics.json", "done", "config.json", "chat_template.jinja")
    own += (
        "model-00001-of-00002.safetensors",
        "adapter_model.safetensors",
        "vocab.txt",
    )
    assert not any(map(files.foreign, own))


HOLDER = """
import sys
from pathlib import Path
from selfplay_kit import files
with files.one_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["folder", "file", "a file to come"])
def test_one_writer_at_a_time_and_a_dead_one_holds_nothing(tmp_path, kind):
    target = tmp_path / "it"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("x", "utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline().strip() == b"held"
        with pytest.raises(KeyError, match=f"process {child.pid} on .*, since 20"):
            with files.one_writer(target, KeyError):
                pytest.fail("two writers")
        child.kill()
    with files.one_writer(target):
        with pytest.raises(RuntimeError, match=f"process {os.getpid()} on"):
            with files.one_writer(target):
                pytest.fail("two writers")
    with files.one_writer(target):
        pass
    assert (target.exists(), target.is_dir()) == (
        kind in ("folder", "file"),
        kind == "folder",
    )


def test_a_file_system_without_locks_is_told_of_and_no_reason_to_stop(
    tmp_path, monkeypatch
):
    import filelock

    def refuse(self, *a, **k):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.warns(UserWarning, match="knows no locks"):
        with files.one_writer(tmp_path):
            pass

    def forbid(self, *a, **k):
        raise PermissionError(errno.EACCES, "read-only")

    monkeypatch.setattr(filelock.FileLock, "acquire", forbid)
    with pytest.raises(PermissionError):
        with files.one_writer(tmp_path):
            pass


@pytest.mark.parametrize(
    "page", ["cp932", "cp949", "cp437", "cp1252", "ascii", "utf-8"]
)
def test_a_code_page_prints_what_it_can(monkeypatch, page):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=page, write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    files.plain_output()
    print("λ = 1 – 5 → 6 🎩 \ud83d")
    said = raw.getvalue().decode(page)
    assert said.startswith(("λ = 1", "lambda = 1")) and "6 " in said
    assert ("–" in said or "1 - 5" in said) and ("→" in said or "->" in said)


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("selfplay_kit", "cp932"),
        ("selfplay_kit", "cp437"),
        ("selfplay_study", "cp949"),
        ("experiments", "cp932"),
    ],
)
def test_every_command_says_what_it_does_on_any_code_page(module, page):
    if module == "experiments":
        pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": page, "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0, done.stderr.decode(page, "replace")
    assert b"usage:" in done.stdout


@pytest.mark.parametrize("page", ["cp932", "cp437"])
def test_the_launcher_speaks_on_any_code_page(page):
    done = subprocess.run(
        [sys.executable, "run.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": page, "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0 and b"usage:" in done.stdout
