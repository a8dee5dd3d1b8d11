"""The deal game's arithmetic against OpenSpiel's ``bargaining`` (extra ``openspiel``).

Its protocol differs (alternating public offers, then agreement); its pools, values and
returns are those of the same game.
"""

import random

import pytest

from selfplay_kit.games.deal.rules import Scenario

pyspiel = pytest.importorskip("pyspiel")


@pytest.fixture(scope="module")
def bargaining():
    return pyspiel.load_game("bargaining")


def scenario(instance):
    return Scenario(tuple(instance.pool), tuple(map(tuple, instance.values)))


def test_all_but_the_pools_with_five_of_a_kind_are_legal_here(bargaining):
    refused = []
    for instance in bargaining.all_instances():
        try:
            scenario(instance)
        except ValueError as e:
            assert "each kind has 1 to 4 objects" in str(e)
            refused.append(instance)
    assert len(bargaining.all_instances()) == 1000 and len(refused) == 78
    assert {max(i.pool) for i in refused} == {5}


def test_random_play_returns_what_the_scenario_pays(bargaining):
    chance = random.Random(0)
    agreed = played = 0
    for number, instance in enumerate(bargaining.all_instances()):
        if max(instance.pool) > 4:
            continue
        s, played = scenario(instance), played + 1
        state = bargaining.new_initial_state()
        state.apply_action(number)
        offers, agree = [], False
        while not state.is_terminal():
            seat = state.current_player()
            # one chance in eight of agreeing: games end both ways
            words = {state.action_to_string(a): a for a in state.legal_actions()}
            agree = bool(offers) and chance.random() < 0.125
            word = "Agree" if agree else chance.choice(sorted(set(words) - {"Agree"}))
            if not agree:
                kept = tuple(int(n.split(":")[-1]) for n in word.split(","))
                offers.append((seat, kept))
            state.apply_action(words[word])
        expected = (0, 0)
        if agree:
            proposer, kept = offers[-1]
            rest = s.complement(kept)
            expected = s.pays((kept, rest) if proposer == 0 else (rest, kept))
        assert tuple(state.returns()) == expected, (number, str(state))
        agreed += agree
    assert played == 922 and 400 < agreed < 850
