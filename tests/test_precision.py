"""Which precision is given for which asked, on machines of every kind."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from selfplay_kit.lm import precision  # noqa: E402
from selfplay_kit.lm.precision import PRECISIONS, Machine, choose, memory_and_limit  # noqa: E402

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


# Memory ---------------------------------------------------------------------------


def system(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"
UNLIMITED_V1 = "9223372036854771712\n"


@pytest.mark.parametrize(
    "files, expected, where",
    [
        pytest.param(
            {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "3000000\n"},
            3_000_000,
            "memory.max",
            id="v2, a container's own view",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/user/job_7/step\n",
                f"{V2}/user/job_7/step/memory.max": "max\n",
                f"{V2}/user/job_7/memory.max": "2000000\n",
                f"{V2}/user/memory.max": "5000000\n",
            },
            2_000_000,
            "job_7/memory.max",
            id="v2, a job's limit above the process's own group",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n",
                f"{V1}/memory.limit_in_bytes": "4000000\n",
            },
            4_000_000,
            "memory.limit_in_bytes",
            id="v1, paths of the host in a container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/slurm/job\n",
                f"{V1}/slurm/job/memory.limit_in_bytes": "1000000\n",
                f"{V1}/memory.limit_in_bytes": UNLIMITED_V1,
            },
            1_000_000,
            "job/memory.limit_in_bytes",
            id="v1, a job",
        ),
        pytest.param(
            {f"{V2}/memory.max": "6000000"},
            6_000_000,
            "memory.max",
            id="no list of groups",
        ),
        pytest.param({}, None, "", id="no container"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "max\n"},
            None,
            "",
            id="v2 without a limit",
        ),
        pytest.param(
            {f"{V1}/memory.limit_in_bytes": UNLIMITED_V1}, None, "", id="v1 without"
        ),
        pytest.param(
            {"proc/self/cgroup": "nonsense\n", f"{V2}/memory.max": "?\n"},
            None,
            "",
            id="nonsense",
        ),
    ],
)
def test_the_limit_of_a_container_is_its_memory(files, expected, where, tmp_path):
    memory, limit = memory_and_limit(system(tmp_path, files))
    assert memory == (precision._physical() if expected is None else expected)
    assert limit.endswith(where) and bool(limit) == bool(where)


def test_auto_heeds_the_limit_and_names_it():
    small = Machine("cpu", 2e9, True, False, limit="/sys/fs/cgroup/memory.max")
    picked, why = choose("auto", small, 10**9)
    assert picked == "bf16"
    assert "2.0 GB this container may use (/sys/fs/cgroup/memory.max)" in why


def test_the_machine_is_the_container(monkeypatch):
    monkeypatch.setattr(precision, "memory_and_limit", lambda: (5e8, "/a/memory.max"))
    here = Machine.of("cpu")
    assert (here.memory, here.limit) == (5e8, "/a/memory.max")


def test_a_system_without_sysconf_asks_psutil_or_nobody(monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.delattr(precision.os, "sysconf", raising=False)
    assert precision._physical() == psutil.virtual_memory().total
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert precision._physical() == float("inf")
