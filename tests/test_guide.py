"""The guide: its links lead somewhere, its words are explained, what it quotes is
what the kit says, and its numbers are what a command makes."""

import argparse
import importlib.util
import itertools
import re
import sys
from pathlib import Path

import pytest

from experiments import guide
from selfplay_kit.games.deal import rules
from selfplay_study import commands
from tests.lint_notebooks import HEADER, TIME

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import pages  # noqa: E402

TEXTS = {p.stem: p.read_text("utf-8") for p in (NOTEBOOKS / "guide").glob("*.md")}
TEACHING = TEXTS["teaching"]
SOURCES = {p.stem: p for p in (NOTEBOOKS / "source").glob("[0-9][0-9]_*.py")}
TERMS = re.split(r"^## ", TEXTS["glossary"], flags=re.MULTILINE)[1:]


def source(stem):
    return SOURCES[stem].read_text("utf-8")


def test_every_page_of_the_site_is_there():
    assert sorted(TEXTS) == sorted(pages.GUIDES)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_files(name):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", TEXTS[name], flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)", prose)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [x for x in local if not (NOTEBOOKS / "guide" / x).exists()]
    assert missing == [] and (local or name in ("troubleshooting", "handout"))


@pytest.mark.parametrize("name", TEXTS)
def test_one_title_and_no_level_skipped(name):
    prose = re.sub(r"```.*?```", "", TEXTS[name], flags=re.DOTALL)
    levels = [len(m) for m in re.findall(r"^(#+) ", prose, re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def launcher():
    spec = importlib.util.spec_from_file_location("launcher", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_of_run_py_is_one():
    run, said = launcher(), "\n".join([*TEXTS.values(), README])
    said = re.sub(r"`python run\.py\n *", "`python run.py ", said)
    commands = re.findall(r"(?:python3?|py) run\.py ([a-z][^`\n]*)", said)
    assert len(commands) > 10
    for command in commands:
        run.parse(command.split())  # raises SystemExit for what it does not know


def test_every_command_of_a_study_is_one():
    parser = argparse.ArgumentParser()
    commands.arguments(parser)
    said = re.findall(r"^python run\.py (study .*)", TEXTS["study"], re.MULTILINE)
    assert len(said) >= 6
    for command in said:
        options, rest = launcher().parse(command.split())
        parser.parse_args(launcher().what_to_run(options, rest)[2:])


README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_links_every_page():
    assert [n for n in TEXTS if f"notebooks/guide/{n}.md" not in README] == []


# The glossary -----------------------------------------------------------------------


def test_terms_are_in_order():
    titles = [term.partition("\n")[0] for term in TERMS]
    keys = [title.replace("λ", "lambda").lower() for title in titles]
    assert keys == sorted(set(keys)) and len(keys) > 50


@pytest.mark.parametrize("term", TERMS, ids=lambda t: t.partition("\n")[0])
def test_a_term_is_used_in_the_notebook_that_it_points_to(term):
    title, _, text = term.partition("\n")
    places = re.findall(r"\(\.\./(\d\d_\w+)\.ipynb\)", text)
    assert places and text.rstrip().endswith(f"({'../' + places[-1]}.ipynb)")
    stems = [w[: max(4, len(w) - 3)] for w in title.lower().replace("-", " ").split()]
    for place in places:
        words = re.sub(r"^# ?", "", source(place), flags=re.MULTILINE)
        words = " ".join(words.replace("-", " ").split()).lower()
        assert [s for s in stems if s not in words] == [], place
    assert len(text.split()) >= 8


# Words of the field: where one is used in a notebook, the glossary has it.
FIELD = (
    "abort bootstrap cache clone concession deal equilibrium filter frontier "
    "interval logit loss mask noise objective parser points policy pool position "
    "prompt proposal protocol reward round scenario seed self-play share softmax "
    "split statement temperature token tournament transcript value view weights "
    "zero-sum control base error correction seat profile nash blind strict "
    "development held-out paired entropy margin gap epoch batch learning verdict arm "
    "between within honest acceptance probe"
)


def test_words_of_the_field_are_explained():
    titles = " ".join(t.partition("\n")[0] for t in TERMS).lower()
    assert [w for w in FIELD.split() if w not in titles] == []


# Troubleshooting --------------------------------------------------------------------


def messages():
    """The text of the kit's sources, string literals joined as Python joins them."""
    files = [ROOT / "run.py", *NOTEBOOKS.glob("*.py")]
    files += (ROOT / "selfplay_kit").rglob("*.py")
    text = "\n".join(f.read_text("utf-8") for f in files)
    return " ".join(re.sub(r'"\s*\n\s*f?"', "", text).split())


def quotes():
    blocks = re.findall(r"```text\n(.*?)```", TEXTS["troubleshooting"], re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("line", quotes())
def test_a_message_that_is_quoted_is_one_of_the_kit(line):
    there = messages()
    pieces = [" ".join(p.split()) for p in line.split("…") if len(p.strip()) > 3]
    assert pieces and [p for p in pieces if p not in there] == []


# For teachers -----------------------------------------------------------------------


@pytest.mark.parametrize("name", guide.MADE)
def test_measured_numbers_are_the_recorded_ones(name):
    made = guide.blocks(ROOT / "data" / "reference")[name]
    block = TEXTS[guide.MADE[name][0]].partition(f"<!-- {name} -->\n")[2]
    assert block.partition(f"<!-- /{name} -->")[0] == made + "\n"


def test_expected_answers_are_computed():
    said = " ".join(TEACHING.split())
    scenario = rules.Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    every = rules.all_scenarios()
    best = sum(map(rules.max_joint, every)) / len(every)
    blind = 0
    for s in every:
        mine = rules.blind_share(s.counts, s.values[0])
        blind += s.points(0, mine) + s.points(1, s.complement(mine))
    blind /= len(every)
    deals = {(scenario.points(0, a), scenario.points(1, b))
             for a, b in scenario.allocations()}  # fmt: skip
    assert (4, 10) in deals and "(4, 10)" in said
    assert f"be divided?* {len(scenario.allocations())}." in said
    assert f"{len(every):,}, or {len({s.key() for s in every}):,} without" in said
    assert f"{best:.3f} on average" in said and f"accepted {blind:.3f}" in said
    assert f"so {best - blind:.2f} points" in said
    at = rules.Objective(2 / 3)
    assert at.rewards(9, 2)[0] == pytest.approx(at.rewards(5, 8)[0])
    assert "Beyond 2/3" in said


@pytest.mark.parametrize("stem", SOURCES)
def test_the_ladder_names_every_exercise(stem):
    """Each by its number, grade and minutes; and their sum and the whole."""
    text = re.sub(r"^# ?", "", source(stem), flags=re.MULTILINE)
    found = HEADER.findall(text)
    assert len(found) == text.count("notebook.check(")
    rows = [row for row in TEACHING.splitlines() if row.startswith("|")]
    for number, grade, minutes in found:
        own = [r for r in rows if r.endswith(f" {number} | {grade} | {minutes} |")]
        assert len(own) == 1, number
    ((whole, exercises),) = TIME.findall(" ".join(text.split()))
    assert f"| {stem[:2]} | {whole} | {exercises} |" in rows


def test_the_handout_is_short_enough_for_one_page():
    assert len(TEXTS["handout"].split()) < 480
