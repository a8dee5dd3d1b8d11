"""Which precision is given for which asked, on machines of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from selfplay_kit.precision import PRECISIONS, Machine, choose  # noqa: E402

T4 = Machine("cuda", 15e9, False, True, (7, 5))
A100 = Machine("cuda", 80e9, True, True, (8, 0))
LAPTOP = Machine("cpu", 8e9, False, True)
SERVER = Machine("cpu", 64e9, True, True)


@pytest.mark.parametrize(
    "machine, parameters, expected",
    [
        (LAPTOP, 800_000, "fp32"),
        (A100, 800_000, "fp32"),
        (LAPTOP, 135e6, "fp32"),
        (SERVER, 135e6, "bf16"),
        (A100, 8e9, "bf16"),
        (T4, 1.7e9, "fp16"),
        (T4, 7e9, "4bit"),
        (A100, 70e9, "4bit"),
    ],
)
def test_auto_picks_by_device_and_memory(machine, parameters, expected):
    picked, why = choose("auto", machine, int(parameters))
    assert picked == expected and why.startswith("auto: ")


@pytest.mark.parametrize("asked", ["4bit", "8bit"])
def test_without_bitsandbytes_the_reason_is_given(asked):
    bare = Machine("cpu", 8e9, True, False)
    picked, why = choose(asked, bare, 10**9)
    assert picked == "bf16"
    assert asked in why and "bitsandbytes is not installed" in why and "pip" in why


def test_auto_without_bitsandbytes_says_what_is_missing():
    picked, why = choose("auto", Machine("cuda", 15e9, True, False, (8, 6)), 7 * 10**9)
    assert picked == "bf16" and "no bitsandbytes" in why and "15.0 GB" in why


def test_bf16_below_capability_8_becomes_fp16():
    picked, why = choose("bf16", T4, 10**9)
    assert picked == "fp16" and "compute capability 7.5" in why


@given(
    st.sampled_from(PRECISIONS),
    st.sampled_from([T4, A100, LAPTOP, SERVER]),
    st.integers(1, 10**11),
)
def test_what_can_be_had_is_given_as_asked(asked, machine, parameters):
    picked, why = choose(asked, machine, parameters)
    assert picked in PRECISIONS and "\n" not in why
    if (asked, machine) != ("bf16", T4):
        assert (picked, why) == (asked, "as asked")


@given(st.sampled_from([T4, A100, LAPTOP, SERVER]), st.integers(1, 10**12))
def test_auto_never_fills_the_memory_where_it_could_do_with_less(machine, parameters):
    size = {"fp32": 4, "bf16": 2, "fp16": 2, "8bit": 1, "4bit": 0.5}
    picked, _ = choose("auto", machine, parameters)
    if picked != "4bit" and parameters > 20_000_000:
        assert size[picked] * parameters <= 0.4 * machine.memory


def test_a_gpu_that_is_not_there_is_an_error():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ValueError, match="sees no GPU here"):
        Machine.of("cuda")
    assert Machine.of(None).device == Machine.of("cpu").device == "cpu"
