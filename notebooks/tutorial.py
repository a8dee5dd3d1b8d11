"""Execute the notebooks one after another and write down how it went.

One is skipped when nothing that it depends on has changed since it last
succeeded: its text and source, the kit with its study and experiments, the data, the
profile, the pins, every installed version. Left out: running several at once, which
would spoil the times.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pages
from derive import SourceError, drift, sources
from execute import execute

MEMORY = "resident memory of the kernel and its children, sampled every 0.2 s"


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name as the system tells it, or its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def commit(folder: Path) -> str | None:
    """The commit checked out, with '-dirty' after it if files differ."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(describe, cwd=folder, capture_output=True, text=True)
    except OSError:
        return None
    return told.stdout.strip() or None


def machine() -> dict:
    """What the times were measured with."""
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def content_hash(folder: Path) -> str:
    """A hash of all that a notebook may import or read, by name and content: the
    checkout's packages, data and pins, and what runs the notebooks."""
    digest, top = hashlib.sha256(), folder.parent
    files = [top / name for name in ("constraints.txt", "pyproject.toml")]
    files += folder.glob("*.py")
    for name in ("selfplay_kit", "selfplay_study", "experiments", "data"):
        files += (top / name).rglob("*")
    for path in sorted(f for f in files if f.is_file()):
        place = path.relative_to(top)
        # What Python and file managers leave there is nobody's input.
        if not any(p == "__pycache__" or p.startswith(".") for p in place.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{place.as_posix()} {content}\n".encode())
    return digest.hexdigest()


def installed() -> str:
    """Every package of this environment with its version."""
    found = importlib.metadata.distributions()
    return "\n".join(sorted({f"{d.name}=={d.version}" for d in found}))


def source_of(notebook: Path, folder: Path) -> bytes:
    """The source that a notebook was made from, if there is one."""
    source = folder / "source" / f"{notebook.stem}.py"
    return source.read_bytes() if source.is_file() else b""


def tell_failure(outcome: dict, output: Path) -> None:
    error = outcome["error"]
    where = f"cell {error['cell']} (id {error['id']})" if "cell" in error else "no cell"
    section = f", section {error['section']!r}" if error.get("section") else ""
    print(f"  {where}{section}: {error['what']}")
    for line in error["traceback"]:
        print(f"    {line}")
    print(f"  What ran until then: {output}", flush=True)


def write_results(path: Path, results: dict) -> None:
    """Replace the results file in one step, so that none is ever half-written."""
    scratch = path.with_suffix(".part")
    text = json.dumps(
        {"memory": MEMORY, "notebooks": results}, indent=1, sort_keys=True
    )
    scratch.write_text(text + "\n", encoding="utf-8", newline="\n")
    scratch.replace(path)


def read_results(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["notebooks"]
    except (OSError, ValueError, KeyError):
        return {}


def select(folder: Path, only: list[str], solutions: bool, torch: bool) -> list[Path]:
    """The notebooks to run, in reading order."""
    place = folder / "solutions" if solutions else folder
    found = [place / f"{source.stem}.ipynb" for source in sources(folder)]
    for name in only:
        if not any(path.stem.startswith(name) for path in found):
            names = ", ".join(path.stem for path in found)
            raise SourceError(f"--only {name}: no such notebook. There are: {names}")
    if only:
        found = [path for path in found if path.stem.startswith(tuple(only))]
    for path in found:
        if not path.exists():
            raise SourceError(f"{path} is missing. Run: python notebooks/build.py make")
    if torch:
        return found
    needs = {path: pages.read(path).metadata["selfplay_kit"]["torch"] for path in found}
    for path in (path for path in found if needs[path]):
        print(f"{path.stem} … left out, it needs torch")
    return [path for path in found if not needs[path]]


def run(
    folder: Path,
    out: Path,
    profile: str,
    *,
    only: list[str] = (),
    solutions: bool = False,
    torch: bool = True,
    force: bool = False,
) -> int:
    """Execute notebooks, write pages and results; 1 if one failed, else 0."""
    chosen = select(folder, list(only), solutions, torch)
    for sentence in drift(folder):
        print(f"Note: {sentence}")
    out = out.resolve() / "solutions" if solutions else out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    kept = read_results(out / "results.json")
    names = [source.stem for source in sources(folder)]
    results = {name: entry for name, entry in kept.items() if name in names}
    about = machine()
    common = f"{content_hash(folder)} {profile} {torch} {solutions} "
    common += f"{sorted(about.items())} {sys.flags.optimize} {installed()}"
    ran = {}
    for path in chosen:
        name, output = path.stem, out / path.name
        text = path.read_bytes() + source_of(path, folder) + common.encode()
        key = hashlib.sha256(text).hexdigest()
        before = results.get(name, {})
        same = before.get("key") == key and before.get("status") == "ok"
        if same and output.exists() and not force:
            print(f"{name} … up to date, took {before['seconds']} s", flush=True)
            ran[name] = before
            continue
        print(f"{name} … ", flush=True)
        results.pop(name, None)
        write_results(out / "results.json", results)
        outcome = execute(path, output, profile, strict=solutions, torch=torch)
        finished = {"finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "key": key}
        about_code = {"commit": commit(folder), "solutions": solutions, **about}
        ran[name] = results[name] = outcome | finished | about_code
        write_results(out / "results.json", results)
        print(f"{name} {outcome['status']}, {outcome['seconds']} s", flush=True)
        if outcome["status"] == "failed":
            tell_failure(outcome, output)
    pages.write(folder / "solutions" if solutions else folder, out, results)
    closing_table(ran, out)
    return 1 if any(entry["status"] == "failed" for entry in ran.values()) else 0


def closing_table(ran: dict, out: Path) -> None:
    width = max((len(name) for name in ran), default=8)
    print(f"\n{'notebook':{width}}  status  seconds  memory")
    for name, entry in ran.items():
        memory = f"{entry['peak_memory_bytes'] / 1e9:.2f} GB"
        print(f"{name:{width}}  {entry['status']:6}  {entry['seconds']:7}  {memory}")
    total = sum(entry["seconds"] for entry in ran.values())
    print(f"{'together':{width}}  {'':6}  {total:7.1f}")
    print(f"\nRead them: {out / 'index.html'}\nNumbers:   {out / 'results.json'}")
