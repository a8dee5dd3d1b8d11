#!/usr/bin/env python3
"""The launcher: `python run.py tutorial`, and everything else in one command.

It makes the folder .venv beside itself, installs the kit there with the tested pins
of constraints.txt, and runs the command inside it. A stamp in .venv remembers the
pins, so that the next call starts at once. It needs nothing but Python's standard
library and imports nothing of the kit. It leaves out: several environments, other
installers than pip, any change outside of this folder.
"""

import sys

# Python 2 cannot read the next line and shows it; Python 3.6 to 3.10 print it.
TOO_OLD = f"selfplay_kit needs Python 3.11 or newer, not {sys.version.split()[0]}: install one from python.org, then `python3.11 run.py ...` (Windows: `py -3.11 run.py ...`)."  # noqa: E501
if sys.version_info < (3, 11):
    sys.exit(TOO_OLD)

import argparse
import ctypes
import functools
import hashlib
import importlib.util
import io
import os
import platform
import re
import shutil
import subprocess
import sysconfig
import threading
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PINS = ROOT / "constraints.txt"
PROJECT = ROOT / "pyproject.toml"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FREE_GB = 4
NEWEST = (3, 14)  # what constraints.txt has wheels for, beginning with 3.11
# The largest recorded peaks, rounded up (data/reference/binder.json: server and kernel
# of notebooks 03 to 05 and 11; smollm.json: SmolLM2 at play in fp32). A test holds
# them to it.
TINY_GB, SMOLLM_GB = 2, 4
TUTORIAL = ["00", "01", "02", "03", "04", "05"]  # the first three need no torch
EXTRAS = {
    "tutorial": ("lm", "notebooks"),
    "lab": ("lm", "notebooks"),
    "study": ("lm", "notebooks"),
    "reference": ("lm",),
    "test": ("lm", "quant", "endpoint", "notebooks", "test"),
}
NEED_TORCH = {"lm", "quant"}
STUDY = ("new", "serve", "show", "csv", "delete")

NO_ENSUREPIP = """\
This Python cannot make an environment with pip in it: its module `ensurepip` is
missing, as on Debian and Ubuntu, which ship it apart. Do one of these, then run the
same command again:
  sudo apt install python3-venv       Debian, Ubuntu (python3.12-venv for that version)
  uv venv --seed .venv                if you have uv; run.py then uses that .venv
  a Python from python.org or conda   run.py with that one
"""
NO_TORCH = """\
There is no current torch for a Mac with an Intel processor. Notebooks 00 to 02 need
none and run here; for 03 and later open them in Google Colab or on another machine.
"""
INSTALL_FAILED = """\
The installation stopped; above is the end of what pip said. What usually helps:
  no network, or a proxy       set HTTPS_PROXY=http://host:port, try again
  VPN, antivirus, school net   they replace certificates: switch off, or set PIP_CERT
  disk full                    {free:.1f} GB are free here, {need} GB are needed
  another Python               this is {python}; the pins are for 3.11 to {newest}
  no network at all            where there is one: python run.py wheelhouse DIR
                               then here: add --wheelhouse DIR to the command
What is already installed stays: the same command goes on from there.
"""

say = functools.partial(print, flush=True)


def free_gb() -> float:
    return shutil.disk_usage(ROOT).free / 1e9


# What to install -----------------------------------------------------------------


def is_intel_mac(system: str, machine: str) -> bool:
    return system == "Darwin" and machine == "x86_64"


def has_nvidia() -> bool:
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def torch_attempts(
    version: str | None, system: str, machine: str, nvidia: bool
) -> list[tuple[str, list[str]]]:
    """The ways to ask pip for torch, best first: (what it is, pip's arguments).

    On Linux a plain `torch` brings gigabytes of CUDA libraries; without an NVIDIA
    card the CPU build is asked for first, and those tries give up quickly.

    >>> torch_attempts("2.13.0", "Windows", "AMD64", nvidia=False)
    [('torch', ['torch==2.13.0'])]
    """
    if is_intel_mac(system, machine):
        return []
    plain = "torch" if version is None else f"torch=={version}"
    if system != "Linux" or nvidia:
        return [("torch", [plain])]
    last = ("torch, plain build (may bring several GB of CUDA libraries)", [plain])
    fast = ["--retries", "0", "--timeout", "15"]
    theirs = "torch, CPU build, from PyTorch's own index"
    if version is None:
        # Nothing tells the builds apart here: that index alone may be asked.
        return [(theirs, [plain, "--index-url", CPU_INDEX, *fast]), last]
    cpu = plain + "+cpu"
    return [
        ("torch, CPU build, from the configured index", [cpu, *fast]),
        (theirs, [cpu, "--extra-index-url", CPU_INDEX, *fast]),
        last,
    ]


def pinned_torch(pins: str) -> str:
    found = re.search(r"^torch==([^\s+]+)", pins, re.MULTILINE)
    if not found:
        sys.exit("constraints.txt has no line torch==X: restore it from git.")
    return found.group(1)


def requirements(extras: tuple[str, ...]) -> list[str]:
    """What pyproject.toml asks for, with what builds the kit itself."""
    data = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    chosen = [data["project"]["optional-dependencies"][extra] for extra in extras]
    build = data["build-system"]["requires"] + ["editables"]
    return sum(chosen, data["project"]["dependencies"] + build)


def fingerprint(pins: str, project: str, root: str, unpinned: bool) -> str:
    """Changes when an environment has to be installed again (a moved folder, too).

    The Python version is no part of it: the stamp lives in .venv and dies with it.
    """
    parts = [pins, project, root, str(unpinned)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def current_fingerprint(unpinned: bool) -> str:
    pins, project = (path.read_text(encoding="utf-8") for path in (PINS, PROJECT))
    return fingerprint(pins, project, str(ROOT), unpinned)


def stamp(venv: Path, extras: tuple[str, ...]) -> Path:
    return venv / ("selfplay-kit." + "+".join(extras) + ".ready")


def is_ready(venv: Path, extras: tuple[str, ...], mark: str) -> bool:
    """Whether these extras, or more, were installed to the end with this mark."""
    return any(
        set(extras) <= set(path.name.split(".")[1].split("+"))
        and path.read_text(encoding="utf-8") == mark
        for path in venv.glob("selfplay-kit.*.ready")
    )


# Making the environment ----------------------------------------------------------


def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def venv_trouble(venv: Path) -> str | None:
    """Why this environment cannot be used, or None."""
    if not venv.exists():
        return "there is none"
    code = "import sys, pip; sys.exit(sys.version_info < (3, 11) and 'old Python')"
    try:
        check = subprocess.run(
            [python_in(venv), "-c", code], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return "its Python is missing or does not start"
    if check.returncode:
        return (check.stderr.strip().splitlines() or ["its Python fails"])[-1]
    return None


def python_word() -> str:
    """Why packages may be missing for the Python that runs this, or nothing."""
    kind = ""
    if sys.version_info[:2] > NEWEST:
        kind = (
            "is newer than the tested pins: some packages may have no wheel for it yet"
        )
    elif sysconfig.get_config_var("Py_GIL_DISABLED"):
        kind = "is a free-threaded build (t), for which many packages have no wheel"
    elif sys.maxsize < 2**32:
        kind = "has 32 bits, for which torch and others have no wheel"
    if not kind:
        return ""
    return (
        f"This Python {platform.python_version()} {kind}. If the installation stops, "
        "take Python 3.13, the usual build with 64 bits (python.org), delete .venv and "
        "start again with it; or try --unpinned."
    )


def child_env() -> dict[str, str]:
    """What the programs that run in .venv see."""
    env = dict(os.environ, PYTHONUTF8="1", TOKENIZERS_PARALLELISM="false")
    # Nothing asks the Hub unless the user says so: a classroom may have no network.
    env.setdefault("HF_HUB_OFFLINE", "1")
    env.pop("MPLBACKEND", None)
    env.pop("PYTHONOPTIMIZE", None)  # the notebooks check with assert statements
    env["VIRTUAL_ENV"] = str(VENV)
    env["PATH"] = str(python_in(VENV).parent) + os.pathsep + env.get("PATH", "")
    env.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return env


def step(title: str, arguments: list[str]) -> str | None:
    """Runs one step and prints its seconds; None, or the end of a failure's output."""
    print(f"  {title} ... ", end="", flush=True)
    start = time.monotonic()
    done = subprocess.run(
        arguments, cwd=ROOT, env=child_env(), text=True, encoding="utf-8",
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    seconds = time.monotonic() - start
    say(f"{seconds:.0f} s" if done.returncode == 0 else f"no ({seconds:.0f} s)")
    return "\n".join(done.stdout.splitlines()[-15:]) if done.returncode else None


def make_venv() -> None:
    trouble = venv_trouble(VENV)
    if trouble is None:
        return
    if VENV.exists():
        if Path(sys.prefix).resolve() == VENV:
            sys.exit(f".venv is broken ({trouble}) and runs this: use another Python.")
        say(f"  .venv is broken ({trouble}): it is made again")
        try:
            shutil.rmtree(VENV)
        except OSError as error:
            sys.exit(f"{error}\nClose what runs from .venv (JupyterLab?), try again.")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(NO_ENSUREPIP)
    failed = step("making .venv", [sys.executable, "-m", "venv", str(VENV)])
    if failed is not None:
        sys.exit(f"{failed}\n{NO_ENSUREPIP if 'ensurepip' in failed else ''}")


def pip_or_exit(title: str, arguments: list[str]) -> None:
    failed = step(title, arguments)
    if failed is not None:
        say(failed + "\n")
        say(python_word() + "\n" if python_word() else "")
        facts: dict[str, object] = {"free": free_gb(), "need": FREE_GB}
        facts["python"] = sys.version.split()[0]
        facts["newest"] = ".".join(map(str, NEWEST))
        sys.exit(INSTALL_FAILED.format(**facts))


def get_torch(pip: list[str], options: argparse.Namespace) -> None:
    """Installs or downloads torch (pip says which) by the first way that works."""
    version = None if options.unpinned else pinned_torch(PINS.read_text("utf-8"))
    nvidia = has_nvidia()
    attempts = torch_attempts(version, platform.system(), platform.machine(), nvidia)
    if options.wheelhouse:
        attempts = [("torch, from the wheelhouse", attempts[-1][1])]
    for title, arguments in attempts[:-1]:
        if step(title, pip + arguments) is None:
            return
    title, arguments = attempts[-1]
    pip_or_exit(title, pip + arguments)


def install(extras: tuple[str, ...], options: argparse.Namespace) -> None:
    """Makes .venv hold these extras; returns at once where it does already."""
    mark = current_fingerprint(options.unpinned)
    if is_ready(VENV, extras, mark) and venv_trouble(VENV) is None:
        return
    say(f"Installing into {VENV} (once; minutes):")
    if python_word():
        say(python_word())
    if free_gb() < FREE_GB:
        say(f"  {free_gb():.1f} GB of disk are free, {FREE_GB} needed: this may fail")
    make_venv()
    pip = [str(python_in(VENV)), "-m", "pip", "install", "--quiet"]
    newest = ["--upgrade", "--upgrade-strategy", "eager"]
    pip += newest if options.unpinned else ["-c", str(PINS)]
    if options.wheelhouse:
        pip += ["--no-index", "--find-links", str(options.wheelhouse)]
    if NEED_TORCH & set(extras):
        get_torch(pip, options)
    pip_or_exit("the kit and the rest", [*pip, "-e", f".[{','.join(extras)}]"])
    # Last of all: an interrupted installation must not look finished.
    stamp(VENV, extras).write_text(mark, encoding="utf-8", newline="\n")


def fill_wheelhouse(folder: Path, options: argparse.Namespace) -> None:
    """Downloads everything for this system and Python version into a folder."""
    make_venv()
    pip = [str(python_in(VENV)), "-m", "pip", "download", "--quiet"]
    pip += ["-d", str(folder), "--find-links", str(folder)]
    pip += [] if options.unpinned else ["-c", str(PINS)]
    extras = without_torch(EXTRAS["test"]) if options.no_torch else EXTRAS["test"]
    if not options.no_torch:
        get_torch(pip, options)
    pip_or_exit("all the rest", pip + requirements(extras))
    sizes = [path.stat().st_size for path in folder.iterdir()]
    say(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB. They serve this")
    version = ".".join(map(str, sys.version_info[:2]))
    say(f"kind of system and Python {version} only. There:")
    less = " --no-torch" if options.no_torch else ""
    say(f"  python run.py tutorial{less} --wheelhouse {folder}")


# What can this machine do? -------------------------------------------------------

CGROUP = Path("/sys/fs/cgroup")
MEMORY_LIMITS = (CGROUP / "memory.max", CGROUP / "memory" / "memory.limit_in_bytes")


def memory_gb() -> float:
    """What this machine has, or the container that this runs in (Binder) may use."""
    if os.name != "nt":
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        limits = [p.read_text().strip() for p in MEMORY_LIMITS if p.is_file()]
        return min([there, *(int(x) / 1e9 for x in limits if x.isdigit())])
    status = (ctypes.c_ulonglong * 8)(64)  # MEMORYSTATUSEX: its length, then sizes
    getattr(ctypes, "windll").kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # noqa: B009
    return status[1] / 1e9


def gpus() -> list[tuple[str, float, float]]:
    """(name, GB, compute capability) of each NVIDIA card; none: an empty list."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = "--query-gpu=name,memory.total,compute_cap"
    ask = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    told = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=True)
    rows = [line.rsplit(",", 2) for line in told.stdout.splitlines() if line.strip()]
    return [(name, float(mib) * 2**20 / 1e9, float(cap)) for name, mib, cap in rows]


def answers(url: str, seconds: float = 4) -> bool:
    """Whether a server answers, be it with a refusal. A hanging name server is no."""
    heard: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=seconds).close()
            heard.append(True)
        except (OSError, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                heard.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(heard)


def tell_gpus() -> str:
    cards = [
        f"{name}, {size:.0f} GB, capability {cap} (bf16: {'yes' if cap >= 8 else 'no'})"
        for name, size, cap in gpus()
    ]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        cards.append("Apple's (not used: everything runs on the processor)")
    return "; ".join(cards) or "no NVIDIA card: everything runs on the processor"


def tell_torch() -> str:
    # Importing torch takes seconds: only worth it to know whether it sees the card.
    code = "from importlib.metadata import version; print(version('torch'))"
    if has_nvidia():
        code = "import torch as t; sees = t.cuda.is_available(); print(t.__version__, "
        code += "'sees the card' if sees else 'does not see it: pytorch.org says how')"
    ask = [str(python_in(VENV)), "-c", code]
    if not VENV.exists():
        return "not installed yet"
    told = subprocess.run(ask, capture_output=True, text=True, timeout=120)
    return told.stdout.strip() if told.returncode == 0 else "not installed in .venv"


def tell_index() -> str:
    url = os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple/"
    host = urllib.parse.urlsplit(url).hostname  # never the user name and password
    silent = "does not answer: check network and proxy, or use --wheelhouse"
    return f"{host} {'answers' if answers(url) else silent}"


def tell_python() -> str:
    here = f"{platform.python_version()} at {sys.executable}"
    return f"{here}\n           {python_word()}" if python_word() else here


def tell_venv() -> str:
    mark = current_fingerprint(unpinned=False)
    done = [name for name, extras in EXTRAS.items() if is_ready(VENV, extras, mark)]
    trouble = venv_trouble(VENV)
    if trouble is None and done:
        return "ready for: " + ", ".join(done)
    return f"not ready ({trouble or 'not installed to its end'}): run.py will do it"


def enough(there: float, peak: float) -> str:
    """What memory of so many GB says for notebooks that were seen to take ``peak``.

    >>> enough(2.1, peak=2)
    'yes, one at a time with little else open: one took up to 2 GB'
    """
    if there < peak:
        return f"hardly: one took up to {peak} GB of memory; use Colab"
    if there < 2 * peak:
        return f"yes, one at a time with little else open: one took up to {peak} GB"
    return "yes"


def tell_notebooks() -> str:
    small = enough(memory_gb(), TINY_GB)
    smollm = enough(memory_gb(), SMOLLM_GB)
    if is_intel_mac(platform.system(), platform.machine()):
        small = smollm = "no: there is no current torch for Intel Macs; use Colab"
    big = "no: one GPU of 16 GB is needed; rent one, or use Colab"
    if any(size >= 15 for _, size, _ in gpus()):
        big = "yes"
    return f"""00 to 02, the game and players     yes
           03 and later, the tiny model       {small}
           06, SmolLM2 with 135 M weights     {smollm}
           models of 7 B and more, in 4 bits  {big}"""


def doctor() -> None:
    """Says what this machine can do. Each line stands alone: none stops the others."""
    cores = getattr(os, "process_cpu_count", os.cpu_count)
    hub = ("does not answer: the tiny model needs no hub", "answers")
    probes = {
        "Python": tell_python,
        "system": lambda: f"{platform.system()} {platform.machine()}, {cores()} cores",
        "memory": lambda: f"{memory_gb():.1f} GB",
        "disk": lambda: f"{free_gb():.1f} GB free ({FREE_GB} needed to install)",
        "GPU": tell_gpus,
        "torch": tell_torch,
        "packages": tell_index,
        "models": lambda: "huggingface.co " + hub[answers("https://huggingface.co")],
        ".venv": tell_venv,
        "notebooks": tell_notebooks,
    }
    for title, probe in probes.items():
        try:
            text = probe()
        except Exception as error:
            text = f"could not tell ({type(error).__name__}: {error})"
        say(f"{title:<11}{text}")
    say("\nNext: `run.py lab` opens the notebooks, `run.py tutorial` runs 00 to 05.")
    say("Models are fetched from a hub only where HF_HUB_OFFLINE=0 is set.")


# The commands --------------------------------------------------------------------


def without_torch(extras: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(extra for extra in extras if extra not in NEED_TORCH)


def inside(arguments: list[str]) -> int:
    """Runs .venv's Python on this, in place of the launcher where that is possible."""
    command = [str(python_in(VENV)), *arguments]
    sys.stdout.flush()
    os.chdir(ROOT)
    if os.name != "nt":
        os.execve(command[0], command, child_env())
    with subprocess.Popen(command, env=child_env()) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                pass  # the child heard it as well and decides


def what_to_run(options: argparse.Namespace, rest: list[str]) -> list[str]:
    if options.command == "test":
        return ["-m", "pytest", *rest]
    if options.command == "lab":
        where = [] if any((ROOT / given).exists() for given in rest) else ["notebooks"]
        return ["-m", "jupyterlab", *where, *rest]
    if options.command == "study":
        verb = [] if rest and rest[0] in STUDY else ["serve"]
        return ["-m", "selfplay_study", *verb, *rest]
    if options.command == "reference":
        return ["-m", "experiments", "spine", *rest]
    only = options.only or (TUTORIAL[:3] if options.no_torch else TUTORIAL)
    build = ["notebooks/build.py", "run", "--profile", options.profile, "--out"]
    return [*build, "build", "--only", *only]


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and what is to be handed on to pytest, JupyterLab or the kit."""
    parser = argparse.ArgumentParser(
        prog="run.py", description="One command for everything; see also README.md."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        if name != "doctor":
            command.add_argument("--unpinned", action="store_true", help="no pins")
            command.add_argument("--no-torch", action="store_true", help="no torch")
        if name in EXTRAS:
            text = "install from this folder, without a network"
            command.add_argument("--wheelhouse", type=Path, metavar="DIR", help=text)
        return command

    tutorial = add(
        "tutorial",
        "run notebooks 00 to 05, from the rules to rounds of self-play, or those "
        "that --only names; look into build/index.html",
    )
    tutorial.add_argument("--profile", choices=["ci", "cpu", "gpu"], default="cpu")
    tutorial.add_argument("--only", nargs="+", metavar="NN", help="just these: 01 05")
    add("test", "run the tests; more arguments go to pytest")
    add("lab", "open the notebooks in JupyterLab; more arguments go to it")
    add(
        "study",
        "a human study with a class: `study new FOLDER --partners A,B` makes one, "
        "`study FOLDER` serves its page; more arguments go to the kit",
    )
    add("reference", "measure the reference figures; more arguments go to the kit")
    add("doctor", "say in plain words what this machine can do")
    house = add("wheelhouse", "download all that an installation needs into a folder")
    house.add_argument("folder", type=Path)
    house.set_defaults(wheelhouse=None)
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in ("test", "lab", "study", "reference"):
        parser.error(f"{options.command} does not know {' '.join(rest)}")
    return options, rest


def main(arguments: list[str]) -> int:
    # A redirected Windows console may not know every character of pip's output.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    options, rest = parse(arguments)
    if options.command == "doctor":
        doctor()
        return 0
    if is_intel_mac(platform.system(), platform.machine()) and not options.no_torch:
        say(NO_TORCH)
        options.no_torch = True
    try:
        if options.command == "wheelhouse":
            fill_wheelhouse(options.folder.resolve(), options)
            return 0
        if options.wheelhouse:
            options.wheelhouse = options.wheelhouse.resolve()
            if not options.wheelhouse.is_dir():
                sys.exit(f"--wheelhouse {options.wheelhouse}: there is no such folder.")
        extras = EXTRAS[options.command]
        install(without_torch(extras) if options.no_torch else extras, options)
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
    return inside(what_to_run(options, rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
