"""What a notebook of this kit looks like, as rules that a program can check.

`problems(notebook)` returns a sentence for each rule that is broken. Left out:
whether the text is any good.
"""

import itertools
import re

LINES, COLUMNS, CELLS = 20, 88, 45
GOALS = "In this notebook you will"
EXERCISES = 2
HEADER = re.compile(
    r"^### Exercise (\d+\.\d+): \S.* · (easy|medium|hard) · (\d+) minutes$",
    re.MULTILINE,
)
HINT = re.compile(r"<details>\s*<summary>Hint")
TIME = re.compile(
    r"\babout (\d+) minutes, (\d+) of them for the exercises \(an estimate\)",
    re.IGNORECASE,
)


def outside_code(text: str) -> str:
    """Markdown without its code blocks and spans."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def headings(notebook: dict) -> list[tuple[int, str]]:
    """(level, text) of every heading, in order."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = outside_code(cell["source"])
            found += re.findall(r"^(#{1,6}) +(.+)$", text, re.MULTILINE)
    return [(len(marks), text.strip()) for marks, text in found]


def has_tag(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


def tagged(notebook: dict, tag: str) -> list[dict]:
    return [cell for cell in notebook["cells"] if has_tag(cell, tag)]


def exercise_problems(notebook: dict, solved: bool) -> list[str]:
    """At least two exercises; each with its header, hint, cell and check."""
    said, text, found = [], "", 0
    kind = "solution" if solved else "exercise"
    cells = notebook["cells"]
    chapter = re.match(r"0?(\d+) · ", (headings(notebook) or [(1, "")])[0][1])
    for at, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            text += "\n" + cell["source"]
        elif has_tag(cell, kind):
            found += 1
            number = f"{chapter[1] if chapter else '?'}.{found}"
            marks = list(HEADER.finditer(text))
            if [mark[1] for mark in marks] != [number]:
                line = f"'### Exercise {number}: … · easy · 5 minutes'"
                said.append(f"cell {cell['id']}: no header, or several, like {line}")
            if not HINT.search(text, marks[-1].end() if marks else 0):
                said.append(f"cell {cell['id']}: its exercise has no collapsed hint")
            later = itertools.takewhile(lambda c: not has_tag(c, kind), cells[at + 1 :])
            checks = [c["source"] for c in later if has_tag(c, "check")]
            if not checks:
                said.append(f"cell {cell['id']} is an exercise without a check")
            elif f"Exercise {number}" not in checks[0]:
                said.append(f"the check of cell {cell['id']} isn't of {number}")
            text = ""
    if found < EXERCISES:
        said.append(f"has {found} exercises, fewer than {EXERCISES}")
    return said


def exercise_minutes(notebook: dict) -> list[int]:
    """The minutes of every exercise, as the headers state them."""
    cells = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
    return [int(m[3]) for cell in cells for m in HEADER.finditer(cell["source"])]


def time_problems(notebook: dict) -> list[str]:
    """How long it takes is said once, and the exercises fit into that."""
    text = " ".join(" ".join(c["source"].split()) for c in notebook["cells"][:3])
    told, needed = TIME.findall(text), sum(exercise_minutes(notebook))
    if len(told) != 1:
        return [
            "does not say 'about 20 minutes, 10 of them for the exercises (an "
            "estimate)' at its start"
        ]
    whole, exercises = map(int, told[0])
    if exercises != needed or needed >= whole:
        return [
            f"says {whole} minutes, {exercises} of them for the exercises, which "
            f"take {needed}"
        ]
    return []


def cell_problems(cell: dict) -> list[str]:
    said, source = [], cell["source"]
    if cell["cell_type"] == "code":
        if cell["outputs"] or cell["execution_count"] is not None:
            said.append("has outputs")
        lines = source.splitlines()
        if len(lines) > LINES:
            said.append(f"has {len(lines)} lines, more than {LINES}")
        longest = max(map(len, lines), default=0)
        if longest > COLUMNS:
            said.append(f"has a line of {longest} columns, more than {COLUMNS}")
    else:
        text = outside_code(source)
        images = re.findall(r"<img\b[^>]*>", text)
        empty = [tag for tag in images if not re.search(r"\balt=[\"'][^\"']", tag)]
        if re.search(r"!\[\s*\]", text) or empty:
            said.append("has an image without alt text")
    return [f"cell {cell['id']} {what}" for what in said]


def outline_problems(notebook: dict) -> list[str]:
    said, levels = [], [level for level, _ in headings(notebook)]
    if levels.count(1) != 1:
        said.append(f"has {levels.count(1)} first-level headings, not one")
    if levels[:1] != [1]:
        said.append("does not start with a first-level heading")
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            said.append(f"skips from heading level {before} to {after}")
    return said


def shape_problems(notebook: dict) -> list[str]:
    """Badges (or none), title, goals at the start; recap, and what is next."""
    said, cells = [], notebook["cells"]
    opening = []
    for cell in cells:
        if cell["cell_type"] != "markdown":
            break
        opening.append(cell["source"])
    text = "\n\n".join(opening)
    start = re.sub(r"\A(\s*\[!\[[^\]]+\]\([^)]+\)\]\([^)]+\))*\s*", "", text)
    if not start.startswith("# "):
        said.append("does not open with its title (after badges, if any)")
    goals = re.findall(r"^[-*] ", text.partition(GOALS)[2], re.MULTILINE)
    if GOALS not in text:
        said.append(f"does not say {GOALS!r} before its first code")
    elif len(goals) < 3:
        said.append(f"has {len(goals)} goals, fewer than 3")
    titles = [text.lower() for _, text in headings(notebook)]
    if not any(text.startswith("recap") for text in titles):
        said.append("has no section 'Recap'")
    closing = cells[-1]["source"] if cells[-1]["cell_type"] == "markdown" else ""
    coming = re.search(r"^(#+ +|.*\*\*)?Next\b.*", closing, re.MULTILINE | re.DOTALL)
    if not coming:
        said.append("does not end with a cell in which a line says what is Next")
    elif not re.search(r"\]\(\d\d_\w+\.ipynb\)", coming[0]):
        said.append("names what is Next without a link to a notebook")
    return said


def problems(notebook: dict, solved: bool = False) -> list[str]:
    """What is wrong with a notebook; `solved` for a solutions notebook."""
    said = [what for cell in notebook["cells"] for what in cell_problems(cell)]
    said += outline_problems(notebook) + shape_problems(notebook)
    said += time_problems(notebook)
    every = "\n".join(cell["source"] for cell in notebook["cells"])
    for name in re.findall(r"\bexercise (?!\d+\.\d)\d", every, re.IGNORECASE):
        said.append(f"says {name!r}: an exercise has a number such as 1.2")
    told = [cell for cell in notebook["cells"] if not has_tag(cell, "fetch")]
    if len(told) > CELLS:
        said.append(f"has {len(told)} cells, more than {CELLS}")
    parameters = tagged(notebook, "parameters")
    if len(parameters) != 1:
        said.append(f"has {len(parameters)} cells tagged 'parameters', not one")
    elif 'PROFILE = "cpu"' not in parameters[0]["source"]:
        said.append("has no PROFILE = \"cpu\" in its cell tagged 'parameters'")
    ids = [cell["id"] for cell in notebook["cells"]]
    if len(set(ids)) < len(ids):
        said.append("has two cells with one id")
    if "widgets" in notebook["metadata"]:
        said.append("keeps the state of widgets")
    code = "\n".join(c["source"] for c in notebook["cells"] if c["cell_type"] == "code")
    asks = bool(re.search(r"torch=True|^ *(?:import|from) torch\b", code, re.MULTILINE))
    if asks and not notebook["metadata"]["selfplay_kit"]["torch"]:
        said.append("uses torch, but the header of its source lacks 'torch: true'")
    wrong = "exercise" if solved else "solution"
    if any(cell["cell_type"] == "code" for cell in tagged(notebook, wrong)):
        said.append(f"holds code tagged {wrong!r}")
    return said + exercise_problems(notebook, solved)
