"""The guide as pages: nothing shuts anybody out, and the handout is one page."""

import re
import sys

import pytest

from ..conftest import ROOT
from .conftest import NARROW, WIDE, axe, shot

sys.path.insert(0, str(ROOT / "notebooks"))

import pages


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages without any notebook."""
    out = tmp_path_factory.mktemp("site")
    pages.write(ROOT / "notebooks", out, {})
    return out


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", pages.GUIDES)
def test_a_page_opens_from_the_disk(site, browser_page, name, size):
    page = browser_page((site / f"{name}.html").as_uri(), size)
    shot(page, f"guide-{name}")
    assert axe(page, "html", ("minor", "moderate", "serious", "critical")) == []
    across = page.evaluate("document.documentElement.scrollWidth")
    assert across <= size[0] and page.errors == []


def test_a_word_is_found_and_followed(site, browser_page):
    page = browser_page((site / "teaching.html").as_uri())
    page.get_by_role("searchbox").fill("pareto-optimal")
    page.locator("#hits a", has_text="Glossary › Pareto-optimal").first.click()
    assert page.url.endswith("glossary.html#Pareto-optimal")
    assert page.get_by_role("heading", name="Pareto-optimal").is_visible()


def test_the_handout_is_printed_on_one_page(site, browser_page):
    page = browser_page((site / "handout.html").as_uri())
    printed = page.pdf(format="A4", margin={s: "15mm" for s in ("top", "bottom")})
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
