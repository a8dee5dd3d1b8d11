"""Make notebooks from their one source, and check that they are up to date.

A source is `source/NN_name.py` in jupytext's percent format. From it come
`NN_name.ipynb`, without the cells tagged `solution`, and
`solutions/NN_name.ipynb`, without the code cells tagged `exercise`. Neither
holds an output; the same source gives the same bytes. What every notebook needs
and no source should repeat, `frame.py` adds: badges, where to find help, a cell
that fetches the kit.
"""

import hashlib
import os
import re
from pathlib import Path

import frame

HERE = Path(__file__).resolve().parent
MAKE = "python notebooks/build.py make"


class SourceError(ValueError):
    """A source file that no notebook can be made from."""


def sources(folder: Path = HERE) -> list[Path]:
    """The source files in reading order; none at all is an error."""
    found = sorted((folder / "source").glob("[0-9][0-9]_*.py"))
    if not found:
        raise SourceError(
            f"No notebook source in {folder / 'source'}: expected files named"
            " like 01_the_game.py in jupytext's percent format."
        )
    return found


def has_tag(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


def slug(text: str) -> str:
    """Letters, digits and dashes: 'The game, λ' becomes 'the-game'."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:30] or "cell"


def cell_ids(cells: list[dict]) -> list[str]:
    """A stable id for each cell, unique in its notebook.

    It is the `id` in the cell's metadata or, without one, the name of its
    section and a hash of its first line: editing the rest of a cell, or
    putting another cell elsewhere, changes no id.
    """
    given = [cell["metadata"]["id"] for cell in cells if "id" in cell["metadata"]]
    for name in given:
        if given.count(name) > 1:
            raise SourceError(f"two cells have the id {name!r}")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(name)):
            raise SourceError(
                f"id {name!r}: 1 to 64 letters, digits, dashes or underscores"
            )
    ids, section = [], "start"
    for cell in cells:
        first = (cell["source"].strip().splitlines() or [""])[0]
        if cell["cell_type"] == "markdown" and first.startswith("#"):
            section = slug(first)
        digest = hashlib.sha256(f"{cell['cell_type']}:{first}".encode()).hexdigest()
        name = base = cell["metadata"].get("id", f"{section}-{digest[:6]}")
        again = 1
        while name in ids or (name in given and "id" not in cell["metadata"]):
            again += 1
            name = f"{base}-{again}"
        ids.append(name)
    return ids


def check_pairs(cells: list[dict]) -> None:
    """Each exercise stub is followed by one solution, each solution by none."""
    stub = None
    for cell in (c for c in cells if c["cell_type"] == "code"):
        first = (cell["source"].strip().splitlines() or ["(empty cell)"])[0]
        if has_tag(cell, "solution"):
            if stub is None:
                raise SourceError(f"a solution without an exercise: {first}")
            stub = None
        elif stub is not None:
            raise SourceError(f"an exercise without a solution: {stub}")
        elif has_tag(cell, "exercise"):
            stub = first
    if stub is not None:
        raise SourceError(f"an exercise without a solution: {stub}")


def notebook_text(source: Path, solved: bool, address: str = "") -> str:
    """The text of the notebook that `source` stands for; `address` is the
    repository's, for the badges."""
    import jupytext
    import nbformat
    from nbformat import v4

    parsed = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    try:
        ids = cell_ids(parsed.cells)
        check_pairs(parsed.cells)
    except SourceError as error:
        raise SourceError(f"{source.name}: {error}") from None
    cells = []
    for cell, name in zip(parsed.cells, ids, strict=True):
        code = cell.cell_type == "code"
        if has_tag(cell, "solution") and not solved:
            continue
        if has_tag(cell, "exercise") and solved and code:
            continue
        new = v4.new_code_cell if code else v4.new_markdown_cell
        metadata = {k: v for k, v in cell.metadata.items() if k != "id"}
        cells.append(new(cell.source, id=name, metadata=metadata))
    torch = bool(parsed.metadata.get("torch", False))
    place = f"notebooks/{'solutions/' if solved else ''}{source.stem}.ipynb"
    extras = ["lm"] * torch + ["quant"] * bool(parsed.metadata.get("quant"))
    frame.put(cells, place, address, extras)
    metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "selfplay_kit": {"torch": torch},
    }
    notebook = v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def targets(folder: Path = HERE) -> dict[Path, str]:
    """Every notebook that the sources stand for, with its text."""
    texts, address = {}, frame.address(folder.parent)
    for source in sources(folder):
        name = source.stem + ".ipynb"
        for solved, place in ((False, folder), (True, folder / "solutions")):
            texts[place / name] = notebook_text(source, solved, address)
    readme = folder.parent / "README.md"
    if readme.exists():
        texts[readme] = frame.stamped(readme.read_text(encoding="utf-8"), address)
    return texts


def make(folder: Path = HERE) -> list[Path]:
    """Write every notebook; return the ones that changed."""
    changed = []
    for path, text in targets(folder).items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


def drift(folder: Path = HERE) -> list[str]:
    """A sentence for each notebook that is not what its source says."""
    wanted, said = targets(folder), []
    for path, text in wanted.items():
        name = Path(os.path.relpath(path, folder)).as_posix()
        if not path.exists():
            said.append(f"{name} is missing. Run: {MAKE}")
        elif path.read_text(encoding="utf-8") != text and path.suffix == ".md":
            said.append(f"the badges in {name} are out of date. Run: {MAKE}")
        elif path.read_text(encoding="utf-8") != text:
            source = f"source/{path.stem}.py"
            said.append(f"{name} differs from {source}. Edit the source, then: {MAKE}")
    for place in (folder, folder / "solutions"):
        for path in sorted(place.glob("[0-9][0-9]_*.ipynb")):
            if path not in wanted:
                name = path.relative_to(folder).as_posix()
                said.append(f"{name} has no source. Delete it, or write its source.")
    return said
