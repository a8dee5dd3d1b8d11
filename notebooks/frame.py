"""What `derive.py` puts around every notebook: badges, help, the kit itself.

The repository's public address stands in one place, `[project.urls]` of
pyproject.toml, as "Repository". While it is missing there are no badges, never a
link to nowhere; the cell that fetches the kit then says what to do instead.
"""

import re
import tomllib
from pathlib import Path
from urllib.parse import quote

BRANCH = "main"
HELP = (
    "*A word that you don't know? The [glossary](guide/glossary.md). An error? "
    "[Troubleshooting](guide/troubleshooting.md).*"
)
FETCH = """\
# In Colab: fetch the kit, and what is too old. Numpy and torch stay.
import importlib.metadata as have, importlib.util, subprocess, sys
from pathlib import Path
there, kit = importlib.util.find_spec, "selfplay-kit{extra} @ git+{address}"
get = ["ipywidgets>=8.1"{needs}]
if new := there("selfplay_kit") is None:
    for wheel in Path.cwd().glob("selfplay_kit-*.whl"):
        kit = f"selfplay-kit{extra} @ {{wheel.as_uri()}}"
    if "google.colab" not in sys.modules:
        raise ImportError("this kernel has no selfplay_kit. In the kit's "
            "folder run: python run.py lab")
    if kit.endswith("git+"):
        raise ImportError("this notebook knows no address to fetch the kit "
            "from. Upload its wheel to Colab's files, then run this again")
    get.append(kit)
if "google.colab" in sys.modules:  # what is new enough already stays
    for name in filter(there, ["numpy", "torch"]):
        get.insert(0, f"{{name}}=={{have.version(name)}}")
    pip = [sys.executable, "-m", "pip", "install", "-q", *get]
    subprocess.run(pip, check=new)"""
# What a notebook needs beside the kit, also where that is there without its extras.
NEEDS = {"quant": ("gguf>=0.10", "bitsandbytes>=0.46")}


def address(root: Path) -> str:
    """The repository's public address, or "" while it has none."""
    file = root / "pyproject.toml"
    if not file.exists():
        return ""
    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project.get("urls", {}).get("Repository", "").rstrip("/")


def badges(address: str, place: str) -> str:
    """Badges that open the notebook at `place`, a path in the repository, in Binder
    and in Colab; "" without an address. `ValueError` where it is not on GitHub.

    >>> badges("", "notebooks/00_tour.ipynb")
    ''
    """
    if not address:
        return ""
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?", address)
    if not found:
        raise ValueError(
            f"[project.urls] Repository is {address!r}: badges can be made for "
            "https://github.com/OWNER/NAME only"
        )
    name, at = found.group(1), quote(place, safe="")
    binder = f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath=lab%2Ftree%2F{at}"
    colab = f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{place}"
    logo = "https://colab.research.google.com/assets/colab-badge.svg"
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        f"[![Open in Colab]({logo})]({colab})"
    )


def stamped(readme: str, address: str) -> str:
    """The README with the badges of the first notebook between its markers."""
    row = badges(address, "notebooks/00_tour.ipynb")
    block = f"<!-- badges -->\n{row}{chr(10) if row else ''}<!-- /badges -->"
    return re.sub(
        r"<!-- badges -->.*?<!-- /badges -->", lambda _: block, readme, flags=re.S
    )


def put(cells: list, place: str, address: str, extras: list[str]) -> None:
    """Badges above the title, help below the opening text, and before the first
    code the cell that fetches the kit; in place. Links of a notebook in a folder
    below lead to the same files."""
    from nbformat import v4

    row = badges(address, place)
    opening = cells[0]
    opening.source = f"{row}\n\n{opening.source}".lstrip() + f"\n\n{HELP}"
    if "/solutions/" in place:
        for cell in (c for c in cells if c.cell_type == "markdown"):
            cell.source = cell.source.replace("](guide/", "](../guide/")
    extra = f"[{','.join(extras)}]" if extras else ""
    needs = "".join(f', "{n}"' for e in extras for n in NEEDS.get(e, ()))
    text = FETCH.format(extra=extra, address=address, needs=needs)
    metadata = {"tags": ["fetch"], "jupyter": {"source_hidden": True}}
    metadata["cellView"] = "form"
    first = next(i for i, c in enumerate(cells) if c.cell_type == "code")
    cells.insert(first, v4.new_code_cell(text, id="fetch-the-kit", metadata=metadata))
