"""The fixture itself: a notebook opens, runs, and shows a widget."""

import nbformat

from .conftest import axe, shot


def write_notebook(folder, name, *cells):
    """A notebook of these code cells."""
    cells = [nbformat.v4.new_code_cell(c) for c in cells]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(book, folder / name)


def test_a_notebook_runs_and_a_button_answers(lab, open_notebook):
    write_notebook(
        lab.folder,
        "button.ipynb",
        "import ipywidgets as w\nb, l = w.Button(description='Go'), w.Label('off')\n"
        "b.on_click(lambda _: setattr(l, 'value', 'on'))\nw.VBox([b, l])",
    )
    page = open_notebook("button.ipynb")
    page.get_by_role("button", name="Go", exact=True).click()
    page.locator(".widget-label", has_text="on").wait_for()
    assert axe(page, ".jp-OutputArea-output") == []
    assert shot(page, "fixture").exists()
    assert page.errors == []
