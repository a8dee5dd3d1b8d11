"""The verdict's rule: what a model's number may be called, and what never."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.measure import ledger
from selfplay_kit.measure.ledger import CANNOT, Claim, lies, verdict, weigh

FINITE = st.floats(-100, 100, allow_nan=False)
RISE = Claim("rise", "scores", "Points rise.", of="change", above=0, unit="points")


@st.composite
def numbers(draw):
    """A number with its interval, or with none."""
    low, value, high = sorted(draw(st.tuples(FINITE, FINITE, FINITE)))
    if draw(st.booleans()):
        low = high = None
    return {"value": value, "low": low, "high": high, "n": 5}


@st.composite
def claims(draw):
    """A claim about a number, in any of the ways to say where it has to lie."""
    low, high = sorted(draw(st.tuples(FINITE, FINITE)))
    test = draw(
        st.sampled_from(
            [
                {"above": low},
                {"below": high},
                {"between": [low, high]},
                {"near": 0.1, "paper": {"after": abs(low) + 1}},
            ]
        )
    )
    return Claim("c", "s", "It is so.", **test)


@given(numbers(), claims())
def test_the_word_depends_on_what_was_taught_and_on_nothing_else(n, c):
    cloned = verdict(n, c, taught="strategy")
    unsaid = (ledger.UNDECIDED, CANNOT)
    assert cloned in (ledger.ILLUSTRATES, ledger.NOT_ILLUSTRATES, *unsaid)
    format_only, alone = (verdict(n, c, taught=t) for t in ("format", "nothing"))
    assert format_only == alone
    assert alone in (ledger.HOLDS, ledger.DIFFERS, *unsaid)
    assert (n["low"] is None) == (cloned == CANNOT) == (alone == CANNOT)
    across = n["low"] is not None and lies(n, *c.region) is None
    assert across == (cloned == ledger.UNDECIDED) == (alone == ledger.UNDECIDED)
    assert (cloned == ledger.ILLUSTRATES) == (alone == ledger.HOLDS)


@pytest.mark.parametrize("model", sorted(ledger.SHIPPED))
def test_what_the_kits_models_were_taught_gives_their_words(model):
    row = weigh(RISE, [5.0, 5.5, 6.0], [0.5, 0.4, 0.6], model=model)
    cloned = model.startswith("tiny") or model.endswith("-warm")
    assert row["taught"] == ("strategy" if cloned else "nothing")
    assert row["verdict"] == (ledger.ILLUSTRATES if cloned else ledger.HOLDS)


@pytest.mark.parametrize("model", ["tiny-mine", "smollm2-360m", "runs/m/model", ""])
def test_a_models_name_alone_says_nothing(model):
    with pytest.raises(ValueError, match="Pass taught='strategy' if it cloned"):
        weigh(RISE, [1, 2], [0, 0], model=model)
    row = weigh(RISE, [5.0, 5.5, 6.0], [0, 0, 0], model=model, taught="format")
    assert (row["taught"], row["verdict"]) == ("format", ledger.HOLDS)
    with pytest.raises(ValueError, match="taught is one of strategy, format, nothing"):
        weigh(RISE, [1, 2], [0, 0], model=model, taught="a lot")


@given(numbers(), claims(), st.sampled_from(ledger.TAUGHT))
def test_what_is_fixed_by_the_rules_reads_by_construction(n, c, taught):
    fixed = replace(c, fixed=True)
    assert verdict(n, fixed, taught=taught) == ledger.FIXED


@pytest.mark.parametrize("values", [[0, 0, 0], [0.0, -0.0], [1e-12, -1e-12, 0]])
def test_a_fixed_number_is_held_against_the_rules(values):
    flat = Claim("flat", "s", "It is 0.", between=(0, 0), fixed=True)
    row = weigh(flat, values, model="tiny-weak")
    assert row["verdict"] == ledger.FIXED and "by the rules" in row["sentence"]
    for wrong in ([0.1, 0, -0.1], [1, 1]):
        with pytest.raises(ValueError, match="true by construction"):
            weigh(flat, wrong, model="tiny-weak")


SHARE = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(SHARE, SHARE), min_size=2, max_size=6))
def test_shares_and_their_changes_never_leave_their_bounds(pairs):
    after, before = ([p[i] for p in pairs] for i in (0, 1))
    claim = Claim("c", "s", "So.", unit="share of games", above=0.5)
    row = weigh(claim, after, before, model="tiny")
    for number in row["ours"].values():
        assert 0 <= number["low"] <= number["high"] <= 1
    for of in ("change", "new seed"):
        found = ledger.judged(replace(claim, of=of), after, before)
        assert -1 <= found["low"] <= found["value"] + 1e-9
        assert found["value"] - 1e-9 <= found["high"] <= 1


@given(numbers(), claims())
def test_the_whole_interval_counts(n, c):
    low, high = c.region
    found = lies(n, low, high)
    if n["low"] is None:
        assert found is None
    elif found:
        assert low <= n["low"] and n["high"] <= high
    elif found is False:
        assert n["high"] < low or n["low"] > high
    else:
        assert n["low"] <= high and n["high"] >= low
        on_the_edge = n["low"] == n["high"] and n["low"] in (low, high)
        assert n["low"] < low or n["high"] > high or on_the_edge


def test_no_change_is_neither_a_rise_nor_a_fall():
    still = {"value": 0.0, "low": 0.0, "high": 0.0, "n": 3}
    assert lies(still, 0, float("inf")) is None
    assert lies(still, float("-inf"), 0) is None
    assert lies(still, -0.5, 0.5)


@given(st.lists(FINITE, min_size=1, max_size=6), FINITE)
def test_one_seed_has_no_interval_over_seeds_and_no_verdict(values, start):
    row = weigh(RISE, values, start, model="tiny-weak")
    assert row["seeds"] == len(values)
    alone = len(values) == 1
    assert (row["interval"] is None) == alone
    assert (row["verdict"] == CANNOT) == alone
    assert alone == ("One seed" in row["sentence"])


@given(
    st.lists(st.tuples(FINITE, st.floats(1, 10)), min_size=2, max_size=6),
)
def test_change_and_factor_are_taken_seed_by_seed(pairs):
    after, before = ([p[i] for p in pairs] for i in (0, 1))
    factor = Claim("f", "s", "It grows.", of="factor", above=1)
    change = ledger.judged(RISE, after, before)
    assert change["values"] == [a - b for a, b in pairs]
    assert ledger.judged(factor, after, before)["values"] == [a / b for a, b in pairs]
    assert ledger.judged(RISE, after, before + [7])["values"] == change["values"]
    one_more = Claim("n", "s", "Once more.", of="new seed", above=0)
    wider = ledger.judged(one_more, after, before)
    assert wider["value"] == change["value"]
    grown = (change["high"] - change["low"]) * math.sqrt(len(pairs) + 1)
    assert wider["high"] - wider["low"] == pytest.approx(grown, abs=1e-9)


@given(numbers(), numbers())
def test_two_intervals_without_values_have_to_lie_apart(after, before):
    found = ledger.judged(RISE, after, before)
    assert found["value"] == after["value"] - before["value"]
    if None in (after["low"], before["low"]):
        assert found["low"] is None
    else:
        assert (found["low"] >= 0) == (after["low"] >= before["high"])
        assert found["low"] <= found["value"] <= found["high"]


def test_a_row_says_all_that_it_rests_on():
    row = weigh(
        RISE,
        [5.0, 5.5, 6.0],
        {"value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "values": [0.4, 0.5, 0.6]},
        model="smollm2-135m-q4_1",
        ahead=True,
        split="test",
        games=500,
        source={"paths": ["mine:after"]},
    )
    assert (row["taught"], row["ahead"], row["by"]) == ("nothing", True, "paper")
    assert row["verdict"] == ledger.HOLDS
    assert row["ours"]["judged"]["values"] == [4.6, 5.0, 5.4]
    assert (row["seeds"], row["games"], row["split"]) == (3, 500, "test")
    assert row["sentence"] == "The change lies above 0: yes."
    assert set(row) == set(ledger.unweighed(RISE, "later"))
    assert ledger.cells(row) == (
        "Points rise.",
        "not reported",
        "0.50 [0.40, 0.60] → 5.50 [4.26, 6.74]",
        ledger.HOLDS,
    )


def test_a_row_without_a_number_says_why():
    closed = Claim("c", "s", "It is so.", paper={"after": 0.801}, cannot="No GPT-4.")
    row = ledger.unweighed(closed)
    assert (row["verdict"], row["sentence"]) == (CANNOT, "No GPT-4.")
    later = ledger.unweighed(RISE, "x.json is not there", file="x")
    assert (later["verdict"], later["source"]) == (ledger.NOT_RUN, {"file": "x"})
    assert ledger.cells(later)[2] == "–"
    with pytest.raises(ValueError, match="can't be tested here: No GPT-4"):
        weigh(closed, [1, 2], model="tiny-weak")


@pytest.mark.parametrize(
    "paper, unit, told",
    [
        ({"before": 0.068, "after": 0.964}, "share of games", "6.8 % → 96.4 %"),
        ({"before": 0.14, "after": "under 1 %"}, "share", "14 % → under 1 %"),
        ({"trend": "none"}, "points", "none"),
        ({"after": 5808}, "dialogues", "5,808"),
        ({"before": 0.4, "after": 5.8, "at": "best"}, "points", "0.4 → 5.8 (best)"),
        ({"factor": 14, "at": "to the best"}, "times", "14 (to the best)"),
        ({"mean": 0.382, "games": 100}, "points", "mean: 0.382, games: 100"),
        ({}, "points", "not reported"),
    ],
)
def test_the_papers_cell(paper, unit, told):
    row = ledger.unweighed(Claim("c", "s", "So.", paper=paper, unit=unit, above=0))
    assert ledger.cells(row)[1] == told


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({}, "exactly one of above"),
        ({"above": 0, "cannot": "no"}, "it has 2"),
        ({"above": 0, "kind": "rumour"}, "'rumour'"),
        ({"above": 0, "of": "mood"}, "'mood'"),
    ],
)
def test_a_claim_that_nothing_can_decide_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Claim("c", "s", "It is so.", **wrong)


@pytest.mark.parametrize(
    "text, said",
    [
        ("[[claim", "no list of"),
        ("a = 1", "no list of"),
        ('[[claim]]\nid = "a"\ncolour = 1', "unknown \\['colour'\\]"),
        (2 * '[[claim]]\nid="a"\nsection="s"\nclaim="c"\nabove=0\n', "two claims"),
    ],
)
def test_a_damaged_file_of_claims_is_refused(tmp_path, text, said):
    (tmp_path / "claims.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        ledger.read_claims(tmp_path / "claims.toml")


@pytest.mark.parametrize("after", [[], None, "many", {"value": 3.0}])
def test_a_change_needs_the_values_of_the_seeds(after):
    with pytest.raises(ValueError, match="the values of the seeds"):
        weigh(RISE, after, [0.5, 0.4], model="tiny")


def test_no_factor_from_nothing():
    factor = Claim("f", "s", "It grows.", of="factor", above=1)
    with pytest.raises(ValueError, match="no factor from a start of 0"):
        weigh(factor, [1, 2], [0, 1], model="tiny")


def test_an_exact_number_has_no_width():
    row = weigh(RISE, [6.0, 6.5], 5, model="tiny-weak")
    assert ledger.cells(row)[2].startswith("5.00 → 6.25")
