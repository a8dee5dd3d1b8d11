"""Execute one notebook in a kernel of this very interpreter.

The notebook is told its profile by papermill, and by the environment where to
record numbers and whether a failed check is an error. Left out: stopping a
notebook that is slow but alive, unless a time-out is given.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pages

CHECKOUT = Path(__file__).resolve().parent.parent


# As where it isn't installed. None in sys.modules would not do: scipy looks there.
NO_TORCH = """\
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
"""


@contextmanager
def kernel_environment(records: Path, strict: bool, torch: bool) -> Iterator[None]:
    """What the kernel finds: this interpreter, where to record, how strict.

    A kernel specification of our own comes first on JUPYTER_PATH, so that no
    'python3' that the user registered for another environment is taken. The
    kit is the checkout's, so that what ran is what `tutorial.py` hashed.
    """
    from ipykernel.kernelspec import get_kernel_dict

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        spec = Path(scratch, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        # At another level every start warns that loopback is not encrypted.
        kernel = get_kernel_dict()
        kernel["argv"].append("--IPKernelApp.log_level=50")
        spec.write_text(json.dumps(kernel), encoding="utf-8")
        search = [str(CHECKOUT)]
        if not torch:
            hide = Path(scratch, "hide", "sitecustomize.py")
            hide.parent.mkdir()
            hide.write_text(NO_TORCH, "utf-8")
            search.insert(0, str(hide.parent))
        changed = {
            "JUPYTER_PATH": in_front("JUPYTER_PATH", scratch),
            "PYTHONPATH": in_front("PYTHONPATH", *search),
            "SELFPLAY_KIT_RESULTS": str(records),
            "SELFPLAY_KIT_STRICT": "1" if strict else None,
            "SELFPLAY_KIT_QUIET": "1",
            "JPY_SESSION_NAME": None,  # of a notebook that this was started from
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        before = {name: os.environ.get(name) for name in changed}
        set_environment(changed)
        try:
            yield
        finally:
            set_environment(before)


def in_front(name: str, *paths: str) -> str:
    """The search path in the environment's variable, with `paths` before it."""
    return os.pathsep.join(filter(None, [*paths, os.environ.get(name)]))


def set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def peak_memory() -> Iterator[dict]:
    """Fill {'bytes': …} with the largest memory of this process's children."""
    import psutil

    peak, done, me = {"bytes": 0}, threading.Event(), psutil.Process()

    def resident(process: psutil.Process) -> int:
        try:
            return process.memory_info().rss
        except psutil.Error:
            return 0

    def watch() -> None:
        while not done.wait(0.2):
            total = sum(resident(child) for child in me.children(recursive=True))
            peak["bytes"] = max(peak["bytes"], total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def read_records(path: Path) -> dict:
    """What a notebook recorded, {name: value}; a broken line is left out."""
    records = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            record = json.loads(line)
            records[record["name"]] = record["value"]
        except (ValueError, KeyError, TypeError):
            print(f"  a record that is no JSON line was left out: {line[:60]}")
    return records


def failed_cell(path: Path) -> dict:
    """Where an executed notebook stopped: cell, section, last lines."""
    section, number = "", 0
    for cell in pages.executed(path).cells if path.exists() else []:
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        number += 1
        section = pages.heading(cell) or section
        status = cell.metadata.get("papermill", {}).get("status")
        if cell.cell_type == "code" and status in ("failed", "running"):
            return {"cell": number, "id": cell.id, "section": section}
    return {}


def execute(
    notebook: Path,
    output: Path,
    profile: str,
    *,
    strict: bool = False,
    torch: bool = True,
    timeout: int | None = None,
) -> dict:
    """Run one notebook in a kernel of its own and tell how it went.

    `notebook` is read, `output` written, also when it fails. `timeout` is in
    seconds for each cell. Returns status ('ok' or 'failed'), seconds,
    peak_memory_bytes, records and, after a failure, error.
    """
    import papermill

    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    error = None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        recorded = Path(scratch, "records.jsonl")
        start = time.perf_counter()
        with kernel_environment(recorded, strict, torch), peak_memory() as peak:
            try:
                papermill.execute_notebook(
                    str(notebook),
                    str(output),
                    {"PROFILE": profile},
                    kernel_name="python3",
                    cwd=str(notebook.parent),
                    progress_bar=False,
                    execution_timeout=timeout,
                )
            except Exception as caught:  # a cell's error, a dead kernel, a time-out
                error = caught
        seconds = round(time.perf_counter() - start, 1)
        records = read_records(recorded)
    outcome = {
        "profile": profile,
        "status": "failed" if error else "ok",
        "seconds": seconds,
        "peak_memory_bytes": peak["bytes"],
        "records": records,
    }
    if error:
        what = f"{type(error).__name__}: {error}"
        if hasattr(error, "ename"):
            what = f"{error.ename}: {error.evalue}"
        lines = "\n".join(getattr(error, "traceback", [])).splitlines()
        tail = [pages.plain(line) for line in lines[-6:]]
        outcome["error"] = failed_cell(output) | {"what": what, "traceback": tail}
    return outcome
