"""Only of a process of this machine, that ran here and ended, is it said that it is gone."""

import os
import subprocess
import sys

import pytest

from worker import whereabouts


def named() -> tuple[subprocess.Popen[str], str]:
    """A process, and the name that it gave itself."""
    code = "from worker import whereabouts; print(whereabouts.name(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_every_start_has_a_name_of_its_own() -> None:
    """A process id comes round again; the name of a lease's holder does not."""
    assert len({whereabouts.name() for _ in range(100)}) == 100


def test_who_lives_is_not_gone() -> None:
    """Neither this process nor another one that runs."""
    assert not whereabouts.is_gone(whereabouts.name())
    process, name = named()
    with process:
        assert not whereabouts.is_gone(name)
        process.kill()


def test_who_was_killed_is_gone() -> None:
    """As soon as it has ended, also while nobody has asked how."""
    process, name = named()
    with process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        assert whereabouts.is_gone(name)
    assert whereabouts.is_gone(name)


def test_another_process_with_the_number_is_not_it() -> None:
    """The number of a process that has ended was given to a new one: the old one is gone."""
    host, pid, rest = whereabouts.name().rsplit(":", 2)
    place, started, token = rest.split("-")
    assert whereabouts.is_gone(f"{host}:{pid}:{place}-{int(started) - 1}-{token}")


@pytest.mark.parametrize(
    "other",
    [
        "elsewhere:{pid}:{place}-1-cafe",
        "{host}:{pid}:00000000-1-cafe",  # another boot, or another container
        "{host}:{pid}:cafe0123",  # of a version that told less
        "{host}:x:{place}-1-cafe",
        "{host}:1:{place}-y-cafe",
        "worker-1",
        "",
    ],
)
def test_of_others_nothing_is_known(other: str) -> None:
    """Other machines, boots and containers, older names and whatever else: not gone."""
    host, pid, rest = whereabouts.name().rsplit(":", 2)
    place = rest.partition("-")[0]
    assert not whereabouts.is_gone(other.format(host=host, pid=pid, place=place))
