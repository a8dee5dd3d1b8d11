"""Executed notebooks as a site that needs no network and no server.

A page for each notebook, with the list of all of them, previous and next, and
a search box over every cell; `index.html` has a card for each. Everything is
inlined but `style.css` and two scripts, so that the folder opens from a disk
or from any web server. Formulas are drawn by matplotlib; what it cannot draw
stays TeX. The pages of `guide/` come with it. Left out: live widgets, which need a
running kernel.
"""

import base64
import html
import json
import mimetypes
import os
import re
import shutil
from functools import cache
from pathlib import Path

TITLE = "selfplay_kit: language models learn to negotiate with themselves"
INTRO = (
    "Two players split books, hats and balls by talking. These notebooks go from"
    " the rules of that game to a small language model that plays it against"
    " itself and learns from its own better games. They were executed on the"
    " machine that made this page; the times are its own."
)
EM = 9  # units of a drawing to one em; its letters are of size 10
LIVE = "application/vnd.jupyter.widget-view+json"
GOALS = "In this notebook you will"
GUIDES = ("glossary", "troubleshooting", "handout", "teaching", "study", "results")


def read(path: Path):
    """The notebook at `path`, in the current format."""
    import nbformat

    return nbformat.read(path, as_version=4)


def executed(path: Path):
    """The executed notebook at `path` without papermill's own error banners, and of
    live widgets only what they leave as plain HTML."""
    notebook = read(path)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(LIVE, None)
    banner = "papermill-error-cell-tag"
    notebook.cells = [
        cell for cell in notebook.cells if banner not in cell.metadata.get("tags", [])
    ]
    return notebook


def plain(text: str) -> str:
    """`text` without the codes that colour it in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def heading(cell: dict) -> str | None:
    """The first heading of a Markdown cell, or None."""
    if cell["cell_type"] != "markdown":
        return None
    found = re.search(r"^#{1,6} +(.+)$", cell["source"], re.MULTILINE)
    return found.group(1).strip() if found else None


def title(notebook: dict, fallback: str) -> str:
    """The first heading, without a number like '05 ·' in front."""
    first = next(filter(None, map(heading, notebook["cells"])), fallback)
    return re.sub(r"^\d\d *[·:.–-] *", "", first)


def goals(notebook: dict) -> list[str]:
    """The bullets under 'In this notebook you will'."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and GOALS in cell["source"]:
            after = cell["source"].split(GOALS, 1)[1]
            after = after.partition("\n\n")[2].partition("\n\n")[0]
            bullets = re.findall(r"^[-*] +(.+(?:\n  +.+)*)", after, re.MULTILINE)
            return [" ".join(bullet.split()) for bullet in bullets]
    return []


def search_index(name: str, notebook: dict) -> list[dict]:
    """One record for each cell: page, section, anchor and its plain text."""
    records, section = [], title(notebook, name)
    for cell in notebook["cells"]:
        section = heading(cell) or section
        text = cell["source"]
        if cell["cell_type"] == "markdown":
            text = re.sub(r"\]\([^)]*\)|<[^>]+>|[#*`\[\]]", " ", text)
        if text.strip():
            page = {"page": f"{name}.html", "title": title(notebook, name)}
            place = {"section": section, "anchor": f"cell-id={cell['id']}"}
            records.append(page | place | {"text": " ".join(text.split())})
    return records


def guide_index(here: dict, body: str) -> list[dict]:
    """One record for each section of a page of the guide, as `search_index`."""
    records = []
    for part in re.split(r"(?=<h[1-6] )", body):
        found = re.match(r'<h\d id="([^"]*)">(.*?)(?:<a |</h)', part, re.DOTALL)
        if found:
            place = {"section": html.unescape(found.group(2)), "anchor": found.group(1)}
            text = html.unescape(re.sub(r"<[^>]+>", " ", part))
            page = {"page": f"{here['name']}.html", "title": here["title"]}
            records.append(page | place | {"text": " ".join(text.split())})
    return records


@cache
def formula(tex: str, display: bool) -> str:
    """TeX as an inline drawing, its source as the text alternative."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    label = html.escape(tex, quote=True)
    font = FontProperties(math_fontfamily="stix")
    try:
        path = TextPath((0, 0), f"${' '.join(tex.split())}$", size=10, prop=font)
    except ValueError:
        return f'<code class="tex">{label}</code>'
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    steps = []
    for points, code in path.iter_segments(simplify=False):
        # The points of a closing step are of no meaning.
        points = [] if letters[code] == "Z" else points
        steps.append(letters[code] + " ".join(f"{number:.2f}" for number in points))
    box = path.get_extents()
    view = f"{box.x0:.2f} {-box.y1:.2f} {box.width:.2f} {box.height:.2f}"
    size = f"width:{box.width / EM:.3f}em;height:{box.height / EM:.3f}em"
    drawing = (
        f'<svg class="formula" role="img" aria-label="{label}" viewBox="{view}"'
        f' style="{size};vertical-align:{box.y0 / EM:.3f}em">'
        f'<path transform="scale(1,-1)" d="{"".join(steps)}"/></svg>'
    )
    return f'<span class="display">{drawing}</span>' if display else drawing


def draw_formulas(page: str) -> str:
    """`page` with $…$ and $$…$$ drawn, except inside code and tags."""
    code_or_tag = r"(<pre.*?</pre>|<code.*?</code>|<[a-zA-Z/][^>]*>)"
    parts = re.split(code_or_tag, page, flags=re.DOTALL)

    def draw(match: re.Match) -> str:
        tex = match.group(1) or match.group(2)
        return formula(html.unescape(tex), match.group(1) is not None)

    pattern = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^\s$][^$]*?)\$", re.DOTALL)
    parts[::2] = [pattern.sub(draw, part) for part in parts[::2]]
    return "".join(parts)


def relink(page: str, folder: Path, out: Path, known: dict[Path, str]) -> str:
    """`page` with links to files that are `known` turned to their pages, others kept
    alive.

    A relative link is one from `folder`. Where it leads to a file that is no page,
    it is made to lead there from `out`.
    """

    def turn(match: re.Match) -> str:
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:|/", target) or not target:
            return match.group(0)
        anchor = f"#{anchor}" if anchor else ""
        path = Path(os.path.normpath(folder / target))
        if path in known:
            return f'href="{known[path]}{anchor}"'
        if path.exists():
            try:
                there = Path(os.path.relpath(path, out)).as_posix()
            except ValueError:  # another drive
                there = path.resolve().as_uri()
            return f'href="{there}{anchor}"'
        return match.group(0)

    return re.sub(r'href="([^"]*)"', turn, page)


def reachable(page: str) -> str:
    """`page` with a tab stop on all that may scroll sideways, for the keyboard."""
    return re.sub(r"<(pre|table)(?=[ >])(?![^>]*tabindex)", r'<\1 tabindex="0"', page)


def inline_pictures(page: str, folder: Path) -> str:
    """`page` with each picture that lies in `folder` put into its tag.

    nbconvert's own way closes a <details> at its first empty line.
    """

    def put(match: re.Match) -> str:
        path = folder / html.unescape(match.group(2))
        if match.group(2).startswith("data:") or not path.is_file():
            return match.group(0)
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        content = base64.b64encode(path.read_bytes()).decode()
        return f'{match.group(1)}"data:{kind};base64,{content}"'

    return re.sub(r'(<img\b[^>]*\bsrc=)"([^"]*)"', put, page)


def exporter(folder: Path):
    """The exporter with the template in `site/`."""
    from nbconvert import HTMLExporter

    site = Path(__file__).resolve().parent / "site"
    made = HTMLExporter(
        template_name=site.name,
        extra_template_basedirs=[str(site.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    made.register_filter("formulas", draw_formulas)
    return made


def write(folder: Path, out: Path, results: dict) -> None:
    """Write the site of the executed notebooks in `out`.

    `results` is what `tutorial.run` gathered, by notebook; one without an
    executed notebook in `out` gets a card that says so and no page.
    """
    from nbconvert.filters import markdown2html
    from pygments.formatters import HtmlFormatter

    assets = Path(__file__).resolve().parent / "site"
    make = exporter(folder)
    layout = make.environment.get_template("layout.html.j2")
    ran = sorted(out.glob("[0-9][0-9]_*.ipynb"))
    found = {path.stem: executed(path) for path in ran}
    notebooks = {name: found[name] for name in sorted(results) if name in found}
    cards = []
    for name, notebook in notebooks.items():
        card = {"name": name, "title": title(notebook, name), "goals": goals(notebook)}
        cards.append(card | {"result": results[name]})
    home = folder if (folder / "guide").exists() else folder.parent
    guides = [home / "guide" / f"{name}.md" for name in GUIDES]
    guides = [path for path in guides if path.exists()]
    known = {home / f"{name}.ipynb": f"{name}.html" for name in notebooks}
    known |= {folder / f"{name}.ipynb": f"{name}.html" for name in notebooks}
    known |= {path: f"{path.stem}.html" for path in guides}
    texts = {path.stem: path.read_text(encoding="utf-8") for path in guides}
    titles = {name: text.splitlines()[0].lstrip("# ") for name, text in texts.items()}
    common = {"cards": cards, "site": TITLE, "intro": INTRO, "guides": titles}
    for place, (name, notebook) in enumerate(notebooks.items()):
        body, _ = make.from_notebook_node(notebook)
        body = inline_pictures(relink(body, folder, out, known), folder)
        body = reachable(body)
        previous = cards[place - 1] if place else None
        following = cards[place + 1] if place + 1 < len(cards) else None
        page = layout.render(
            **common,
            here=cards[place],
            previous=previous,
            following=following,
            content=body,
        )
        save(out / f"{name}.html", page)
    save(out / "index.html", layout.render(**common))
    index = [
        record
        for name, notebook in notebooks.items()
        for record in search_index(name, notebook)
    ]
    for path in guides:
        body = markdown2html(texts[path.stem])
        body = inline_pictures(relink(body, path.parent, out, known), path.parent)
        body = reachable(body)
        here = {"name": path.stem, "title": titles[path.stem], "guide": True}
        page = layout.render(**common, here=here, content=body)
        save(out / f"{path.stem}.html", page)
        index += guide_index(here, body)
    text = json.dumps(index, ensure_ascii=False)
    save(out / "search.js", f"window.searchIndex = {text};\n")
    colours = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    style = (assets / "style.css").read_text(encoding="utf-8")
    save(out / "style.css", f"{colours}\n{style}")
    shutil.copy(assets / "site.js", out / "site.js")


def save(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
